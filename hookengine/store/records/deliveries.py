"""Deliveries and their attempts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, func, select

from hookengine.domain import views
from hookengine.domain.attempt import OUTCOMES, VERDICTS, OutcomeWord
from hookengine.domain.delivery import CHECK
from hookengine.domain.event import id_in
from hookengine.domain.request import RenderedRequest
from hookengine.errors import NotFound
from hookengine.store.cold.tables import (
    ACTION,
    ATTEMPT,
    DELIVERY,
    EVENT,
    GATE,
    HOOK,
    HOOK_REVISION,
    LANE,
    REQUEST,
)
from hookengine.store.records.filtering import Condition, conditions, seen_by
from hookengine.store.records.values import time
from hookengine.store.records.waiting import next_try, waits_for
from hookengine.store.records.wanted import Page, Seen, Wanted

T = TypeVar("T")

_LAST_ID = "dlv_g"
"""Above every id."""


def listed(connection: Connection, wanted: Wanted, page: Page) -> list[views.Delivery]:
    """Newest first."""
    before = _LAST_ID if page.before is None else page.before
    query = _with_all_around(DELIVERY.c.id < before, *conditions(connection, wanted))
    rows = connection.execute(query.order_by(DELIVERY.c.id.desc()).limit(page.limit)).all()
    return [shown(row) for row in rows]


def those(connection: Connection, *of_which: Condition, limit: int) -> list[views.Delivery]:
    """Newest first."""
    query = _with_all_around(*of_which).order_by(DELIVERY.c.id.desc()).limit(limit)
    return [shown(row) for row in connection.execute(query)]


def counted(connection: Connection, wanted: Wanted, up_to: str, most: int) -> int:
    """How many there are up to this one; `most` stands for that many or more."""
    found = (
        _joined(select(DELIVERY.c.id))
        .where(DELIVERY.c.id <= up_to, *conditions(connection, wanted))
        .limit(most)
        .subquery()
    )
    return int(connection.execute(select(func.count()).select_from(found)).scalar_one())


def following(connection: Connection, wanted: Wanted, after: str, up_to: str, limit: int) -> list[str]:
    """The ids of those after this one, the oldest first."""
    query = (
        _joined(select(DELIVERY.c.id))
        .where(DELIVERY.c.id > after, DELIVERY.c.id <= up_to, *conditions(connection, wanted))
        .order_by(DELIVERY.c.id)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def newest(connection: Connection) -> str:
    """The highest id; an empty text if there is none."""
    found = connection.scalar(select(func.max(DELIVERY.c.id)))
    return "" if found is None else str(found)


def one(connection: Connection, delivery_id: str, seen: Seen = None) -> views.DeliveryDetails:
    """With its request and its attempts. Raises NotFound."""
    row = connection.execute(
        _with_all_around(DELIVERY.c.id == delivery_id, *seen_by(seen)).add_columns(
            select(REQUEST.c.document)
            .where(REQUEST.c.id == DELIVERY.c.request_id)
            .scalar_subquery()
            .label("request")
        )
    ).one_or_none()
    if row is None:
        raise NotFound("delivery", delivery_id)
    return {
        **shown(row),
        "request": None if row.request is None else _request(row).shown(),
        "attempts": _attempts(connection, delivery_id),
    }


def _request(row: Row[Any]) -> RenderedRequest:
    """A check shares the document of what it checks."""
    request = RenderedRequest.from_json(row.request)
    asks = request.confirming if row.part == CHECK else None
    return request if asks is None else asks.request


def attempts(connection: Connection, delivery_id: str, seen: Seen = None) -> list[views.Attempt]:
    """In order. Raises NotFound."""
    known = _joined(select(DELIVERY.c.id)).where(DELIVERY.c.id == delivery_id, *seen_by(seen))
    if connection.scalar(known) is None:
        raise NotFound("delivery", delivery_id)
    return _attempts(connection, delivery_id)


def shown(row: Row[Any]) -> views.Delivery:
    answer = json.loads(row.answer) if row.answer else {}
    detail = json.loads(row.detail) if row.detail else {}
    hook = json.loads(row.hook) if row.hook else {}
    return {
        "id": row.id,
        "status": row.status,
        "because": row.because,
        "event": {"id": id_in(row.event_id), "type": row.type},
        "action": answer.get("action"),
        "hook": {"id": row.hook_id, "name": hook.get("name"), "version": row.hook_revision},
        "part": _part(hook.get("before") or (), row.part),
        "host": row.host,
        "lane": None if row.lane_id is None else {"key": row.key, "policy": row.policy},
        "sha": row.sha,
        "attempts_made": row.attempts,
        "last_outcome": _last_outcome(row),
        "last_code": detail.get("status") if row.outcome == "Answered" else None,
        "waits_for": waits_for(row),
        "next_attempt_at": time(next_try(row)),
        "superseded_by": row.superseded_by,
        "repair_of": row.repair_of,
        "check": row.part == CHECK,
        "replay_of": row.replay_of,
        "accepted_at": time(row.accepted_at),
        "ended_at": time(row.ended_at),
    }


def _part(before: Sequence[dict[str, Any]], part: int) -> views.Part | None:
    """Which of the hook's requests it is; None if it makes one only."""
    if not before or part < 0:
        return None
    name = before[part]["name"] if part < len(before) else ""
    return {"number": part + 1, "of": len(before) + 1, "name": name}


