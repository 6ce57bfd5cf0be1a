from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hookengine.domain.attempt import Accept, Answered, Certainty
from hookengine.domain.hook import HookState, LanePolicy
from hookengine.errors import NotFound
from hookengine.store.calls import Leased, Report
from hookengine.store.care import Definitions
from hookengine.store.contract import Store
from tests.conftest import NOW, make_hook, make_request
from tests.contract.conftest import (
    LEASE,
    NO_LEASE,
    SECOND,
    SETTLE,
    Look,
    accept,
    delivered,
    owed,
    owed_delivery,
    refused,
    terms,
    timed_out,
    try_again,
)
from tests.definitions import define

pytestmark = pytest.mark.anyio

HOUR = 3600 * SECOND


async def _leased(store: Store, name: str = "a", now: int = NOW, **changes: object) -> Leased:
    intake = await accept(store, owed(name, **changes), now=now, terms=terms())
    (leased,) = intake.leased
    return leased


# Claiming


async def test_what_is_due_is_claimed_with_its_attempt(store: Store, look: Look) -> None:
    await accept(store, owed("a", type="action.completed"), now=NOW)

    claimed = await store.claim(NOW + SECOND, terms())

    (leased,) = claimed.leased
    (attempt,) = look.attempts("dlv_a")
    assert (leased.delivery_id, leased.attempt, leased.started_at) == ("dlv_a", 1, NOW + SECOND)
    assert (leased.lane_key, leased.accepted_at, leased.rank) == ("a commit", NOW, 2)
    assert leased.request == make_request("dlv_a")
    assert attempt["token"] == leased.token
    assert claimed.rescued == ()


async def test_no_more_is_claimed_than_asked_for_and_the_longest_due_first(store: Store) -> None:
    for later, name in enumerate("cab"):
        await accept(store, owed(name, action_id=name, lane_key=name), now=NOW + later)

    claimed = await store.claim(NOW + SECOND, terms(2))

    assert [leased.delivery_id for leased in claimed.leased] == ["dlv_c", "dlv_a"]


async def test_what_is_leased_or_not_due_is_not_claimed(store: Store) -> None:
    await _leased(store, "a", lane_key="leased")
    waiting = await _leased(store, "b", lane_key="in back-off", now=NOW + 1)
    await store.finish(try_again(waiting, NOW + 2, after=HOUR), NOW + 2, NO_LEASE)

    claimed = await store.claim(NOW + LEASE - 1, terms())

    assert claimed.leased == ()


async def test_an_expired_lease_is_rescued_and_claimed(store: Store, look: Look) -> None:
    first = await _leased(store)

    claimed = await store.claim(NOW + LEASE, terms())

    (second,) = claimed.leased
    lost, current = look.attempts("dlv_a")
    assert claimed.rescued == ("dlv_a",)
    assert (second.delivery_id, second.attempt) == ("dlv_a", 2)
    assert second.token != first.token
    assert (lost["outcome"], lost["certainty"], lost["closed_by"]) == ("Unknown", "doubtful", "rescue")
    assert lost["finished_at"] == NOW + LEASE
    assert current["finished_at"] is None
    assert look.delivery("dlv_a")["strikes"] == 1


async def test_after_a_rescue_a_newer_one_goes_instead(store: Store, look: Look) -> None:
    await _leased(store)
    await accept(store, owed("b"), now=NOW + 1)

    claimed = await store.claim(NOW + LEASE, terms())

    assert [leased.delivery_id for leased in claimed.leased] == ["dlv_b"]
    assert [ending.delivery_id for ending in claimed.endings] == ["dlv_a"]
    assert look.statuses() == {"dlv_a": "superseded", "dlv_b": "sending"}


