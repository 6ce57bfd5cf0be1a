"""Replays of many: kept until they have ended, and a while longer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, insert, select, text, update

from hookengine.domain.clock import Millis
from hookengine.domain.replay import MOST_PROBLEMS, MOVES, Replay, ReplayMode, ReplayState, ReplayStep
from hookengine.errors import NotFound, ReplayRefused
from hookengine.store.cold.tables import REPLAY

_RUNNING = text("replay.state = 'running'")
"""Written out, as its index is."""


def begin(connection: Connection, replay: Replay, now: Millis) -> None:
    """The same one again changes nothing."""
    if connection.scalar(select(REPLAY.c.id).where(REPLAY.c.id == replay.id)) is not None:
        return
    values = {**asdict(replay), "problems": json.dumps(replay.problems), "due_at": now}
    connection.execute(insert(REPLAY).values(values))


def take_due(connection: Connection, now: Millis, until: Millis) -> Replay | None:
    """The one due longest, for whoever asks: for others it is due again only then."""
    due = (
        select(REPLAY)
        .where(_RUNNING, REPLAY.c.due_at <= now)
        .order_by(REPLAY.c.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = connection.execute(due).one_or_none()
    if row is None:
        return None
    connection.execute(update(REPLAY).where(REPLAY.c.id == row.id).values(due_at=until))
    return replay_from(row)


def advance(connection: Connection, replay: Replay, step: ReplayStep, now: Millis) -> None:
    """Counted once: what another node has counted meanwhile from the same place on is not counted again."""
    changes: Mapping[str, Any] = {
        "place": step.place,
        "replayed": REPLAY.c.replayed + step.replayed,
        "refused": REPLAY.c.refused + step.refused,
        "problems": json.dumps((*replay.problems, *step.problems)[-MOST_PROBLEMS:]),
        "due_at": step.due_at,
    }
    here = (REPLAY.c.id == replay.id) & (REPLAY.c.place == replay.place)
    connection.execute(update(REPLAY).where(here).values(changes))
    if step.finished:
        ended = {"state": str(ReplayState.FINISHED), "ended_at": now}
        connection.execute(update(REPLAY).where(REPLAY.c.id == replay.id, _RUNNING).values(ended))


def switch(connection: Connection, replay_id: str, state: ReplayState, now: Millis) -> None:
    """Raises NotFound, and ReplayRefused for one that has ended. What it is already it stays."""
    found = select(REPLAY).where(REPLAY.c.id == replay_id).with_for_update()
    row = connection.execute(found).one_or_none()
    if row is None:
        raise NotFound("replay", replay_id)
    was = ReplayState(row.state)
    if was is state:
        return
    if state not in MOVES[was]:
        raise ReplayRefused(f"replay {replay_id} is {was}: it cannot become {state}")
    ended = None if MOVES[state] else now
    changed = update(REPLAY).where(REPLAY.c.id == replay_id)
    connection.execute(changed.values(state=str(state), due_at=now, ended_at=ended))


def replay_from(row: Row[Any]) -> Replay:
    return Replay(
        id=row.id,
        mode=ReplayMode(row.mode),
        wanted=row.wanted,
        per_minute=row.per_minute,
        up_to=row.up_to,
        total=row.total,
        created_at=row.created_at,
        state=ReplayState(row.state),
        replayed=row.replayed,
        refused=row.refused,
        problems=tuple(json.loads(row.problems)),
        place=row.place,
        ended_at=row.ended_at,
    )
