"""What all nodes know of hosts and credentials decides who may go: circuits, pauses and rates."""

from __future__ import annotations

from typing import Any

import pytest

from hookengine.domain.attempt import Accept, Answered, Certainty
from hookengine.domain.gate import FIRST_BREAK, TRIP_AFTER
from hookengine.domain.hook import LanePolicy
from hookengine.store.calls import Claimed, Finished, Leased, LeaseTerms, Notice, NoticeKind, Report
from hookengine.store.contract import Store
from tests.conftest import NOW
from tests.contract.conftest import (
    LEASE,
    NO_LEASE,
    SECOND,
    Look,
    accept,
    delivered,
    owed,
    refused,
    terms,
    try_again,
)

pytestmark = pytest.mark.anyio

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
HOST = "target.example"


async def _owe(store: Store, *names: str, now: int = NOW, **changes: Any) -> None:
    """Each in a lane of its own, left due."""
    events = [owed(name, **{"action_id": name, "lane_key": name, **changes}) for name in names]
    await accept(store, *events, now=now)


async def _leased(store: Store, name: str, now: int = NOW, **changes: Any) -> Leased:
    event = owed(name, **{"action_id": name, "lane_key": name, **changes})
    (leased,) = (await accept(store, event, now=now, terms=terms())).leased
    return leased


async def _fail(store: Store, leased: Leased, now: int) -> Finished:
    """Nobody was there; it will be tried again in an hour."""
    return await store.finish(try_again(leased, now, after=HOUR), now, NO_LEASE)


async def _trip(store: Store, now: int = NOW) -> Finished:
    """What the last of the failures came to that open the circuit."""
    leased = [await _leased(store, f"failing_{number}", now) for number in range(TRIP_AFTER)]
    return [await _fail(store, one, now) for one in leased][-1]


async def _after_the_break(store: Store, now: int = NOW) -> int:
    opens = await store.next_due(now)
    assert opens is not None
    assert now + FIRST_BREAK <= opens <= now + 2 * FIRST_BREAK
    return opens


def _names(claimed: Claimed) -> set[str]:
    return {leased.delivery_id.removeprefix("dlv_") for leased in claimed.leased}


# A host's circuit


async def test_failures_in_a_row_open_the_circuit_of_their_host_and_are_told_once(store: Store) -> None:
    leased = [await _leased(store, f"failing_{number}") for number in range(TRIP_AFTER + 2)]

    told = [(await _fail(store, one, NOW)).notices for one in leased]

    notice = Notice(kind=NoticeKind.CIRCUIT_OPENED, subject=HOST, because="later")
    assert told == [()] * (TRIP_AFTER - 1) + [(notice,), (), ()]
    assert (await store.figures(NOW)).circuits == {HOST: "open"}


async def test_what_is_for_that_host_waits_without_an_attempt_and_others_go_on(
    store: Store, look: Look
) -> None:
    await _trip(store)
    await _owe(store, "a", "b")
    await _owe(store, "elsewhere", host="other.example")

    claimed = [await store.claim(NOW + second * SECOND, terms()) for second in range(5)]

    assert [_names(one) for one in claimed] == [{"elsewhere"}, set(), set(), set(), set()]
    assert (look.attempts("dlv_a"), look.delivery("dlv_a")["status"]) == ([], "queued")
    assert look.lane("a")["waits_for"] == f"host:{HOST}"


async def test_what_comes_in_meanwhile_waits_too(store: Store, look: Look) -> None:
    await _trip(store)

    intake = await accept(store, owed("a", lane_key="a"), now=NOW, terms=terms())

    assert intake.leased == ()
    assert look.lane("a")["waits_for"] == f"host:{HOST}"
    look.check()


async def test_an_answer_of_any_kind_counts_as_being_there(store: Store) -> None:
    for number in range(3 * TRIP_AFTER):
        leased = await _leased(store, f"n_{number}")
        report = refused(leased, NOW) if number % TRIP_AFTER == 9 else try_again(leased, NOW, after=HOUR)
        assert (await store.finish(report, NOW, NO_LEASE)).notices == ()

    assert (await store.figures(NOW)).circuits == {}


async def test_after_its_break_one_request_goes_to_see(store: Store) -> None:
    await _trip(store)
    await _owe(store, "a", "b", "c")
    await store.claim(NOW, terms())
    opens = await _after_the_break(store)

    too_early = await store.claim(opens - 1, terms())
    probing = await store.claim(opens, terms())
    beside = await store.claim(opens + 1, terms())

    assert [len(one.leased) for one in (too_early, probing, beside)] == [0, 1, 0]
    assert (await store.figures(opens + 1)).circuits == {HOST: "half-open"}
    assert await store.next_due(opens + 1) == opens + LEASE


