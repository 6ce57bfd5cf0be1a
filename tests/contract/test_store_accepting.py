from __future__ import annotations

from dataclasses import replace

import pytest

from hookengine.domain.hook import LanePolicy
from hookengine.errors import EventConflict, StaleContext
from hookengine.store.contract import Store
from tests.conftest import NOW
from tests.contract.conftest import LEASE, Database, Look, accept, owed, owed_delivery, terms

pytestmark = pytest.mark.anyio


async def test_an_event_is_stored_with_what_it_owes(store: Store, look: Look) -> None:
    intake = await accept(store, owed("a"), now=NOW)

    assert [(accepted.answer, accepted.fresh) for accepted in intake.accepted] == [('{"event":"a"}', True)]
    assert look.statuses() == {"dlv_a": "queued"}
    assert look.lane()["head_id"] == "dlv_a"


async def test_the_same_event_twice_is_owed_once_and_answered_the_same(store: Store, look: Look) -> None:
    await accept(store, owed("a"), now=NOW)

    again = await accept(store, owed("a", owed_delivery("dlv_other"), answer="{}"), now=NOW + 1)

    assert [(accepted.answer, accepted.fresh) for accepted in again.accepted] == [('{"event":"a"}', False)]
    assert look.statuses() == {"dlv_a": "queued"}


async def test_the_same_event_twice_in_one_list_is_owed_once(store: Store, look: Look) -> None:
    intake = await store.accept([owed("a"), owed("a")], NOW, terms(0))

    assert [accepted.fresh for accepted in intake.accepted] == [True, False]
    assert look.statuses() == {"dlv_a": "queued"}


async def test_a_known_event_with_another_body_is_refused(store: Store, look: Look) -> None:
    await accept(store, owed("a"), now=NOW)

    with pytest.raises(EventConflict):
        await accept(store, owed("a", digest="of another body"), now=NOW + 1)

    assert look.statuses() == {"dlv_a": "queued"}


@pytest.mark.parametrize("broken", [{"digest": "of another body"}, {"known_revision": 5}])
async def test_a_list_is_accepted_whole_or_not_at_all(
    store: Store, look: Look, broken: dict[str, object]
) -> None:
    await accept(store, owed("known", lane_key="another"), now=NOW)
    bad = owed("known", action_id=99, **broken) if "digest" in broken else owed("c", action_id=99, **broken)

    with pytest.raises((EventConflict, StaleContext)):
        await store.accept([owed("b", action_id=8), bad], NOW, terms())

    assert look.statuses() == {"dlv_known": "queued"}
    assert [look.count(table) for table in ("event", "action", "lane", "request", "attempt")] == [
        1,
        1,
        1,
        1,
        0,
    ]


async def test_one_id_on_two_pipelines_is_two_events(store: Store, look: Look) -> None:
    await accept(store, owed("a"), now=NOW)
    another = owed("a", owed_delivery("dlv_b"), pipeline_id=2, digest="of another body", answer="{}")

    of_both = await accept(store, another, owed("a"), now=NOW)

    assert [(accepted.answer, accepted.fresh) for accepted in of_both.accepted] == [
        ("{}", True),
        ('{"event":"a"}', False),
    ]
    assert look.statuses().keys() == {"dlv_a", "dlv_b"}
    remembered = await store.remember(["1:evt_a", "2:evt_a"], [])
    assert {key: known[0] for key, known in remembered.events.items()} == {
        "1:evt_a": "digest of a",
        "2:evt_a": "of another body",
    }


async def test_events_of_an_action_have_the_order_in_which_they_were_accepted(
    store: Store, database: Database
) -> None:
    await accept(store, owed("c"), owed("a"), now=NOW)
    await accept(store, owed("b"), owed("c"), now=NOW)

    rows = database.rows("SELECT id, revision FROM event ORDER BY revision")
    assert [tuple(row.values()) for row in rows] == [("1:evt_c", 1), ("1:evt_a", 2), ("1:evt_b", 3)]


async def test_an_event_rendered_with_an_outdated_context_is_refused(store: Store, look: Look) -> None:
    await accept(store, owed("a"), now=NOW)

    with pytest.raises(StaleContext):
        await store.accept([owed("b", known_revision=0)], NOW, terms())

    assert look.statuses() == {"dlv_a": "queued"}


async def test_a_context_is_remembered_with_its_revision(store: Store) -> None:
    await accept(store, owed("a", context='{"v":1}'), owed("b", context='{"v":2}'), now=NOW)

    remembered = await store.remember(["1:evt_a", "1:evt_x"], [(1, "7"), (2, "7")])

    assert dict(remembered.events) == {"1:evt_a": ("digest of a", '{"event":"a"}')}
    assert dict(remembered.actions) == {(1, "7"): (2, '{"v":2}')}


@pytest.mark.parametrize("events", [[], ["x"], ["b", "x", "a"]])
@pytest.mark.parametrize("actions", [[], ["x"], ["8", "x", "7", "7"]])
async def test_what_is_remembered_of_each_does_not_depend_on_what_else_is_asked(
    store: Store, events: list[str], actions: list[str]
) -> None:
    await accept(store, owed("a"), owed("b", action_id=8), now=NOW)

    remembered = await store.remember([f"1:evt_{name}" for name in events], [(1, name) for name in actions])

    assert remembered.events.keys() == {f"1:evt_{name}" for name in events if name != "x"}
    assert remembered.actions.keys() == {(1, name) for name in actions if name != "x"}


