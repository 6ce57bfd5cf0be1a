"""Several requests of one event, what their answers tell the later ones, and checks of what is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hookengine.domain.capture import Capture, Capturing
from hookengine.domain.delivery import CHECK, CURE
from hookengine.domain.hook import LanePolicy
from hookengine.domain.lane import Finding
from hookengine.domain.retry import DAY
from hookengine.errors import ReplayRefused
from hookengine.store.calls import Leased, OwedDelivery, OwedEvent, OwedReplay, Report
from hookengine.store.care import FROM_THE_START, Horizon
from hookengine.store.contract import Store
from tests.conftest import NOW, make_request
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
)

pytestmark = pytest.mark.anyio

TAKES = Capturing(takes=(Capture(name="deployment_id", path="id"),))
USES = Capturing(uses=("deployment_id",))
LANE: dict[str, Any] = {"lane_key": "an action", "policy": LanePolicy.ORDERED}


def creating(name: str, **changes: Any) -> OwedDelivery:
    """The first request of an event, which is sent once."""
    request = make_request("create", capturing=TAKES)
    return owed_delivery(f"dlv_{name}_0", request=request, provides="deployment_id", **{**LANE, **changes})


def telling(name: str, **changes: Any) -> OwedDelivery:
    """The second one, which is sent with what the first one's answer told."""
    return owed_delivery(
        f"dlv_{name}_1", part=1, request=make_request(name, capturing=USES), **{**LANE, **changes}
    )


def both(name: str, **changes: Any) -> OwedEvent:
    return owed(name, creating(name), telling(name), **changes)


def created(leased: Leased, value: str = "17") -> Report:
    return replace(delivered(leased, NOW), captured={"deployment_id": value})


async def test_the_requests_of_an_event_leave_one_after_another_and_know_what_was_answered(
    store: Store, look: Look
) -> None:
    intake = await accept(store, both("a"), now=NOW, terms=terms())
    (create,) = intake.leased

    finished = await store.finish(created(create), NOW, terms())

    assert (create.delivery_id, dict(create.captured)) == ("dlv_a_0", {})
    assert finished.following is not None
    assert finished.following.delivery_id == "dlv_a_1"
    assert finished.following.captured == {"deployment_id": "17"}
    assert look.delivery("dlv_a_1")["part"] == 1
    look.check()


async def test_what_is_known_already_is_not_asked_for_once_more(store: Store, look: Look) -> None:
    await accept(store, both("a"), both("b"), now=NOW)
    (create,) = (await store.claim(NOW, terms())).leased

    first = await store.finish(created(create), NOW, terms())
    assert first.following is not None
    second = await store.finish(delivered(first.following, NOW), NOW, terms())

    assert second.following is not None
    assert (second.following.delivery_id, dict(second.following.captured)) == (
        "dlv_b_1",
        {"deployment_id": "17"},
    )
    skipped = look.delivery("dlv_b_0")
    assert (skipped["status"], skipped["attempts"]) == ("superseded", 0)
    assert skipped["because"] == "not needed: deployment_id is known already"
    assert [ending.delivery_id for ending in second.endings] == ["dlv_b_0"]
    look.check()


async def test_an_event_that_comes_once_it_is_known_begins_with_what_uses_it(store: Store) -> None:
    (create,) = (await accept(store, both("a"), now=NOW, terms=terms())).leased
    first = await store.finish(created(create), NOW, terms())
    assert first.following is not None
    await store.finish(delivered(first.following, NOW), NOW, terms())

    (leased,) = (await accept(store, both("b"), now=NOW, terms=terms())).leased

    assert (leased.delivery_id, dict(leased.captured)) == ("dlv_b_1", {"deployment_id": "17"})


async def test_what_could_not_be_had_is_asked_for_by_the_next_event(store: Store, look: Look) -> None:
    (create,) = (await accept(store, both("a"), now=NOW, terms=terms())).leased

    finished = await store.finish(refused(create, NOW), NOW, terms())
    assert finished.following is not None
    assert (finished.following.delivery_id, dict(finished.following.captured)) == ("dlv_a_1", {})
    await store.finish(refused(finished.following, NOW), NOW, terms())
    (again,) = (await accept(store, both("b"), now=NOW, terms=terms())).leased

    assert again.delivery_id == "dlv_b_0"
    assert look.count("capture") == 0


async def test_other_actions_and_other_lanes_know_nothing_of_it(store: Store) -> None:
    (create,) = (await accept(store, both("a", action_id=1), now=NOW, terms=terms())).leased
    await store.finish(created(create), NOW, NO_LEASE)
    await accept(store, both("b", action_id=2), now=NOW)
    elsewhere = owed(
        "c", creating("c", lane_key="elsewhere"), telling("c", lane_key="elsewhere"), action_id=1
    )

    intake = await accept(store, elsewhere, now=NOW, terms=terms())
    (following,) = (await store.claim(NOW, terms())).leased
    finished = await store.finish(delivered(following, NOW), NOW, terms())

    assert [leased.delivery_id for leased in intake.leased] == ["dlv_c_0"]
    assert following.captured == {"deployment_id": "17"}
    assert finished.following is not None
    assert finished.following.delivery_id == "dlv_b_0"


async def test_a_late_answer_is_kept_where_none_is_known(store: Store, look: Look) -> None:
    """The node that asked stood still for longer than its lease."""
    (create,) = (await accept(store, both("a"), now=NOW, terms=terms())).leased
    (again,) = (await store.claim(NOW + LEASE, terms())).leased

    late = await store.finish(created(create, "17"), NOW + LEASE, NO_LEASE)
    finished = await store.finish(refused(again, NOW + LEASE), NOW + LEASE, terms())

    assert late.late
    assert finished.following is not None
    assert finished.following.captured == {"deployment_id": "17"}
    look.check()


