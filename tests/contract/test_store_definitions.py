from __future__ import annotations

from collections.abc import Sequence

import pytest

from hookengine.domain.hook import Condition, Hook, HookState, LanePolicy, LaneSpec
from hookengine.domain.pipeline import IncomingHook, Pipeline, Variable, VariableType
from hookengine.domain.response import ResponseRule, Ruling
from hookengine.domain.retry import RetryPolicy
from hookengine.errors import ConfigError
from hookengine.store.care import Definitions
from hookengine.store.contract import Store
from tests.conftest import NOW, make_hook, make_pipeline
from tests.contract.conftest import NO_LEASE, Look, accept, delivered, owed, refused, terms, try_again
from tests.definitions import define

pytestmark = pytest.mark.anyio

FULL_HOOK = make_hook(
    method="PUT",
    pipeline_id=4,
    action_type="deploy",
    headers=(("x-name", "{{ action.id }}"),),
    body={"state": "{{ state }}", "list": [1, None, True]},
    conditions=(Condition(path="action.type", accepted_values=("deploy", 1, None)),),
    lane=LaneSpec(policy=LanePolicy.ORDERED, key="{{ action.id }}"),
    retry=RetryPolicy(waits=(1, 2), give_up_after=9, jitter=0.5),
    timeout=12.5,
    responses=(
        ResponseRule(
            statuses=("422", "5xx"), then=Ruling.SUCCESS, because="there", headers={"x": "y"}, body="exists"
        ),
    ),
    preset="gitlab",
    params={"project": "a/b"},
)
FULL_INCOMING = IncomingHook(
    id="inc_1",
    name="push",
    pipeline_id=1,
    variables=(Variable(name="sha", path="after", type=VariableType.STRING, required=True, default="x"),),
    conditions=(Condition(path="ref", accepted_values=("refs/heads/main",)),),
    secret="push",
    active=False,
)


async def _apply(
    store: Store,
    *hooks: Hook,
    pipelines: Sequence[Pipeline] = (),
    incoming: Sequence[IncomingHook] = (),
    managed_by: str = "manifest",
    now: int = NOW,
) -> Definitions:
    definitions = Definitions(hooks=hooks, pipelines=tuple(pipelines), incoming_hooks=tuple(incoming))
    return await define(store, definitions, managed_by, now)


async def _send_away(store: Store, now: int) -> None:
    """The target of hook_1 answers 410."""
    (leased,) = (await accept(store, owed("gone", lane_key="gone"), now=now, terms=terms())).leased
    await store.finish(refused(leased, now, gone=True), now, NO_LEASE)


async def test_definitions_come_back_as_they_were_given(store: Store) -> None:
    pipeline = make_pipeline(operation="build", context={"environment": {"name": "production"}})

    defined = await _apply(store, FULL_HOOK, pipelines=[pipeline], incoming=[FULL_INCOMING])

    assert defined == Definitions(hooks=(FULL_HOOK,), pipelines=(pipeline,), incoming_hooks=(FULL_INCOMING,))


async def test_a_hook_that_did_not_change_keeps_its_revision(store: Store) -> None:
    await _apply(store, FULL_HOOK)

    defined = await _apply(store, FULL_HOOK, now=NOW + 1)

    assert [hook.revision for hook in defined.hooks] == [1]


async def test_a_changed_hook_gets_a_new_revision_and_the_old_one_stays_readable(store: Store) -> None:
    await _apply(store, make_hook(method="POST"))

    defined = await _apply(store, make_hook(method="PUT"), now=NOW + 1)

    old, new = await store.hook_revision("hook_1", 1), await store.hook_revision("hook_1", 2)
    assert [hook.revision for hook in defined.hooks] == [2]
    assert (old and old.method, new and new.method) == ("POST", "PUT")
    assert await store.hook_revision("hook_1", 3) is None


async def test_each_manager_changes_only_its_own(store: Store) -> None:
    await _apply(store, make_hook(id="theirs"), managed_by="api")
    await _apply(store, make_hook(id="ours"), make_hook(id="dropped"))

    defined = await _apply(store, make_hook(id="ours"))

    assert [hook.id for hook in defined.hooks] == ["ours", "theirs"]


async def test_incoming_hooks_go_and_pipelines_that_had_actions_stay(store: Store) -> None:
    unused = make_pipeline(id=2, name="unused")
    await _apply(store, pipelines=[make_pipeline(), unused], incoming=[FULL_INCOMING])
    await accept(store, owed("a"), now=NOW + 1)

    defined = await _apply(store)

    assert (defined.pipelines, defined.incoming_hooks) == ((make_pipeline(),), ())


@pytest.mark.parametrize("how", ["deleted", "disabled", "sent away"])
async def test_what_a_hook_owes_is_cancelled_when_it_goes(store: Store, look: Look, how: str) -> None:
    await _apply(store, make_hook())
    await accept(store, owed("a"), now=NOW + 1)

    match how:
        case "deleted":
            await _apply(store, now=NOW + 2)
        case "disabled":
            await _apply(store, make_hook(state=HookState.DISABLED), now=NOW + 2)
        case _:
            await _send_away(store, NOW + 2)
    claimed = await store.claim(NOW + 3, terms())

    assert claimed.leased == ()
    assert [(ending.delivery_id, ending.status) for ending in claimed.endings] == [("dlv_a", "cancelled")]
    assert look.delivery("dlv_a")["attempts"] == 0


