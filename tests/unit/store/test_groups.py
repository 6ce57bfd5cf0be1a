"""Calls that share a transaction: which fail alone, who is told what, who gets the lease."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hookengine.domain.hook import LanePolicy
from hookengine.errors import EventConflict, NotFound, StaleContext
from hookengine.store.books import steps
from hookengine.store.books.asks import Accept, Cancel, Claim, Finish
from hookengine.store.calls import Finished, Intake
from hookengine.store.sqlite.rows import STEPS
from hookengine.store.sqlite.transactions import run_group
from tests.conftest import NOW
from tests.contract.conftest import (
    NO_LEASE,
    Look,
    Seats,
    delivered,
    owed,
    terms,
    try_again,
)
from tests.unit.store.worlds import TYPES, World, new_world


@pytest.fixture
def world(defined: Path, tmp_path: Path) -> Iterator[World]:
    world = new_world(defined, tmp_path, [])
    yield world
    world.connection.close()


def _owed(name: str, **changes: Any) -> Accept:
    return Accept([owed(name, **{"action_id": name, "lane_key": name, **changes})], NOW, NO_LEASE)


def test_calls_that_cannot_be_fail_alone(world: World) -> None:
    run_group(world.connection, [_owed("known")])
    conflict = Accept([replace(_owed("known").events[0], digest="another body")], NOW, NO_LEASE)
    stale = Accept([replace(_owed("stale").events[0], known_revision=7)], NOW, NO_LEASE)
    both = Accept([*_owed("half").events, *conflict.events], NOW, NO_LEASE)
    unknown = Cancel("dlv_none", "", NOW, NO_LEASE)

    results = run_group(world.connection, [_owed("a"), conflict, stale, both, unknown, _owed("b")])

    assert [type(result) for result in results] == [
        *(Intake, EventConflict, StaleContext, EventConflict, NotFound, Intake)
    ]
    assert sorted(Look(world).statuses()) == ["dlv_a", "dlv_b", "dlv_known"]


def test_a_call_whose_rows_contradict_each_other_fails_alone(world: World) -> None:
    asks = [_owed(name) for name in ("bad", "good")]
    bad, good = (replace(ask, terms=terms()) for ask in asks)
    leases = [result.leased[0] for result in run_group(world.connection, [bad, good])]
    world.connection.execute("UPDATE delivery SET status = 'delivered', ended_at = 1 WHERE id = 'dlv_bad'")

    results = run_group(
        world.connection,
        [Finish(delivered(leased, NOW), NOW, NO_LEASE) for leased in leases] + [_owed("other")],
    )

    assert [type(result) for result in results] == [ValueError, Finished, Intake]
    assert Look(world).statuses() == {"dlv_bad": "delivered", "dlv_good": "delivered", "dlv_other": "queued"}
    assert Look(world).lane("bad")["token"] == leases[0].token


def test_a_lane_another_call_has_to_do_with_is_not_given_up_behind_its_back(world: World) -> None:
    lane = {"lane_key": "chat", "policy": LanePolicy.ORDERED}
    run_group(world.connection, [_owed("bad", **lane)])
    world.connection.execute("DELETE FROM delivery")

    accepted, claimed = run_group(
        world.connection, [replace(_owed("next", **lane), terms=terms()), Claim(NOW, terms())]
    )

    assert isinstance(accepted, KeyError)
    assert claimed.stuck == (Look(world).lane("chat")["id"],)
    assert Look(world).count("event") == 1


def test_the_same_event_in_two_calls_is_accepted_once_and_told_the_same(world: World) -> None:
    first, second = run_group(world.connection, [_owed("a"), _owed("a")])

    assert [result.accepted[0].fresh for result in (first, second)] == [True, False]
    assert first.accepted[0].answer == second.accepted[0].answer


def test_two_events_of_an_action_that_were_rendered_from_the_same_context_do_not_both_count(
    world: World,
) -> None:
    first, second = run_group(world.connection, [_owed("a", action_id=1), _owed("b", action_id=1)])

    assert isinstance(first, Intake)
    assert isinstance(second, StaleContext)


@pytest.mark.parametrize("cancelled", range(1, 8))
def test_however_many_are_cancelled_together_the_next_one_is_head(world: World, cancelled: int) -> None:
    lane = {"lane_key": "chat", "policy": LanePolicy.ORDERED}
    for number in range(8):
        run_group(world.connection, [_owed(f"n_{number}", **lane)])

    run_group(
        world.connection, [Cancel(f"dlv_n_{number}", "no more", NOW, NO_LEASE) for number in range(cancelled)]
    )

    assert Look(world).lane("chat")["head_id"] == f"dlv_n_{cancelled}"
    Look(world).check()


def test_of_several_states_that_come_together_the_newest_is_sent_and_told_to_who_brought_it(
    world: World,
) -> None:
    room = Seats(5)
    states = [
        replace(_owed(name, lane_key="status", type=TYPES[rank]), terms=terms(room=room))
        for rank, name in enumerate("abc")
    ]

    results = run_group(world.connection, states)

    assert [[leased.delivery_id for leased in result.leased] for result in results] == [[], [], ["dlv_c"]]
    assert [[ending.delivery_id for ending in result.endings] for result in results] == [
        *([], ["dlv_a"], ["dlv_b"])
    ]
    assert len(room.taken) == 1


def test_a_result_tells_what_became_of_its_delivery_and_a_later_call_what_ended_it(world: World) -> None:
    accepted = replace(_owed("a", lane_key="status"), terms=terms())
    leased = run_group(world.connection, [accepted])[0].leased[0]

    finished, intake = run_group(
        world.connection,
        [Finish(try_again(leased, NOW), NOW, NO_LEASE), _owed("b", lane_key="status")],
    )

    assert (finished.status, finished.endings) == ("retrying", ())
    assert [ending.delivery_id for ending in intake.endings] == ["dlv_a"]


def test_what_a_result_lets_follow_goes_to_the_last_call_that_had_to_do_with_its_lane(world: World) -> None:
    lane = {"lane_key": "chat", "policy": LanePolicy.ORDERED}
    room = Seats(5)
    leased = run_group(world.connection, [replace(_owed("a", **lane), terms=terms(room=room))])[0].leased[0]

    finished, intake = run_group(
        world.connection,
        [
            Finish(delivered(leased, NOW), NOW, terms(room=room)),
            replace(_owed("b", **lane), terms=terms(room=room)),
        ],
    )

    assert (finished.status, finished.following) == ("delivered", None)
    assert [leased.delivery_id for leased in intake.leased] == ["dlv_b"]


def test_of_two_claims_the_first_gets_what_is_due_and_the_second_is_told_to_look_again(world: World) -> None:
    run_group(world.connection, [_owed("a"), _owed("b")])

    first, second = run_group(world.connection, [Claim(NOW, terms()), Claim(NOW, terms())])

    assert (len(first.leased), len(second.leased), second.more) == (2, 0, True)


def test_lanes_set_aside_for_what_does_not_give_way_are_not_looked_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused = [_owed(f"n_{number}", hook_id="paused") for number in range(5)]
    run_group(world.connection, paused)
    run_group(world.connection, [Claim(NOW, terms())])
    taken: list[type] = []
    for step, take in STEPS.items():
        monkeypatch.setitem(
            STEPS,
            step,
            lambda connection, asked, take=take: taken.append(type(asked)) or take(connection, asked),
        )

    (claimed,) = run_group(world.connection, [Claim(NOW, terms())])

    assert (claimed.leased, claimed.more) == ((), False)
    assert taken == [steps.LockDue, steps.WaitedFor, steps.Write]


def test_a_transaction_leaves_nothing_behind_for_the_collector(world: World) -> None:
    run_group(world.connection, [Claim(NOW, terms())])  # what is made once is made
    gc.collect()
    gc.disable()
    try:
        (intake,) = run_group(world.connection, [replace(_owed("a"), terms=terms())])
        run_group(world.connection, [Finish(delivered(intake.leased[0], NOW), NOW, terms()), _owed("b")])
        run_group(world.connection, [Claim(NOW, terms())])

        assert gc.collect() == 0
    finally:
        gc.enable()