async def test_once_it_answers_all_go_at_a_rate_that_doubles(store: Store) -> None:
    await _trip(store)
    await _owe(store, *[f"n_{number:03}" for number in range(60)])
    await store.claim(NOW, terms(100))
    opens = await _after_the_break(store)
    (probe,) = (await store.claim(opens, terms(100))).leased

    closed = await store.finish(delivered(probe, opens + 1), opens + 1, NO_LEASE)
    in_seconds = [0, 0, 0, 0]
    for tenth in range(40):
        claimed = await store.claim(opens + 1 + tenth * 100, terms(100))
        in_seconds[tenth // 10] += len(claimed.leased)

    assert closed.notices == (Notice(kind=NoticeKind.CIRCUIT_CLOSED, subject=HOST, because="200"),)
    assert in_seconds == [4, 8, 16, 31]
    assert (await store.figures(NOW + MINUTE)).circuits == {}


async def test_while_it_recovers_it_is_told_when_the_next_may_go(store: Store) -> None:
    await _trip(store)
    await _owe(store, *[f"n_{number}" for number in range(9)])
    await store.claim(NOW, terms(100))
    opens = await _after_the_break(store)
    (probe,) = (await store.claim(opens, terms(100))).leased
    await store.finish(delivered(probe, opens), opens, NO_LEASE)

    claimed = await store.claim(opens, terms(100))

    assert (len(claimed.leased), claimed.more) == (4, False)
    assert await store.next_due(opens) == opens + SECOND


async def test_a_probe_that_fails_doubles_the_break_and_tells_nobody_anew(store: Store) -> None:
    await _trip(store)
    await _owe(store, "a", "b")
    await store.claim(NOW, terms())
    opens = await _after_the_break(store)
    (probe,) = (await store.claim(opens, terms())).leased

    finished = await _fail(store, probe, opens)

    again = await store.next_due(opens)
    assert finished.notices == ()
    assert again is not None
    assert opens + 2 * FIRST_BREAK <= again <= opens + 4 * FIRST_BREAK
    assert len((await store.claim(again, terms())).leased) == 1


async def test_a_probe_whose_node_died_is_followed_by_another(store: Store) -> None:
    await _trip(store)
    await _owe(store, "a", "b")
    await store.claim(NOW, terms())
    opens = await _after_the_break(store)
    (probe,) = (await store.claim(opens, terms())).leased

    claimed = await store.claim(opens + LEASE, terms())

    assert claimed.rescued == (probe.delivery_id,)
    assert len(claimed.leased) == 1


async def test_an_answer_to_what_was_under_way_closes_it_too(store: Store) -> None:
    under_way = await _leased(store, "slow")
    await _trip(store)
    await _owe(store, "a")
    await store.claim(NOW, terms())

    finished = await store.finish(delivered(under_way, NOW + 1), NOW + 1, NO_LEASE)

    assert [notice.kind for notice in finished.notices] == [NoticeKind.CIRCUIT_CLOSED]
    assert _names(await store.claim(NOW + 1, terms())) == {"a"}


# A pause its host asked for


async def test_a_pause_holds_all_lanes_of_its_credential_at_that_host_and_no_others(
    store: Store, look: Look
) -> None:
    leased = await _leased(store, "told to wait")
    await store.finish(try_again(leased, NOW, pause=30 * SECOND), NOW, NO_LEASE)
    await _owe(store, "a", "b")
    await _owe(store, "other credential", account="target.example other")
    await _owe(store, "other host", host="other.example", account="other.example token")

    at_once = await store.claim(NOW + 1, terms())
    before = await store.claim(NOW + 30 * SECOND - 1, terms())
    opens = await store.next_due(NOW + 1)
    after = await store.claim(NOW + 30 * SECOND, terms())

    assert _names(at_once) == {"other credential", "other host"}
    assert (before.leased, opens) == ((), NOW + 30 * SECOND)
    assert _names(after) == {"told to wait", "a", "b"}
    assert look.delivery("dlv_a")["attempts"] == 1


async def test_a_credential_that_is_paused_leases_nothing_that_comes_in(store: Store) -> None:
    leased = await _leased(store, "told to wait")
    await store.finish(try_again(leased, NOW, pause=MINUTE), NOW, NO_LEASE)

    intake = await accept(store, owed("a", lane_key="a"), now=NOW + 1, terms=terms())

    assert intake.leased == ()


async def test_the_next_of_a_lane_waits_for_the_pause_of_its_own_credential(store: Store, look: Look) -> None:
    first = await _leased(store, "a", lane_key="one", policy=LanePolicy.ORDERED)
    await accept(
        store,
        owed("b", action_id="b", lane_key="one", policy=LanePolicy.ORDERED, account="target.example other"),
        now=NOW,
    )
    other = await _leased(store, "x", account="target.example other")
    await store.finish(try_again(other, NOW, pause=MINUTE), NOW, NO_LEASE)

    finished = await store.finish(delivered(first, NOW + 1), NOW + 1, terms())

    assert (finished.following, finished.waits) == (None, True)
    assert look.lane("one")["waits_for"] == "account:target.example other"


# Rates


async def test_a_rate_counts_what_all_nodes_send_with_a_credential(store: Store) -> None:
    await _owe(store, *"abcdefgh", rate="3/min")
    nodes = [terms(2, node="a"), terms(2, node="b")]

    first = []
    for later, node in enumerate(nodes):
        leased = (await store.claim(NOW + later, node)).leased
        first.append(len(leased))
        for one in leased:
            await store.finish(delivered(one, NOW + later), NOW + later, NO_LEASE)
    opens = await store.next_due(NOW + 1)
    too_early = await store.claim(NOW + MINUTE - 1, terms(node="a"))
    then = await store.claim(NOW + MINUTE, terms(node="a"))  # the first two have dropped out
    one_more = await store.claim(NOW + MINUTE + 1, terms(node="b"))

    assert first == [2, 1]
    assert opens == NOW + MINUTE
    assert [len(one.leased) for one in (too_early, then, one_more)] == [0, 2, 1]


async def test_it_is_remembered_when_a_rate_lets_the_next_pass(store: Store, look: Look) -> None:
    await _owe(store, "a", "b", rate="1/min")
    (first,) = (await store.claim(NOW, terms(1))).leased
    await store.finish(delivered(first, NOW + 1), NOW + 1, NO_LEASE)

    claimed = await store.claim(NOW + SECOND, terms())

    assert claimed.leased == ()
    assert await store.next_due(NOW + SECOND) == NOW + MINUTE
    assert look.gate("account:target.example token")["open_at"] == NOW + MINUTE


async def test_a_rate_counts_what_is_sent_as_it_comes_in(store: Store) -> None:
    names = "abcde"
    events = [owed(name, action_id=name, lane_key=name, rate="3/min") for name in names]

    together = await accept(store, *events[:4], now=NOW, terms=terms())
    alone = await accept(store, events[4], now=NOW + 1, terms=terms())

    assert (len(together.leased), len(alone.leased)) == (3, 0)


async def test_a_rate_holds_one_credential_and_no_other(store: Store) -> None:
    await _owe(store, "a", "b", rate="1/min", account="target.example one")
    await _owe(store, "c", "d", rate="1/min", account="target.example two")

    claimed = await store.claim(NOW, terms())

    assert len(claimed.leased) == 2
    assert len(_names(claimed) & {"a", "b"}) == 1


async def test_what_a_rate_lets_pass_is_sent_in_any_stretch_of_its_period(store: Store) -> None:
    sent: list[int] = []
    await _owe(store, *[f"n_{number}" for number in range(12)], rate="3/min")

    now: int | None = NOW
    while now is not None and len(sent) < 12:
        sent += [now for _ in (await store.claim(now, terms(2))).leased]
        now = await store.next_due(now)
        now = None if now is None else max(now, sent[-1] + 10 * SECOND)

    assert len(sent) == 12
    assert all(later - first >= MINUTE for first, later in zip(sent, sent[3:], strict=False))


# Together


async def test_a_lane_waits_for_one_thing_after_another(store: Store, look: Look) -> None:
    await _trip(store)
    paused = await _leased(store, "told to wait", host="other.example", account="shared")
    await store.finish(try_again(paused, NOW, pause=MINUTE), NOW, NO_LEASE)
    await _owe(store, "a", account="shared")

    await store.claim(NOW, terms())
    first = look.lane("a")["waits_for"]
    opens = await _after_the_break(store)
    await store.claim(opens, terms())
    second = look.lane("a")["waits_for"]
    claimed = await store.claim(NOW + MINUTE, terms())

    assert (first, second) == (f"host:{HOST}", "account:shared")
    assert "a" in _names(claimed)


async def test_what_is_unknown_about_a_host_is_not_held_against_it(store: Store) -> None:
    for number in range(2 * TRIP_AFTER):
        leased = await _leased(store, f"n_{number}")
        blocked = try_again(leased, NOW, after=HOUR)
        finished = await store.finish(
            Report(
                token=blocked.token,
                outcome=blocked.outcome,
                certainty=blocked.certainty,
                verdict=blocked.verdict,
                finished_at=NOW,
            ),
            NOW,
            NO_LEASE,
        )
        assert finished.notices == ()


async def test_a_node_that_takes_nothing_leaves_a_half_open_circuit_to_others(store: Store) -> None:
    await _trip(store)
    await _owe(store, "a")
    await store.claim(NOW, terms())
    opens = await _after_the_break(store)

    await store.claim(opens, NO_LEASE)
    claimed = await store.claim(opens, terms())

    assert _names(claimed) == {"a"}


def _answered(leased: Leased, now: int, status: int) -> Report:
    return Report(
        token=leased.token,
        outcome=Answered(status=status),
        certainty=Certainty.APPLIED,
        verdict=Accept(because=str(status)),
        finished_at=now,
        host_failed=False,
    )


async def test_success_of_many_costs_a_healthy_host_no_gate(store: Store, look: Look) -> None:
    node: LeaseTerms = terms(100)
    await _owe(store, *[f"n_{number}" for number in range(20)])
    for leased in (await store.claim(NOW, node)).leased:
        await store.finish(_answered(leased, NOW, 204), NOW, NO_LEASE)

    assert look.count("gate") == 0