async def test_a_rescue_may_end_the_last_one_of_a_lane_that_shows_an_older_state(
    store: Store, look: Look
) -> None:
    shown = await _leased(store, "a")
    await store.finish(delivered(shown, NOW + 1), NOW + 1, NO_LEASE)
    await _leased(store, "b", now=NOW + 2)
    await store.cancel("dlv_b", "a person said so", NOW + 3, NO_LEASE)

    claimed = await store.claim(NOW + HOUR, terms())

    assert claimed.rescued == ("dlv_b",)
    assert look.statuses() == {"dlv_a": "delivered", "dlv_b": "cancelled"}
    assert look.lane()["head_id"] is None


async def test_a_lane_whose_waiting_deliveries_lost_their_hook_goes_on_by_and_by(
    store: Store, look: Look
) -> None:
    events = [owed(str(n), policy=LanePolicy.ORDERED, hook_id="off") for n in range(8)]
    await accept(store, *events, owed("z", policy=LanePolicy.ORDERED, hook_id="on"), now=NOW)
    await _define_off(store, NOW + 1)

    claims = [await store.claim(NOW + 2, terms()) for _ in range(8)]

    assert [leased.delivery_id for claimed in claims for leased in claimed.leased] == ["dlv_z"]
    assert look.statuses() == {**{f"dlv_{n}": "cancelled" for n in range(8)}, "dlv_z": "sending"}


async def _define_off(store: Store, now: int) -> None:
    await define(store, Definitions(hooks=(make_hook(id="off"),)), "manifest", NOW)
    await define(store, Definitions(hooks=(make_hook(id="off", state=HookState.DISABLED),)), "manifest", now)


# Results


async def test_a_success_is_recorded_on_the_delivery_and_its_attempt(store: Store, look: Look) -> None:
    leased = await _leased(store)

    finished = await store.finish(delivered(leased, NOW + 200), NOW + 250, NO_LEASE)

    (attempt,) = look.attempts("dlv_a")
    row = look.delivery("dlv_a")
    assert (finished.status, finished.late, finished.following) == ("delivered", False, None)
    assert (row["status"], row["ended_at"], row["because"]) == ("delivered", NOW + 250, "200")
    assert (attempt["outcome"], attempt["verdict"], attempt["certainty"]) == ("Answered", "Accept", "applied")
    assert (attempt["finished_at"], attempt["closed_by"]) == (NOW + 200, "holder")
    assert json.loads(attempt["detail"]) == {
        "status": 200,
        "headers": {},
        "body": "",
        "renewed": False,
        "timing": None,
    }
    assert look.lane()["token"] is None


async def test_one_to_be_tried_again_waits_until_then(store: Store, look: Look) -> None:
    leased = await _leased(store)

    finished = await store.finish(try_again(leased, NOW + 1, after=5 * SECOND), NOW + 1, terms(1))

    (attempt,) = look.attempts("dlv_a")
    assert (finished.status, finished.following) == ("retrying", None)
    assert attempt["next_at"] == NOW + 1 + 5 * SECOND
    assert await store.next_due(NOW) == NOW + 1 + 5 * SECOND


async def test_a_finishing_node_is_handed_the_next_one_of_the_lane(store: Store, look: Look) -> None:
    leased = await _leased(store, policy=LanePolicy.ORDERED)
    await accept(store, owed("b"), owed("c"), now=NOW + 1)

    finished = await store.finish(delivered(leased, NOW + 2), NOW + 2, terms(1))

    assert finished.following is not None
    assert finished.following.delivery_id == "dlv_b"
    assert look.statuses() == {"dlv_a": "delivered", "dlv_b": "sending", "dlv_c": "queued"}
    look.check()


async def test_a_node_that_stops_is_handed_nothing(store: Store, look: Look) -> None:
    leased = await _leased(store)
    await accept(store, owed("b"), now=NOW + 1)

    finished = await store.finish(delivered(leased, NOW + 2), NOW + 2, NO_LEASE)

    assert finished.following is None
    assert look.statuses() == {"dlv_a": "delivered", "dlv_b": "queued"}
    assert await store.next_due(NOW) == NOW + 2