def _last_outcome(row: Row[Any]) -> OutcomeWord | None:
    """What could not be rendered takes no lane and has no attempt."""
    return "unrenderable" if row.lane_id is None else _word(OUTCOMES, row.outcome)


def _word(words: Mapping[str, T], name: str | None) -> T | None:
    return None if name is None else words[name]


def _with_all_around(*of_which: Condition) -> Select[Any]:
    query = select(
        *DELIVERY.c,
        EVENT.c.type,
        EVENT.c.answer,
        HOOK_REVISION.c.document.label("hook"),
        LANE.c.key,
        LANE.c.policy,
        LANE.c.sha,
        LANE.c.head_id,
        LANE.c.due_at,
        LANE.c.waits_for,
        GATE.c.trips,
        GATE.c.open_at,
        HOOK.c.state.label("hook_state"),
        HOOK.c.because.label("hook_because"),
        ATTEMPT.c.outcome,
        ATTEMPT.c.detail,
    )
    around = _joined(query).outerjoin(GATE, GATE.c.key == LANE.c.waits_for)
    return around.outerjoin(HOOK, HOOK.c.id == DELIVERY.c.hook_id).where(*of_which)


def _joined(query: Select[Any]) -> Select[Any]:
    return query.select_from(
        DELIVERY.outerjoin(LANE, LANE.c.id == DELIVERY.c.lane_id)
        .outerjoin(EVENT, EVENT.c.id == DELIVERY.c.event_id)
        .outerjoin(ACTION, ACTION.c.first_seq == EVENT.c.action_seq)
        .outerjoin(
            ATTEMPT,
            (ATTEMPT.c.delivery_id == DELIVERY.c.id) & (ATTEMPT.c.number == DELIVERY.c.attempts),
        )
        .outerjoin(
            HOOK_REVISION,
            (HOOK_REVISION.c.hook_id == DELIVERY.c.hook_id)
            & (HOOK_REVISION.c.revision == DELIVERY.c.hook_revision),
        )
    )


def _attempts(connection: Connection, delivery_id: str) -> list[views.Attempt]:
    query = select(ATTEMPT).where(ATTEMPT.c.delivery_id == delivery_id).order_by(ATTEMPT.c.number)
    rows: Sequence[Row[Any]] = connection.execute(query).all()
    return [
        {
            "number": row.number,
            "started_at": time(row.started_at),
            "finished_at": time(row.finished_at),
            "outcome": _word(OUTCOMES, row.outcome),
            "detail": json.loads(row.detail) if row.detail else None,
            "certainty": row.certainty,
            "verdict": _word(VERDICTS, row.verdict),
            "because": row.because,
            "next_attempt_at": time(row.next_at),
            "closed_by": row.closed_by,
            "late_outcome": _word(OUTCOMES, row.late_outcome),
            "node": row.node,
        }
        for row in rows
    ]
