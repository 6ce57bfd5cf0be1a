"""One host, or one hook, takes its own share of a node only; what it cannot have waits and costs nothing."""

from __future__ import annotations

from typing import Any

import pytest

from hookengine.domain.gate import SUSPECTS
from hookengine.domain.hook import LanePolicy
from hookengine.engine.room import InFlight, NodeRoom
from hookengine.errors import StoreError
from hookengine.store.calls import Claimed, Leased, LeaseTerms, NoticeKind
from hookengine.store.contract import Store
from tests.conftest import NOW
from tests.contract.conftest import (
    LEASE,
    NO_LEASE,
    SECOND,
    Database,
    Look,
    accept,
    delivered,
    owed,
    owed_delivery,
    terms,
)

pytestmark = pytest.mark.anyio


class Node:
    """A node with its room."""

    def __init__(self, **limits: int) -> None:
        self.room = NodeRoom(InFlight(**limits))
        self.room.open()

    @property
    def terms(self) -> LeaseTerms:
        return terms(room=self.room)

    async def end(self, store: Store, leased: Leased, now: int) -> Leased | None:
        """Delivered; what follows in its lane."""
        self.room.give(leased.seat)
        return (await store.finish(delivered(leased, now), now, self.terms)).following


async def _owe(store: Store, *names: str, **changes: Any) -> None:
    """Each in a lane of its own, left due."""
    events = [owed(name, **{"action_id": name, "lane_key": name, **changes}) for name in names]
    await accept(store, *events, now=NOW)


def _names(claimed: Claimed) -> list[str]:
    return [leased.delivery_id.removeprefix("dlv_") for leased in claimed.leased]


async def test_a_host_gets_no_more_than_its_share_and_others_go_on(store: Store, look: Look) -> None:
    node = Node(host=2)
    await _owe(store, "a", "b", "c", "d")
    await _owe(store, "other", host="other.example")

    claimed = await store.claim(NOW, node.terms)

    assert "other" in _names(claimed)
    assert len(claimed.leased) == 3
    assert not claimed.more
    assert claimed.waiting_for == {"host:target.example"}
    look.check()


async def test_a_hook_gets_no_more_than_its_share_and_others_go_on(store: Store) -> None:
    node = Node(hook=1)
    await _owe(store, "a", host="a.example")
    await _owe(store, "b", host="b.example")
    await _owe(store, "other", hook_id="hook_2")

    claimed = await store.claim(NOW, node.terms)

    assert len(claimed.leased) == 2
    assert "other" in _names(claimed)
    assert claimed.waiting_for == {"hook:hook_1"}


async def test_what_waits_for_room_is_claimed_when_there_is_some_the_longest_due_first(store: Store) -> None:
    node = Node(host=1)
    await _owe(store, "a")
    await accept(store, owed("b", lane_key="b"), now=NOW + 1)
    await accept(store, owed("c", lane_key="c"), now=NOW + 2)
    (first,) = (await store.claim(NOW + SECOND, node.terms)).leased

    full = await store.claim(NOW + SECOND, node.terms)
    await node.end(store, first, NOW + SECOND)
    eased = await store.claim(NOW + SECOND, node.terms)

    assert (full.leased, full.waiting_for) == ((), {"host:target.example"})
    assert _names(eased) == ["b"]


async def test_as_many_of_those_that_wait_are_claimed_as_there_is_room_for(store: Store) -> None:
    node = Node(host=3)
    await _owe(store, *"abcdefgh")
    first = await store.claim(NOW, node.terms)
    for leased in first.leased:
        await node.end(store, leased, NOW)

    second = await store.claim(NOW, node.terms)

    assert (len(first.leased), len(second.leased)) == (3, 3)
    assert not set(_names(first)) & set(_names(second))


async def test_another_node_has_room_of_its_own(store: Store) -> None:
    await _owe(store, "a", "b", "c")

    claimed = [len((await store.claim(NOW, Node(host=1).terms)).leased) for _ in range(3)]

    assert claimed == [1, 1, 1]


async def test_what_comes_in_beyond_the_share_of_its_host_is_set_aside(store: Store, look: Look) -> None:
    node = Node(host=1)
    events = [owed(name, action_id=name, lane_key=name) for name in "ab"]

    intake = await accept(store, *events, now=NOW, terms=node.terms)

    (leased,) = intake.leased
    (left,) = {"a", "b"} - {leased.lane_key}
    assert look.lane(left)["waits_for"] == "host:target.example"
    assert (await store.claim(NOW, node.terms)).waiting_for == {"host:target.example"}


async def test_a_result_leaves_its_lane_to_wait_when_its_seat_is_taken(store: Store, look: Look) -> None:
    node = Node(host=1)
    await _owe(store, "a", "b", lane_key="one", policy=LanePolicy.ORDERED)
    (first,) = (await store.claim(NOW, node.terms)).leased

    finished = await store.finish(delivered(first, NOW), NOW, node.terms)

    assert (finished.status, finished.following, finished.waits) == ("delivered", None, True)
    assert look.lane("one")["waits_for"] == "host:target.example"


async def test_a_result_after_which_nothing_waits_says_so(store: Store) -> None:
    node = Node()
    await _owe(store, "a", "b", lane_key="one", policy=LanePolicy.ORDERED)
    (first,) = (await store.claim(NOW, node.terms)).leased

    finished = await store.finish(delivered(first, NOW), NOW, node.terms)
    assert finished.following is not None
    last = await store.finish(delivered(finished.following, NOW), NOW, node.terms)

    assert (finished.waits, last.waits) == (False, False)


# More


