"""Actions: what is remembered of them, their events and deliveries, and what their targets show now."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from hookengine.domain import views
from hookengine.errors import InvalidQuery, NotFound
from hookengine.store.cold.tables import ACTION, DELIVERY, EVENT, LANE, PIPELINE
from hookengine.store.records import deliveries, events, lanes
from hookengine.store.records.filtering import pipelines_called, seen_by
from hookengine.store.records.values import cut, inside, time
from hookengine.store.records.wanted import Page, Seen

_LAST = (1 << 63) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedActions:
    """Every field that is set must match. `status` is what their events say of them, such as in-progress."""

    pipeline: str | None = None
    status: str | None = None


def listed(
    connection: Connection, wanted: WantedActions, page: Page, seen: Seen = None
) -> list[tuple[str, views.Action]]:
    """Those heard of last first, each with where a list can go on."""
    query = _query().where(ACTION.c.first_seq < _place(page.before), ACTION.c.revision > 0, *seen_by(seen))
    if wanted.pipeline is not None:
        query = query.where(ACTION.c.pipeline_id.in_(pipelines_called([wanted.pipeline], seen)))
    if wanted.status is not None:
        query = query.where(inside(connection, ACTION.c.context, "action", "status") == wanted.status)
    rows = connection.execute(query.order_by(ACTION.c.first_seq.desc()).limit(page.limit))
    return [(str(row.first_seq), shown(row)) for row in rows]


def one(
    connection: Connection, action_id: str, pipeline: str | None, seen: Seen = None
) -> views.ActionDetails:
    """Its history. Raises NotFound, and InvalidQuery where several pipelines have one of this id."""
    of_pipelines: Any = select(PIPELINE.c.id) if pipeline is None else pipelines_called([pipeline], seen)
    rows = connection.execute(
        _query().where(
            ACTION.c.pipeline_id.in_(of_pipelines), ACTION.c.action_id == action_id, *seen_by(seen)
        )
    ).all()
    if not rows:
        raise NotFound("action", action_id)
    if len(rows) > 1:
        names = ", ".join(sorted(str(row.name) for row in rows))
        raise InvalidQuery(
            {"pipeline": [f"Several pipelines have an action {action_id}: say which, of {names}."]}
        )
    row = rows[0]
    of_action = DELIVERY.c.event_id.in_(select(EVENT.c.id).where(EVENT.c.action_seq == row.first_seq))
    owed = deliveries.those(connection, of_action, limit=events.MOST_DELIVERIES + 1)
    told = events.of_action(connection, row.first_seq)
    touched = select(DELIVERY.c.lane_id).where(of_action, DELIVERY.c.lane_id.is_not(None))
    targets = lanes.described(connection, LANE.c.id.in_(touched), seen=seen)
    return {
        **shown(row),
        "context": json.loads(row.context),
        "events": told[: events.MOST_EVENTS],
        "deliveries": owed[: events.MOST_DELIVERIES],
        "targets": targets[: lanes.MOST_LANES],
        "more": cut(
            events=(told, events.MOST_EVENTS),
            deliveries=(owed, events.MOST_DELIVERIES),
            targets=(targets, lanes.MOST_LANES),
        ),
    }


def shown(row: Row[Any]) -> views.Action:
    action = json.loads(row.context).get("action", {})
    return {
        "id": action.get("id", row.action_id),
        "pipeline": {"id": row.pipeline_id, "name": row.name},
        "type": action.get("type"),
        "status": action.get("status"),
        "number": action.get("number"),
        "open_since": time(row.open_since),
        "updated_at": time(row.updated_at),
    }


def _query() -> Select[Any]:
    return select(ACTION, PIPELINE.c.name).outerjoin(PIPELINE, PIPELINE.c.id == ACTION.c.pipeline_id)


def _place(before: str | None) -> int:
    if before is None:
        return _LAST
    if not (before.isascii() and before.isdigit() and len(before) < 19):
        raise InvalidQuery({"before": ["This is not where a list has ended: give the `next` of one."]})
    return int(before)