async def test_a_pause_the_target_asked_for_holds_a_newer_one_too(store: Store) -> None:
    leased = await _leased(store)
    await store.finish(try_again(leased, NOW + 1, pause=20 * SECOND), NOW + 1, NO_LEASE)

    intake = await accept(store, owed("b"), now=NOW + 2, terms=terms())

    assert intake.leased == ()
    assert await store.next_due(NOW) == NOW + 1 + 20 * SECOND


async def test_what_the_target_shows_already_ends_without_being_sent(store: Store, look: Look) -> None:
    leased = await _leased(store, state="success")
    await store.finish(delivered(leased, NOW + 1), NOW + 1, NO_LEASE)

    intake = await accept(store, owed("b", state="success"), now=NOW + 2, terms=terms())

    assert intake.leased == ()
    assert [(ending.delivery_id, ending.status) for ending in intake.endings] == [("dlv_b", "superseded")]
    assert look.delivery("dlv_b")["attempts"] == 0


async def test_an_unknown_token_changes_nothing(store: Store, look: Look) -> None:
    leased = await _leased(store)

    finished = await store.finish(replace(delivered(leased, NOW + 1), token=1), NOW + 1, terms())

    assert finished.late
    assert look.statuses() == {"dlv_a": "sending"}


async def test_the_same_result_twice_is_taken_once(store: Store, look: Look) -> None:
    leased = await _leased(store)
    await store.finish(delivered(leased, NOW + 1), NOW + 1, NO_LEASE)
    before = (look.delivery("dlv_a"), look.attempts("dlv_a"), look.lane())

    again = await store.finish(delivered(leased, NOW + 1), NOW + 9, NO_LEASE)

    assert again.late
    assert (look.delivery("dlv_a"), look.attempts("dlv_a"), look.lane()) == before


async def test_a_result_after_the_lease_is_kept_on_its_attempt_and_ends_nothing(
    store: Store, look: Look
) -> None:
    first = await _leased(store)
    await store.claim(NOW + LEASE, terms())

    finished = await store.finish(delivered(first, NOW + LEASE + 1), NOW + LEASE + 1, terms())

    lost, _ = look.attempts("dlv_a")
    assert (finished.late, finished.following) == (True, None)
    assert (lost["outcome"], lost["late_outcome"], lost["late_at"]) == (
        "Unknown",
        "Answered",
        NOW + LEASE + 1,
    )
    assert look.statuses() == {"dlv_a": "sending"}
    look.check()


async def test_a_result_of_an_expired_lease_that_nobody_took_still_counts(store: Store, look: Look) -> None:
    leased = await _leased(store)

    finished = await store.finish(delivered(leased, NOW + LEASE + 1), NOW + LEASE + 1, NO_LEASE)

    assert (finished.late, finished.status) == (False, "delivered")
    assert look.statuses() == {"dlv_a": "delivered"}


async def test_a_hook_that_its_target_sent_away_is_switched_off(store: Store, look: Look) -> None:
    await define(store, Definitions(hooks=(make_hook(),)), "manifest", NOW - 1)
    leased = await _leased(store, policy=LanePolicy.ORDERED)
    await accept(store, owed("b"), owed("c", hook_id="hook_2"), now=NOW + 1)

    finished = await store.finish(refused(leased, NOW + 2, gone=True), NOW + 2, terms(1))

    defined = await define(store, Definitions(hooks=(make_hook(),)), "manifest", NOW + 3)
    assert finished.following is not None
    assert finished.following.delivery_id == "dlv_c"
    assert look.statuses() == {"dlv_a": "failed", "dlv_b": "cancelled", "dlv_c": "sending"}
    assert [hook.state for hook in defined.hooks] == ["disabled"]


# Doubt and repair