async def test_a_new_action_has_an_id_of_its_own_that_an_event_can_use(store: Store) -> None:
    first, second = await store.new_action(1, NOW), await store.new_action(2, NOW)

    intake = await store.accept([owed("a", action_id=first, known_revision=0)], NOW, terms(0))

    assert first != second
    assert intake.accepted[0].fresh


async def test_a_new_action_skips_an_id_the_platform_has_used(store: Store, look: Look) -> None:
    first = await store.new_action(1, NOW)
    await accept(store, owed("a", action_id=first + 2), now=NOW)

    following = [await store.new_action(1, NOW) for _ in range(3)]

    assert first + 2 not in following
    assert len(set(following)) == 3
    assert look.count("action") == 1 + 1 + 3, "and nothing is left of the one skipped"


async def test_the_newest_secret_at_a_path_counts(store: Store) -> None:
    await accept(store, owed("a", secrets={"action.token": "sealed 1", "other": "sealed x"}), now=NOW)
    await accept(store, owed("b", secrets={"action.token": "sealed 2"}), now=NOW + 1)

    assert await store.sealed(1, "action.token") == "sealed 2"
    assert await store.sealed(1, "other") == "sealed x"
    assert await store.sealed(2, "action.token") is None


async def test_what_cannot_be_rendered_is_born_failed_and_takes_no_lane(store: Store, look: Look) -> None:
    unrenderable = owed_delivery("dlv_a", request=None, unrenderable="action.sha is missing")

    intake = await accept(store, owed("a", unrenderable), now=NOW, terms=terms())

    row = look.delivery("dlv_a")
    assert (row["status"], row["because"], row["lane_id"]) == ("failed", "action.sha is missing", None)
    assert row["ended_at"] == NOW
    assert intake.leased == ()
    assert not look.lane_exists()


async def test_a_free_node_is_handed_what_it_accepts(store: Store, look: Look) -> None:
    intake = await accept(store, owed("a"), now=NOW, terms=terms())

    (leased,) = intake.leased
    (attempt,) = look.attempts("dlv_a")
    assert (leased.delivery_id, leased.attempt, leased.event_id) == ("dlv_a", 1, "evt_a")
    assert leased.request == owed("a").deliveries[0].request
    assert (attempt["token"], attempt["started_at"], attempt["finished_at"]) == (leased.token, NOW, None)
    assert (look.lane()["token"], look.lane()["due_at"]) == (leased.token, NOW + LEASE)


async def test_no_more_is_handed_out_than_the_node_can_take(store: Store, look: Look) -> None:
    events = [owed(name, action_id=name, lane_key=name) for name in "abc"]

    intake = await accept(store, *events, now=NOW, terms=terms(2))

    assert len(intake.leased) == 2
    assert sorted(look.statuses().values()) == ["queued", "sending", "sending"]
    look.check()


async def test_of_a_list_only_what_is_head_at_the_end_is_handed_out(store: Store, look: Look) -> None:
    events = [owed("a", type="action.queued"), owed("b"), owed("c", type="action.completed")]

    intake = await accept(store, *events, now=NOW, terms=terms())

    assert [leased.delivery_id for leased in intake.leased] == ["dlv_c"]
    assert look.statuses() == {"dlv_a": "superseded", "dlv_b": "superseded", "dlv_c": "sending"}
    assert {ending.delivery_id for ending in intake.endings} == {"dlv_a", "dlv_b"}


async def test_of_an_ordered_list_only_the_first_is_handed_out(store: Store, look: Look) -> None:
    events = [owed(name, policy=LanePolicy.ORDERED) for name in "abc"]

    intake = await accept(store, *events, now=NOW, terms=terms())

    assert [leased.delivery_id for leased in intake.leased] == ["dlv_a"]
    assert look.statuses() == {"dlv_a": "sending", "dlv_b": "queued", "dlv_c": "queued"}


async def test_a_late_event_is_stored_superseded(store: Store, look: Look) -> None:
    await accept(store, owed("done", type="action.completed"), now=NOW)

    intake = await accept(store, owed("late"), now=NOW + 1)

    assert look.statuses() == {"dlv_done": "queued", "dlv_late": "superseded"}
    assert [ending.delivery_id for ending in intake.endings] == ["dlv_late"]


async def test_an_event_may_owe_several_lanes(store: Store, look: Look) -> None:
    deliveries = [
        owed_delivery("dlv_1", hook_id="hook_1", lane_key="one"),
        owed_delivery("dlv_2", hook_id="hook_2", lane_key="two"),
        owed_delivery("dlv_3", hook_id="hook_3", lane_key="two", state="other"),
    ]

    await accept(store, owed("a", *deliveries), now=NOW)

    assert look.statuses() == {"dlv_1": "queued", "dlv_2": "superseded", "dlv_3": "queued"}


async def test_numbers_of_another_pipeline_turn_a_lane_to_the_order_of_first_acceptance(
    store: Store, look: Look
) -> None:
    await accept(store, owed("ours", number=50), now=NOW)

    await accept(store, replace(owed("theirs", number=3), pipeline_id=2), now=NOW + 1)

    assert look.statuses() == {"dlv_ours": "superseded", "dlv_theirs": "queued"}
    assert look.lane()["scope"] is None
