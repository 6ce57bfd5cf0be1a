"""What was deployed around a moment: for those who look for the cause of an alert."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, Row, select, text

from hookengine.domain import views
from hookengine.domain.clock import Millis
from hookengine.domain.documents import pipeline_from_json
from hookengine.domain.event import id_in
from hookengine.domain.pipeline import Pipeline
from hookengine.errors import InvalidQuery
from hookengine.store.cold.tables import ACTION, EVENT, PIPELINE
from hookengine.store.records.filtering import Condition, seen_by
from hookengine.store.records.values import time
from hookengine.store.records.wanted import Seen

CHANGES: Final = frozenset({"deploy", "deployment", "release", "merge", "push", "rollback"})
"""Types of actions that change what runs."""

_ENDED: Final = text(
    "(event.type = 'action.completed' OR event.type = 'action.failed' OR event.type = 'action.cancelled'"
    " OR event.type = 'action.timed_out')"
)
"""Written out, as its index is in SQLite."""

_AT_ONCE: Final = 500
_PLACE: Final = re.compile(r"(?P<at>-?[0-9]{1,15})\.(?P<occurred>-?[0-9]{1,15})\.(?P<event>.+)")
_Before = tuple[Millis, str]
"""When the last one shown occurred, and its event's key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What ended from `window` before `at` until `window` after it, newest first; `team` is the alert's.

    `types`: of which types of actions; empty: of those that change what runs. `before` is the `next` of the list
    that this one goes on with, and has that one's `at`.
    """

    at: Millis
    window: Millis
    team: str | None = None
    types: Collection[str] = ()
    limit: int = 100
    before: str | None = None


def around(connection: Connection, asked: Around, seen: Seen = None) -> views.Deployments:
    """Of everybody, until the team owns a pipeline: from then on its own count, and only they. A team whose
    pipelines are not `seen` looks like one that owns none. Raises InvalidQuery for a `before` that is none."""
    asked, before = _begun(asked)
    pipelines = _pipelines(connection)
    own = {
        key
        for key, pipeline in pipelines.items()
        if asked.team and pipeline.team == asked.team and (seen is None or key in seen)
    }
    wanted = frozenset(asked.types) or CHANGES
    items: list[tuple[_Before, views.Deployment]] = []
    while len(items) <= asked.limit:
        rows = _rows(connection, asked, [*seen_by(seen), *seen_by(frozenset(own) or None)], before)
        places = [(row.occurred_at, row.id) for row in rows]
        found = [_shown(row, pipelines.get(row.pipeline_id), asked.at) for row in rows]
        items += [each for each in zip(places, found, strict=True) if each[1]["action"]["type"] in wanted]
        if len(rows) < _AT_ONCE:
            break
        before = places[-1]
    return {
        "scope": "team" if own else "account",
        "from": time(asked.at - asked.window),
        "to": time(asked.at + asked.window),
        "items": [item for _, item in items[: asked.limit]],
        "next": _place(asked.at, *items[asked.limit - 1][0]) if len(items) > asked.limit else None,
    }


def _place(at: Millis, occurred: Millis, event_key: str) -> str:
    return f"{at}.{occurred}.{event_key}"


def _begun(asked: Around) -> tuple[Around, _Before | None]:
    if asked.before is None:
        return asked, None
    place = _PLACE.fullmatch(asked.before)
    if place is None:
        raise InvalidQuery({"before": ["This is not where a list has ended: give the `next` of one."]})
    return replace(asked, at=int(place["at"])), (int(place["occurred"]), place["event"])


def _pipelines(connection: Connection) -> Mapping[int, Pipeline]:
    found = [
        pipeline_from_json(document) for document in connection.execute(select(PIPELINE.c.document)).scalars()
    ]
    return {pipeline.id: pipeline for pipeline in found}


def _rows(
    connection: Connection, asked: Around, whose: Sequence[Condition], before: _Before | None
) -> list[Row[Any]]:
    occurred = EVENT.c.occurred_at
    query = (
        select(EVENT, ACTION.c.pipeline_id, ACTION.c.action_id, ACTION.c.context)
        .join(ACTION, ACTION.c.first_seq == EVENT.c.action_seq)
        .where(
            _ENDED,
            occurred >= asked.at - asked.window,
            occurred <= asked.at + asked.window,
            *whose,
        )
        .order_by(occurred.desc(), EVENT.c.id.desc())
        .limit(_AT_ONCE)
    )
    if before is not None:
        at, event_id = before
        query = query.where((occurred < at) | ((occurred == at) & (EVENT.c.id < event_id)))
    return list(connection.execute(query).all())


def _shown(row: Row[Any], pipeline: Pipeline | None, at: Millis) -> views.Deployment:
    """`seconds_before` is negative for what came after."""
    context = json.loads(row.context)
    action = context.get("action", {})
    of_pipeline = pipeline or Pipeline(id=row.pipeline_id, name="")
    return {
        "event": {"id": id_in(row.id), "type": row.type},
        "action": {
            "id": action.get("id", row.action_id),
            "type": action.get("type", of_pipeline.operation),
            "status": row.type.partition(".")[2],
        },
        "pipeline": {"id": of_pipeline.id, "name": of_pipeline.name},
        "team": of_pipeline.team or None,
        "application": of_pipeline.application or _name(context, "application"),
        "environment": of_pipeline.environment or _name(context, "environment"),
        "occurred_at": time(row.occurred_at),
        "seconds_before": (at - row.occurred_at) / 1000,
    }


def _name(context: Mapping[str, Any], key: str) -> Any:
    value = context.get(key)
    return value.get("name") if isinstance(value, dict) else None