async def test_after_a_doubt_about_an_older_one_the_newest_is_repaired(store: Store, look: Look) -> None:
    first = await _leased(store)
    await accept(store, owed("b"), now=NOW + 1)
    doubtful = await store.finish(timed_out(first, NOW + 2), NOW + 2, terms(1))
    assert doubtful.following is not None

    finished = await store.finish(delivered(doubtful.following, NOW + 3), NOW + 3, terms(1))

    early = await store.claim(NOW + SETTLE, terms())
    settled = await store.claim(NOW + 2 + SETTLE, terms())
    (repair,) = settled.leased
    assert (finished.status, finished.following) == ("delivered", None)
    assert early.leased == ()
    assert repair.delivery_id == finished.repair_id
    assert (repair.event_id, repair.attempt, repair.request) == ("evt_b", 1, make_request("dlv_b"))
    assert [row["repair_of"] for row in look.repairs()] == ["dlv_b"]


async def test_a_doubt_may_end_the_last_one_of_a_lane_that_shows_an_older_state(
    store: Store, look: Look
) -> None:
    shown = await _leased(store, "a")
    await store.finish(delivered(shown, NOW + 1), NOW + 1, NO_LEASE)
    newest = await _leased(store, "b", now=NOW + 2)

    finished = await store.finish(timed_out(newest, NOW + 3, out_of_time=True), NOW + 3, NO_LEASE)

    assert (finished.status, finished.repair_id) == ("failed", None)
    assert look.statuses() == {"dlv_a": "delivered", "dlv_b": "failed"}
    assert look.lane()["head_id"] is None


async def test_a_newer_one_that_takes_the_place_of_a_repair_is_repaired_itself(
    store: Store, look: Look
) -> None:
    first = await _leased(store)
    await accept(store, owed("b"), now=NOW + 1)
    doubtful = await store.finish(timed_out(first, NOW + 2), NOW + 2, terms(1))
    assert doubtful.following is not None
    await store.finish(delivered(doubtful.following, NOW + 3), NOW + 3, NO_LEASE)
    newer = await _leased(store, "c", now=NOW + 4)

    finished = await store.finish(delivered(newer, NOW + 5), NOW + 5, NO_LEASE)

    superseded, repair = sorted(look.repairs(), key=lambda row: row["repair_of"])
    assert (superseded["status"], superseded["repair_of"]) == ("superseded", "dlv_b")
    assert (repair["id"], repair["repair_of"]) == (finished.repair_id, "dlv_c")
    assert await store.next_due(NOW) == NOW + 2 + SETTLE


async def test_a_late_success_of_an_older_one_is_repaired(store: Store, look: Look) -> None:
    first = await _leased(store)
    await accept(store, owed("b"), now=NOW + 1)
    (second,) = (await store.claim(NOW + LEASE, terms())).leased
    rescued = await store.finish(delivered(second, NOW + LEASE + 1), NOW + LEASE + 1, NO_LEASE)
    (repair,) = (await store.claim(NOW + LEASE + SETTLE, terms())).leased
    done = NOW + LEASE + SETTLE + SECOND
    await store.finish(delivered(repair, done), done, NO_LEASE)

    finished = await store.finish(delivered(first, done + 1), done + 1, NO_LEASE)

    assert rescued.repair_id == repair.delivery_id
    assert finished.late
    assert finished.repair_id is not None
    assert look.delivery(finished.repair_id)["repair_of"] == repair.delivery_id
    assert await store.next_due(NOW) == done + 1


async def test_a_success_that_is_only_promised_is_doubtful(store: Store, look: Look) -> None:
    leased = await _leased(store)
    accepted = Report(
        token=leased.token,
        outcome=Answered(status=202),
        certainty=Certainty.DOUBTFUL,
        verdict=Accept(because="202"),
        finished_at=NOW + 1,
    )
    await accept(store, owed("b"), now=NOW + 1)
    following = (await store.finish(accepted, NOW + 2, terms(1))).following
    assert following is not None

    finished = await store.finish(delivered(following, NOW + 3), NOW + 3, NO_LEASE)

    assert look.delivery(str(finished.repair_id))["repair_of"] == "dlv_b"


# Giving back, and cancelling


async def test_a_released_lease_leaves_no_attempt(store: Store, look: Look) -> None:
    leased = await _leased(store)

    await store.release(leased.token, NOW + 1, NO_LEASE)

    assert look.attempts("dlv_a") == []
    assert look.statuses() == {"dlv_a": "queued"}
    assert look.delivery("dlv_a")["attempts"] == 0
    assert await store.next_due(NOW) == NOW + 1


