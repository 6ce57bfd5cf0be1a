"""Commits whose answer is lost: what they did is found out, and done once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from hookengine.domain.hook import LanePolicy
from hookengine.errors import StoreError
from hookengine.store.postgres import PostgresStore
from tests.conftest import NOW
from tests.contract.conftest import NO_LEASE, Look, Seats, accept, delivered, owed, terms
from tests.contract.postgres_failures.interrupting import a_lease
from tests.faults.proxy import Proxy

pytestmark = pytest.mark.anyio


async def test_leases_of_an_accept_whose_commit_was_not_answered_are_handed_over(
    store: PostgresStore, proxy: Proxy, look: Look
) -> None:
    room = Seats(5)
    proxy.cut_after(b"COMMIT")

    intake = await store.accept([owed("a")], NOW, terms(room=room))

    (leased,), (attempt,) = intake.leased, look.attempts("dlv_a")
    assert proxy.struck.is_set()
    assert (leased.token, intake.accepted[0].fresh, room.free) == (attempt["token"], True, 4)
    look.check()


async def test_an_accept_whose_commit_was_not_answered_is_told_what_it_was_told_before(
    store: PostgresStore, proxy: Proxy, look: Look
) -> None:
    proxy.cut_after(b"COMMIT")

    intake = await store.accept([owed("a")], NOW, NO_LEASE)

    assert [accepted.answer for accepted in intake.accepted] == ['{"event":"a"}']
    assert (look.count("event"), look.count("delivery")) == (1, 1)


async def test_a_result_whose_commit_was_not_answered_is_recorded_once_and_the_next_one_taken(
    store: PostgresStore, proxy: Proxy, look: Look
) -> None:
    leased = await a_lease(store, "a", policy=LanePolicy.ORDERED)
    await accept(store, owed("b", policy=LanePolicy.ORDERED), now=NOW)
    proxy.cut_after(b"COMMIT")

    finished = await store.finish(delivered(leased, NOW + 1), NOW + 1, terms())

    assert (finished.status, finished.late) == ("delivered", False)
    assert finished.following is not None
    assert finished.following.token == look.attempts("dlv_b")[0]["token"]
    assert look.attempts("dlv_a")[0]["late_outcome"] is None
    look.check()


async def test_claimed_leases_whose_commit_was_not_answered_are_handed_over(
    store: PostgresStore, proxy: Proxy, look: Look
) -> None:
    await accept(store, owed("a"), now=NOW)
    proxy.cut_after(b"COMMIT")

    (leased,) = (await store.claim(NOW + 1, terms())).leased

    assert leased.token == look.attempts("dlv_a")[0]["token"]
    look.check()


async def test_a_claim_whose_commit_did_not_get_through_is_not_repeated(
    store: PostgresStore, proxy: Proxy, look: Look
) -> None:
    await accept(store, owed("a"), now=NOW)
    room = Seats(5)
    proxy.cut_before(b"COMMIT")

    with pytest.raises(StoreError, match="lost while committing"):
        await store.claim(NOW + 1, terms(room=room))

    assert (look.count("attempt"), room.free) == (0, 5)
    look.check()
    assert len((await store.claim(NOW + 1, terms())).leased) == 1


async def test_an_accept_whose_commit_did_not_get_through_is_repeated(
    store: PostgresStore, proxy: Proxy, look: Look
) -> None:
    room = Seats(5)
    proxy.cut_before(b"COMMIT")

    intake = await store.accept([owed("a")], NOW, terms(room=room))

    assert (intake.accepted[0].fresh, room.free, look.count("attempt")) == (True, 4, 1)
    look.check()


async def test_a_commit_that_stays_unsure_gives_its_room_back_and_is_told(
    store: PostgresStore, proxy: Proxy, patience: Callable[[float], None]
) -> None:
    room = Seats(5)
    patience(0.3)
    proxy.cut_after(b"COMMIT")
    accepting = asyncio.ensure_future(store.accept([owed("a")], NOW, terms(room=room)))
    await asyncio.to_thread(proxy.struck.wait, 5)
    proxy.cut()

    with pytest.raises(StoreError):
        await accepting

    assert room.free == 5


async def test_room_of_a_call_that_was_told_before_its_commit_was_found_is_given_back(
    store: PostgresStore, proxy: Proxy, patience: Callable[[float], None]
) -> None:
    """Somebody else's patience keeps the store looking for it."""
    room = Seats(5)
    patience(0.3)
    proxy.cut_after(b"COMMIT")
    accepting = asyncio.ensure_future(store.accept([owed("a")], NOW, terms(room=room)))
    await asyncio.to_thread(proxy.struck.wait, 5)
    proxy.cut()
    patience(20.0)
    waiting_longer = asyncio.ensure_future(store.accept([owed("b", action_id=8)], NOW, NO_LEASE))
    with pytest.raises(StoreError):
        await accepting

    proxy.let_pass()
    await waiting_longer

    assert room.free == 5
