"""The tables as SQLAlchemy Core knows them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Table
from sqlmodel import SQLModel

from hookengine.store import tables


def _table(row: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(row.__tablename__)]


ACTION: Final = _table(tables.ActionRow)
ATTEMPT: Final = _table(tables.AttemptRow)
CAPTURE: Final = _table(tables.CaptureRow)
CONTEXT_SECRET: Final = _table(tables.ContextSecretRow)
DEFINITIONS: Final = _table(tables.DefinitionsRow)
DELIVERY: Final = _table(tables.DeliveryRow)
EVENT: Final = _table(tables.EventRow)
GATE: Final = _table(tables.GateRow)
HOOK: Final = _table(tables.HookRow)
HOOK_REVISION: Final = _table(tables.HookRevisionRow)
INCOMING_HOOK: Final = _table(tables.IncomingHookRow)
LANE: Final = _table(tables.LaneRow)
PIPELINE: Final = _table(tables.PipelineRow)
REPLAY: Final = _table(tables.ReplayRow)
REQUEST: Final = _table(tables.RequestRow)
SECRET: Final = _table(tables.SecretRow)
TOKEN: Final = _table(tables.TokenRow)
