"""Replays of many, as they stand."""

from __future__ import annotations

from sqlalchemy import Connection, select

from hookengine.domain import views
from hookengine.domain.replay import Replay
from hookengine.errors import NotFound
from hookengine.store.cold.replays import replay_from
from hookengine.store.cold.tables import REPLAY
from hookengine.store.records.values import time
from hookengine.store.records.wanted import Seen, Wanted

MOST = 200


def listed(connection: Connection, seen: Seen) -> list[views.Replay]:
    """Newest first, the last ones."""
    rows = connection.execute(select(REPLAY).order_by(REPLAY.c.id.desc()).limit(MOST))
    found = [replay_from(row) for row in rows]
    return [shown(replay) for replay in found if _is_seen(replay, seen)]


def one(connection: Connection, replay_id: str, seen: Seen) -> views.Replay:
    """Raises NotFound."""
    row = connection.execute(select(REPLAY).where(REPLAY.c.id == replay_id)).one_or_none()
    if row is None or not _is_seen(replay_from(row), seen):
        raise NotFound("replay", replay_id)
    return shown(replay_from(row))


def shown(replay: Replay) -> views.Replay:
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
