"""Calls that share a transaction come to what they would come to one after the other, whatever they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookengine.errors import EventConflict, StaleContext
from hookengine.store.books.asks import Claim
from hookengine.store.calls import Claimed, Ending, Finished, Intake, Leased
from hookengine.store.sqlite.transactions import run_group
from tests.contract.conftest import (
    Look,
    Seats,
    terms,
)
from tests.unit.store.worlds import BEFORE, TOGETHER, new_world


def _plain(result: Any) -> Any:
    """What it says, without names that are made up. What waits depends on what came after it."""
    if isinstance(result, Exception):
        assert isinstance(result, EventConflict | StaleContext), "no other is a caller's fault"
        return type(result), str(result)
    if isinstance(result, Finished):
        result = replace(result, repair_id=result.repair_id and "a repair", waits=False)
    if isinstance(result, Finished | Intake):
        return replace(result, endings=_plain(result.endings))
    return tuple(map(_plain_ending, result)) if isinstance(result, tuple) else result


def _plain_ending(ending: Ending) -> Ending:
    named = len(ending.delivery_id) == len("dlv_000")
    return ending if named else replace(ending, delivery_id="a repair")


drawn = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(before=BEFORE, together=TOGETHER)
@drawn
def test_a_group_comes_to_what_its_calls_come_to_one_after_the_other(
    defined: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    before: list[tuple[Any, ...]],
    together: list[tuple[Any, ...]],
) -> None:
    monkeypatch.setattr("random.random", lambda: 0.5)  # it spreads the breaks of circuits
    world = new_world(defined, tmp_path_factory.mktemp("group"), before)
    other = world.copy()
    asks = world.asks(together)

    grouped = run_group(world.connection, asks)
    alone = [result for ask in asks for result in run_group(other.connection, [ask])]

    assert [_plain(result) for result in grouped] == [_plain(result) for result in alone]
    assert world.tables() == other.tables()
    Look(world).check()
    world.connection.close()
    other.connection.close()


@given(before=BEFORE, together=TOGETHER, place=st.integers(0, 10), free=st.integers(0, 4))
@drawn
def test_leases_of_a_group_are_granted_once_each_and_sit_where_room_was(
    defined: Path,
    tmp_path_factory: pytest.TempPathFactory,
    before: list[tuple[Any, ...]],
    together: list[tuple[Any, ...]],
    place: int,
    free: int,
) -> None:
    world = new_world(defined, tmp_path_factory.mktemp("leases"), before)
    room = Seats(free)
    asks = world.asks(together, room)
    asks.insert(place % (len(asks) + 1), Claim(world.now, terms(room=room)))
    tokens = "SELECT token FROM lane WHERE token IS NOT NULL"
    earlier = {row["token"] for row in world.rows(tokens)}

    results = run_group(world.connection, asks)

    granted = [leased for result in results for leased in _granted(result)]
    later = {row["token"] for row in world.rows(tokens)}
    assert sorted(leased.token for leased in granted) == sorted(later - earlier)
    assert sorted(room.taken) == sorted(leased.seat for leased in granted)
    Look(world).check()
    world.connection.close()


def _granted(result: Any) -> Sequence[Leased]:
    if isinstance(result, Intake | Claimed):
        return result.leased
    following = result.following if isinstance(result, Finished) else None
    return () if following is None else (following,)
