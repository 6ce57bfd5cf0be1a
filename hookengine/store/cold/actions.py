"""Actions: ids for those that incoming hooks start, and those that nobody ended."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

from sqlalchemy import Connection, delete, exists, insert, select, update

from hookengine.domain.clock import Millis
from hookengine.store.care import FROM_THE_LONGEST, OpenPlace, Overdue
from hookengine.store.cold.tables import ACTION

FIRST_OWN_ACTION: Final = 1_000_000_000
"""Added to the ids of actions that incoming hooks start, so that they are no ids of the platform's own."""


def new_action(connection: Connection, pipeline_id: int, now: Millis) -> int:
    """Ids count up over all pipelines, from where platforms rarely are; one that is used already is skipped."""
    while True:
        first_seq = _insert_unnamed(connection, pipeline_id, now)
        action_id = FIRST_OWN_ACTION + first_seq
        if _give_id(connection, first_seq, pipeline_id, str(action_id)):
            return action_id
        connection.execute(delete(ACTION).where(ACTION.c.first_seq == first_seq))  # its number is spent


def overdue(
    connection: Connection, before: Millis, limit: int, place: OpenPlace = FROM_THE_LONGEST
) -> tuple[Overdue, ...]:
    """Actions queued or started last before then that have not ended, those longest open first."""
    since, first_seq = place
    rows = connection.execute(
        select(
            ACTION.c.pipeline_id,
            ACTION.c.action_id,
            ACTION.c.first_seq,
            ACTION.c.open_since,
            ACTION.c.context,
        )
        .where(
            ACTION.c.open_since.is_not(None),
            ACTION.c.open_since < before,
            ACTION.c.open_since >= since,
            (ACTION.c.open_since > since) | (ACTION.c.first_seq > first_seq),
        )
        .order_by(ACTION.c.open_since, ACTION.c.first_seq)
        .limit(limit)
    )
    return tuple(
        Overdue(pipeline_id=row[0], action_id=row[1], first_seq=row[2], open_since=row[3], context=row[4])
        for row in rows
    )


def _insert_unnamed(connection: Connection, pipeline_id: int, now: Millis) -> int:
    """An action with an id that nobody uses; its `first_seq`."""
    values = {
        "pipeline_id": pipeline_id,
        "action_id": f"?{uuid4().hex}",
        "revision": 0,
        "context": "{}",
        "updated_at": now,
    }
    return int(connection.execute(insert(ACTION).values(values).returning(ACTION.c.first_seq)).scalar_one())


def _give_id(connection: Connection, first_seq: int, pipeline_id: int, action_id: str) -> bool:
    """Whether the id was free."""
    other = ACTION.alias("other")
    taken = exists().where(other.c.pipeline_id == pipeline_id, other.c.action_id == action_id)
    given = connection.execute(
        update(ACTION).where(ACTION.c.first_seq == first_seq, ~taken).values(action_id=action_id)
    )
    return given.rowcount == 1
