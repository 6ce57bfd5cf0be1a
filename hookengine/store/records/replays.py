"""Replays of many, as they stand."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from sqlalchemy import Connection, select

from hookengine.domain import replay_views
from hookengine.domain.replay import Replay
from hookengine.errors import NotFound
from hookengine.store.cold.replays import replay_from
from hookengine.store.cold.tables import REPLAY
from hookengine.store.records.values import time
from hookengine.store.records.wanted import Page, Seen, Wanted

_AT_ONCE = 200
_LAST_ID = "rpl_g"
"""Above every id."""


def listed(connection: Connection, page: Page, seen: Seen = None) -> list[replay_views.Replay]:
    """Newest first."""
    return [shown(replay) for replay in islice(_seen_ones(connection, page.before, seen), page.limit)]


def _seen_ones(connection: Connection, before: str | None, seen: Seen) -> Iterator[Replay]:
    place = _LAST_ID if before is None else before
    while True:
        query = select(REPLAY).where(REPLAY.c.id < place).order_by(REPLAY.c.id.desc()).limit(_AT_ONCE)
        found = [replay_from(row) for row in connection.execute(query).all()]
        yield from (replay for replay in found if _is_seen(replay, seen))
        if len(found) < _AT_ONCE:
            return
        place = found[-1].id


def one(connection: Connection, replay_id: str, seen: Seen) -> replay_views.Replay:
    """Raises NotFound."""
    row = connection.execute(select(REPLAY).where(REPLAY.c.id == replay_id)).one_or_none()
    if row is None or not _is_seen(replay_from(row), seen):
        raise NotFound("replay", replay_id)
    return shown(replay_from(row))


def shown(replay: Replay) -> replay_views.Replay:
    wanted = Wanted.from_json(replay.wanted)
    return {
        "id": replay.id,
        "state": replay.state,
        "mode": replay.mode,
        "wanted": {**wanted.shown(), "since": time(wanted.since), "until": time(wanted.until)},
        "per_minute": replay.per_minute,
        "total": replay.total,
        "replayed": replay.replayed,
        "refused": replay.refused,
        "problems": list(replay.problems),
        "created_at": time(replay.created_at),
        "ended_at": time(replay.ended_at),
    }


def _is_seen(replay: Replay, seen: Seen) -> bool:
    """Of those that go beyond what somebody gets to see nothing is told."""
    if seen is None:
        return True
    within = Wanted.from_json(replay.wanted).seen
    return within is not None and within <= seen