async def test_what_waited_stays_cancelled_after_a_hook_is_on_again(store: Store, look: Look) -> None:
    await _apply(store, make_hook())
    await accept(store, owed("a"), now=NOW + 1)
    await _apply(store, make_hook(state=HookState.DISABLED), now=NOW + 2)
    await _apply(store, make_hook(), now=NOW + 3)
    await accept(store, owed("b", lane_key="other"), now=NOW + 4)

    claimed = await store.claim(NOW + 5, terms())

    assert [leased.delivery_id for leased in claimed.leased] == ["dlv_b"]
    assert look.statuses() == {"dlv_a": "cancelled", "dlv_b": "sending"}


async def test_a_request_under_way_counts_though_its_hook_is_deleted(store: Store, look: Look) -> None:
    await _apply(store, make_hook())
    first = (await accept(store, owed("a", lane_key="1"), now=NOW + 1, terms=terms())).leased[0]
    second = (await accept(store, owed("b", lane_key="2"), now=NOW + 1, terms=terms())).leased[0]
    await _apply(store, now=NOW + 2)

    await store.finish(delivered(first, NOW + 3), NOW + 3, NO_LEASE)
    await store.finish(try_again(second, NOW + 3), NOW + 3, NO_LEASE)

    assert look.statuses() == {"dlv_a": "delivered", "dlv_b": "cancelled"}


async def test_a_hook_that_was_switched_off_stays_off_until_its_definition_changes(store: Store) -> None:
    await _apply(store, make_hook())
    await _send_away(store, NOW + 1)

    same = await _apply(store, make_hook(), now=NOW + 2)
    changed = await _apply(store, make_hook(target_url="https://new.example"), now=NOW + 3)

    assert [hook.state for hook in same.hooks] == [HookState.DISABLED]
    assert [hook.state for hook in changed.hooks] == [HookState.ACTIVE]


async def test_a_deleted_hook_may_come_back(store: Store) -> None:
    await _apply(store, make_hook())
    await _send_away(store, NOW + 1)
    await _apply(store, now=NOW + 2)

    defined = await _apply(store, make_hook(), now=NOW + 3)

    assert [(hook.id, hook.state, hook.revision) for hook in defined.hooks] == [
        ("hook_1", HookState.ACTIVE, 1)
    ]


async def test_a_hook_its_target_sent_away_works_again_after_it_was_written_disabled(store: Store) -> None:
    await _apply(store, make_hook())
    await _send_away(store, NOW + 1)
    await _apply(store, make_hook(state=HookState.DISABLED), now=NOW + 2)

    defined = await _apply(store, make_hook(), now=NOW + 3)

    assert [hook.state for hook in defined.hooks] == [HookState.ACTIVE]


async def test_a_clock_that_was_ahead_when_a_hook_was_switched_off_cancels_nothing_new(store: Store) -> None:
    ahead = NOW + 1_000_000
    await _apply(store, make_hook())
    await _apply(store, make_hook(state=HookState.DISABLED), now=ahead)
    await _apply(store, make_hook(), now=NOW)

    await accept(store, owed("a"), now=NOW + 1)

    claimed = await store.claim(NOW + 2, terms())
    assert [leased.delivery_id for leased in claimed.leased] == ["dlv_a"]


async def test_pipelines_may_swap_their_names(store: Store) -> None:
    await _apply(store, pipelines=[make_pipeline(id=1, name="a"), make_pipeline(id=2, name="b")])

    defined = await _apply(store, pipelines=[make_pipeline(id=1, name="b"), make_pipeline(id=2, name="a")])

    assert [(pipeline.id, pipeline.name) for pipeline in defined.pipelines] == [(1, "b"), (2, "a")]


async def test_a_name_another_pipeline_has_is_refused_and_nothing_changes(store: Store) -> None:
    await _apply(store, pipelines=[make_pipeline(id=9, name="taken")], managed_by="api")
    await _apply(store, pipelines=[make_pipeline(id=1, name="a")])

    with pytest.raises(ConfigError, match="pipeline 9 has the name 'taken' already"):
        await _apply(store, pipelines=[make_pipeline(id=1, name="taken")])

    _, defined = await store.definitions()
    assert defined is not None
    assert [(pipeline.id, pipeline.name) for pipeline in defined.pipelines] == [(1, "a"), (9, "taken")]


async def test_a_pipeline_is_created_once_and_the_next_one_gets_another_id(store: Store) -> None:
    first = await store.create_pipeline("deploy")
    again = await store.create_pipeline("deploy")
    both = await store.create_pipeline("restart")
    by_id = await store.create_pipeline(7)

    assert [(pipeline.id, pipeline.name) for pipeline in first.pipelines] == [(1, "deploy")]
    assert again == first
    assert [(pipeline.id, pipeline.name) for pipeline in both.pipelines] == [(1, "deploy"), (2, "restart")]
    assert [pipeline.name for pipeline in by_id.pipelines] == ["deploy", "restart", "pipeline-7"]