async def test_a_late_answer_does_not_count_where_another_is_known(store: Store) -> None:
    (create,) = (await accept(store, both("a"), now=NOW, terms=terms())).leased
    (again,) = (await store.claim(NOW + LEASE, terms())).leased
    await store.finish(created(again, "18"), NOW + LEASE, NO_LEASE)

    late = await store.finish(created(create, "17"), NOW + LEASE, NO_LEASE)
    (following,) = (await store.claim(NOW + LEASE, terms())).leased

    assert late.late
    assert following.captured == {"deployment_id": "18"}


async def test_an_answer_in_doubt_is_asked_for_again(store: Store, look: Look) -> None:
    (create,) = (await accept(store, both("a"), now=NOW, terms=terms())).leased

    await store.finish(timed_out(create, NOW), NOW, NO_LEASE)
    (again,) = (await store.claim(NOW + 5 * SECOND, terms())).leased

    assert (again.delivery_id, again.attempt) == ("dlv_a_0", 2)
    assert look.count("capture") == 0


async def test_what_a_person_asks_for_again_goes_out_though_it_is_known_and_its_answer_counts(
    store: Store, look: Look
) -> None:
    (create,) = (await accept(store, both("a"), now=NOW, terms=terms())).leased
    first = await store.finish(created(create), NOW, terms())
    assert first.following is not None
    await store.finish(delivered(first.following, NOW), NOW, NO_LEASE)

    await store.replay(OwedReplay(id="dlv_again", replay_of="dlv_a_0"), NOW, NO_LEASE)
    (again,) = (await store.claim(NOW, terms())).leased
    await store.finish(created(again, "18"), NOW, NO_LEASE)
    told = await store.replay(OwedReplay(id="dlv_told", replay_of="dlv_a_1"), NOW, terms())

    assert again.delivery_id == "dlv_again"
    assert told.leased[0].captured == {"deployment_id": "18"}
    row = look.delivery("dlv_told")
    assert (row["part"], look.delivery("dlv_again")["provides"]) == (1, "deployment_id")


async def test_where_only_the_newest_counts_it_is_sent_with_what_older_answers_told(store: Store) -> None:
    """As GitLab's pipeline_id, which each answer tells and each request may carry."""
    carrying = Capturing(takes=(Capture(name="pipeline_id", path="p", optional=True),), uses=("pipeline_id",))

    def status(name: str, **changes: Any) -> OwedEvent:
        return owed(
            name, owed_delivery(f"dlv_{name}", request=make_request(name, capturing=carrying)), **changes
        )

    (first,) = (await accept(store, status("a", type="action.queued"), now=NOW, terms=terms())).leased
    report = replace(delivered(first, NOW), captured={"pipeline_id": "7"})
    await store.finish(report, NOW, NO_LEASE)
    (second,) = (await accept(store, status("b"), now=NOW, terms=terms())).leased

    assert (dict(first.captured), dict(second.captured)) == ({}, {"pipeline_id": "7"})


async def test_captures_are_deleted_with_their_lane(store: Store, look: Look) -> None:
    (create,) = (await accept(store, both("a"), now=NOW, terms=terms())).leased
    first = await store.finish(created(create), NOW, terms())
    assert first.following is not None
    await store.finish(delivered(first.following, NOW), NOW, NO_LEASE)
    assert look.count("capture") == 1

    horizon = Horizon(delivered=NOW + DAY, failed=NOW + DAY, now=NOW + 2 * DAY)
    await store.prune(horizon, 100, FROM_THE_START)

    assert (look.count("lane"), look.count("capture")) == (0, 0)


async def test_hooks_without_captures_write_none_and_ask_for_none(store: Store, look: Look) -> None:
    (leased,) = (await accept(store, owed("a"), now=NOW, terms=terms())).leased
    await store.finish(delivered(leased, NOW), NOW, NO_LEASE)

    assert leased.captured == {}
    assert look.count("capture") == 0


async def test_a_check_and_its_cure_share_the_request_of_what_was_told(store: Store, look: Look) -> None:
    (told,) = (await accept(store, owed("a", type="action.completed"), now=NOW, terms=terms())).leased
    await store.finish(replace(delivered(told, NOW), finding=Finding.TO_BE_CHECKED), NOW, NO_LEASE)
    early = await store.claim(NOW, terms())
    (check,) = (await store.claim(NOW + SETTLE, terms())).leased

    wrong = replace(delivered(check, NOW), finding=Finding.WRONG)
    finished = await store.finish(wrong, NOW + SETTLE, terms())

    assert early.leased == ()
    assert (check.part, check.request) == (CHECK, told.request)
    assert finished.following is not None
    assert (finished.following.part, finished.following.request) == (CURE, told.request)
    await store.finish(delivered(finished.following, NOW), NOW + SETTLE, NO_LEASE)
    assert look.lane()["shown_id"] == finished.following.delivery_id
    assert [row["part"] for row in look.repairs()] == [CHECK, CURE]
    assert await store.next_due(NOW + DAY) is None
    look.check()


async def test_a_check_is_not_replayed(store: Store) -> None:
    (told,) = (await accept(store, owed("a", type="action.completed"), now=NOW, terms=terms())).leased
    await store.finish(replace(delivered(told, NOW), finding=Finding.TO_BE_CHECKED), NOW, NO_LEASE)
    (check,) = (await store.claim(NOW + SETTLE, terms())).leased
    await store.finish(delivered(check, NOW), NOW + SETTLE, NO_LEASE)

    with pytest.raises(ReplayRefused, match="told nothing: it asked what is shown"):
        await store.replay(OwedReplay(id="dlv_again", replay_of=check.delivery_id), NOW, terms())