async def test_a_result_after_a_release_changes_nothing(store: Store, look: Look) -> None:
    leased = await _leased(store)
    await store.release(leased.token, NOW + 1, NO_LEASE)

    finished = await store.finish(delivered(leased, NOW + 2), NOW + 2, terms())

    assert finished.late
    assert look.statuses() == {"dlv_a": "queued"}


async def test_a_release_after_the_lease_changes_nothing(store: Store, look: Look) -> None:
    leased = await _leased(store)
    await store.claim(NOW + LEASE, terms())

    await store.release(leased.token, NOW + LEASE + 1, NO_LEASE)

    assert look.statuses() == {"dlv_a": "sending"}
    assert [attempt["number"] for attempt in look.attempts("dlv_a")] == [1, 2]
    look.check()


async def test_what_waits_is_cancelled_at_once(store: Store, look: Look) -> None:
    await accept(store, owed("a", policy=LanePolicy.ORDERED), owed("b"), now=NOW)

    status = await store.cancel("dlv_a", "a person said so", NOW + 1, NO_LEASE)

    assert status == "cancelled"
    assert look.delivery("dlv_a")["because"] == "a person said so"
    assert look.lane()["head_id"] == "dlv_b"


async def test_the_last_of_many_waiting_is_cancelled_without_its_lane_moving(
    store: Store, look: Look
) -> None:
    await accept(store, *[owed(name, policy=LanePolicy.ORDERED) for name in "abcdef"], now=NOW)

    status = await store.cancel("dlv_f", "a person said so", NOW + 1, NO_LEASE)

    assert status == "cancelled"
    assert look.lane()["head_id"] == "dlv_a"


async def test_one_in_flight_is_cancelled_unless_it_succeeds(store: Store, look: Look) -> None:
    leased = await _leased(store, "a")
    other = await _leased(store, "b", lane_key="other", now=NOW + 1)

    asked = [await store.cancel(name, "no", NOW + 2, NO_LEASE) for name in ("dlv_a", "dlv_b")]
    await store.finish(delivered(leased, NOW + 3), NOW + 3, NO_LEASE)
    await store.finish(try_again(other, NOW + 3), NOW + 3, NO_LEASE)

    assert asked == ["sending", "sending"]
    assert look.statuses() == {"dlv_a": "delivered", "dlv_b": "cancelled"}


async def test_cancelling_what_has_ended_tells_how_it_ended(store: Store) -> None:
    leased = await _leased(store)
    await store.finish(refused(leased, NOW + 1), NOW + 1, NO_LEASE)
    await accept(store, owed("b", owed_delivery("dlv_b", request=None, unrenderable="no")), now=NOW + 2)

    assert await store.cancel("dlv_a", "no", NOW + 3, NO_LEASE) == "failed"
    assert await store.cancel("dlv_b", "no", NOW + 3, NO_LEASE) == "failed"


async def test_an_unknown_delivery_cannot_be_cancelled(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.cancel("dlv_x", "no", NOW, NO_LEASE)


# When to come back


async def test_nothing_is_due_while_nothing_waits(store: Store) -> None:
    assert await store.next_due(NOW) is None


async def test_a_lease_is_due_at_its_end(store: Store) -> None:
    await _leased(store)

    assert await store.next_due(NOW) == NOW + LEASE


async def test_all_leases_can_be_made_to_end_now(store: Store) -> None:
    await _leased(store, "a", lane_key="one")
    await _leased(store, "b", lane_key="two")
    await accept(store, owed("c", lane_key="free"), now=NOW)

    ended = await store.expire_leases(NOW + 1)

    claimed = await store.claim(NOW + 1, terms())
    assert ended == 2
    assert set(claimed.rescued) == {"dlv_a", "dlv_b"}
    assert {leased.delivery_id for leased in claimed.leased} == {"dlv_a", "dlv_b", "dlv_c"}