async def test_more_is_due_than_one_look_takes_in(store: Store) -> None:
    await _owe(store, *[f"n_{number:02}" for number in range(40)])

    claimed = await store.claim(NOW, terms(20))
    rest = await store.claim(NOW, terms(100))

    assert (len(claimed.leased), claimed.more) == (20, True)
    assert (len(rest.leased), rest.more) == (20, False)


async def test_more_is_due_when_a_node_has_no_room_left_for_what_it_looked_at(store: Store) -> None:
    await _owe(store, "a", "b", "c")

    full = await store.claim(NOW, terms(2))
    none = await store.claim(NOW, NO_LEASE)

    assert (len(full.leased), full.more) == (2, True)
    assert (len(none.leased), none.more) == (0, True)


async def test_no_more_is_due_when_all_were_taken(store: Store) -> None:
    await _owe(store, "a", "b", "c")

    claimed = await store.claim(NOW, terms(3))

    assert (len(claimed.leased), claimed.more, claimed.waiting_for) == (3, False, frozenset())


# Fair shares


async def _drain(store: Store, node: Node, until: str, now: int) -> int:
    """How many claims it takes until this one is leased."""
    for number in range(1, 1000):
        if until in _names(await store.claim(now, node.terms)):
            return number
    raise AssertionError(f"{until} is never claimed")


async def _owe_many(store: Store, count: int) -> None:
    for start in range(0, count, 500):
        await _owe(store, *[f"n_{number:05}" for number in range(start, min(start + 500, count))])


async def test_thousands_that_wait_for_one_host_do_not_keep_others_waiting(store: Store, look: Look) -> None:
    node = Node(hook=512)
    await _owe_many(store, 5000)
    await accept(store, owed("first", lane_key="first", host="other.example"), now=NOW + 1)

    at_first = await _drain(store, node, "first", NOW + 1)
    await accept(store, owed("second", lane_key="second", host="other.example"), now=NOW + 2)
    later = await _drain(store, node, "second", NOW + 2)

    assert at_first <= 5000 / 256 + 1
    assert later == 1, "those set aside cost nothing any more"
    assert look.count("lane WHERE waits_for IS NOT NULL") == 5000 - 16


async def test_what_waits_for_many_hosts_comes_in_turn(store: Store) -> None:
    """None of the names is behind the others for ever, however many there are."""
    blocked, names = Node(host=0), [f"n_{number:03}" for number in range(300)]
    events = [
        owed(name, action_id=name, lane_key=name, hook_id=name, host=f"{name}.example") for name in names
    ]
    await accept(store, *events, now=NOW)
    aside = 0
    while aside < 300:
        claimed = await store.claim(NOW, blocked.terms)
        aside = len(claimed.waiting_for)

    node, sent, claims = Node(node=20, host=1), set[str](), 0
    while len(sent) < 300:
        claimed = await store.claim(NOW + 1, node.terms)
        claims += 1
        assert claimed.leased
        assert claimed.more or len(sent) + len(claimed.leased) == 300
        for leased in claimed.leased:
            await node.end(store, leased, NOW + 1)
        sent.update(_names(claimed))

    assert claims == 15


# Suspects


async def test_of_what_nodes_died_of_one_is_sent_at_a_time(store: Store, look: Look) -> None:
    node = Node()
    await _owe(store, "a", "b")
    await store.claim(NOW, terms())  # by a node that dies
    await _owe(store, "innocent")
    now = NOW + LEASE

    claimed = await store.claim(now, node.terms)
    at_once = await store.claim(now, node.terms)
    suspects = [leased for leased in claimed.leased if leased.seat.suspect]
    (waiting,) = {"a", "b"} - {leased.lane_key for leased in suspects}
    waits_for = look.lane(waiting)["waits_for"]
    await node.end(store, suspects[0], now)
    then = await store.claim(now, node.terms)

    assert sorted(claimed.rescued) == ["dlv_a", "dlv_b"]
    assert (len(suspects), "innocent" in _names(claimed)) == (1, True)
    assert (waits_for, at_once.waiting_for, at_once.leased) == (SUSPECTS, {SUSPECTS}, ())
    assert _names(then) == [waiting]
    look.check()


# Room that is given back


async def test_a_transaction_that_fails_gives_its_room_back(store: Store, look: Look) -> None:
    node = Node()
    event = owed("a", owed_delivery("same"), owed_delivery("same", hook_id="hook_2", lane_key="b"))

    with pytest.raises(StoreError):
        await accept(store, event, now=NOW, terms=node.terms)

    assert (node.room.taken, look.count("event"), look.count("lane")) == (0, 0, 0)
    assert len((await accept(store, owed("a"), now=NOW, terms=node.terms)).leased) == 1


async def test_a_lane_that_cannot_be_claimed_keeps_no_room(store: Store, database: Database) -> None:
    node = Node()
    await _owe(store, "bad", "good")
    database.rows("UPDATE delivery SET status = 'delivered', ended_at = 1 WHERE id = 'dlv_bad'")

    claimed = await store.claim(NOW, node.terms)

    assert (_names(claimed), len(claimed.stuck)) == (["good"], 1)
    assert node.room.taken == 1


# Contested lanes


async def test_two_that_write_the_same_thing_are_told_once(store: Store) -> None:
    first = await accept(store, owed("a", number=1), now=NOW)
    foreign = await accept(store, owed("b", number=1, action_id="b", pipeline_id=2), now=NOW)
    again = await accept(store, owed("c", number=2, action_id="c", pipeline_id=2), now=NOW)

    assert (first.notices, again.notices) == ((), ())
    assert [(notice.kind, notice.subject) for notice in foreign.notices] == [
        (NoticeKind.LANE_CONTESTED, "a commit")
    ]
