from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hookengine.domain.definition import Kind
from hookengine.domain.hook import HookState
from hookengine.domain.pipeline import IncomingHook
from hookengine.errors import ConfigError
from hookengine.manifest import Manifest
from hookengine.manifest.plan import Plan, Verb, Wish, plan
from hookengine.manifest.selector import Selector
from hookengine.store.care import Definitions
from hookengine.store.standing import Standing
from tests.conftest import make_hook, make_pipeline

PIPELINE = make_pipeline(id=1, name="shop")
HOOK = make_hook(id="ci", pipeline_id=1, body={"state": "pending"})
INCOMING = IncomingHook(id="inc_1", name="pushes", pipeline_id=1)
FULL = Manifest(pipelines=(PIPELINE,), hooks=(HOOK,), incoming_hooks=(INCOMING,))
EVERYTHING = Selector.parse("name=*")


def standing(manifest: Manifest = FULL, managed_by: str = "file:apply", **facts: Any) -> Standing:
    """All of it is there already, and managed by one."""
    defined = Definitions(
        pipelines=manifest.pipelines, hooks=manifest.hooks, incoming_hooks=manifest.incoming_hooks
    )
    keys = [
        *((Kind.PIPELINE, pipeline.id) for pipeline in manifest.pipelines),
        *((Kind.HOOK, hook.id) for hook in manifest.hooks),
        *((Kind.INCOMING_HOOK, hook.id) for hook in manifest.incoming_hooks),
    ]
    return Standing(version=7, definitions=defined, managed_by=dict.fromkeys(keys, managed_by), **facts)


def told(planned: Plan) -> list[str]:
    return [f"{step.verb} {step.kind} {step.id}" for step in planned.steps]


def fields(planned: Plan) -> list[tuple[str, Any, Any]]:
    return [(field.field, field.before, field.after) for step in planned.steps for field in step.fields]


def test_what_nobody_defined_yet_is_created() -> None:
    planned = plan(Wish(manifest=FULL), standing(Manifest()))

    assert told(planned) == ["create pipeline 1", "create hook ci", "create incoming hook inc_1"]
    assert [step.pipeline for step in planned.steps] == [None, "shop", "shop"]
    assert set(planned.changes.managed_by.values()) == {"file:apply"}
    assert planned.changes.version == 7


def test_what_is_there_already_is_left_alone() -> None:
    planned = plan(Wish(manifest=FULL), standing())

    assert {step.verb for step in planned.steps} == {Verb.UNCHANGED}
    assert not planned.changes


def test_a_change_names_the_fields_as_the_file_does() -> None:
    changed = replace(
        HOOK,
        body={"state": "success"},
        headers=(("accept", "text/plain"),),
        timeout=5.0,
        state=HookState.DISABLED,
    )

    planned = plan(Wish(manifest=Manifest(hooks=(changed,))), standing())

    assert fields(planned) == [
        ("active", True, False),
        ("settings.request_headers", [], [{"name": "accept", "value": "text/plain"}]),
        ("settings.request_body.state", "pending", "success"),
        ("timeout", "30s", "5s"),
    ]


@pytest.mark.parametrize(
    ("value", "shown"), [("Bearer abc", "(hidden)"), ("Bearer {{ secrets.b }}", "Bearer {{ secrets.b }}")]
)
def test_a_token_in_the_open_is_not_shown(value: str, shown: str) -> None:
    before = replace(HOOK, headers=(("authorization", "Bearer {{ secrets.a }}"),), params={"token": "x"})
    after = replace(HOOK, headers=(("authorization", value),), params={"token": "y"})

    planned = plan(Wish(manifest=Manifest(hooks=(after,))), standing(Manifest(hooks=(before,))))

    assert fields(planned) == [
        ("with.token", "(hidden)", "(hidden)"),
        ("settings.request_headers[0].value", "Bearer {{ secrets.a }}", shown),
    ]


def test_true_is_another_value_than_one() -> None:
    before, after = replace(HOOK, body={"n": 1}), replace(HOOK, body={"n": True})

    planned = plan(Wish(manifest=Manifest(hooks=(after,))), standing(Manifest(hooks=(before,))))

    assert fields(planned) == [("settings.request_body.n", 1, True)]


# Managers


def test_what_files_manage_keeps_its_manager_unless_one_is_named() -> None:
    kept = plan(Wish(manifest=FULL), standing(managed_by="file"))
    taken = plan(Wish(manifest=FULL, manager="file:team-a"), standing(managed_by="file"))

    assert not kept.changes
    assert set(taken.changes.managed_by.values()) == {"file:team-a"}
    assert fields(taken)[0] == ("managed_by", "file", "team-a")


@pytest.mark.parametrize("manager", ["api", "events", ""])
def test_what_no_file_managed_is_taken_over(manager: str) -> None:
    planned = plan(Wish(manifest=FULL), standing(managed_by=manager))

    assert {step.verb for step in planned.steps} == {Verb.CHANGE}
    assert set(planned.changes.managed_by.values()) == {"file:apply"}


# Deleting


def test_nothing_is_deleted_without_being_asked() -> None:
    assert plan(Wish(manifest=Manifest()), standing()).steps == ()


def test_what_the_files_name_no_more_is_deleted_when_pruning() -> None:
    planned = plan(Wish(manifest=Manifest(), prune=EVERYTHING), standing())

    assert told(planned) == ["delete pipeline 1", "delete hook ci", "delete incoming hook inc_1"]
    assert planned.changes.gone == set(standing().managed_by)


@pytest.mark.parametrize("manager", ["api", "events", ""])
def test_what_no_file_manages_is_never_deleted(manager: str) -> None:
    assert plan(Wish(manifest=Manifest(), prune=EVERYTHING), standing(managed_by=manager)).steps == ()


@pytest.mark.parametrize(
    ("selector", "deleted"),
    [
        ("managed-by=team-b", []),
        ("kind=hook", ["delete hook ci"]),
        ("kind=incoming-hook,pipeline=shop", ["delete incoming hook inc_1"]),
        ("pipeline=blog", []),
        ("name=commit*", ["delete hook ci"]),
    ],
)
def test_only_what_the_selector_covers_is_deleted(selector: str, deleted: list[str]) -> None:
    wish = Wish(manifest=Manifest(), prune=Selector.parse(selector))

    assert told(plan(wish, standing())) == deleted


def test_a_pipeline_stays_while_something_hangs_on_it() -> None:
    prune = Wish(manifest=Manifest(), prune=EVERYTHING)
    known = standing()
    of_the_api = replace(known, managed_by={**known.managed_by, (Kind.HOOK, "ci"): "api"})

    assert told(plan(prune, standing(in_use=frozenset({1})))) == [
        "delete hook ci",
        "delete incoming hook inc_1",
    ]
    assert told(plan(prune, of_the_api)) == ["delete incoming hook inc_1"]


# Hooks that are switched off


@pytest.mark.parametrize("state", [HookState.PAUSED, HookState.DISABLED])
def test_a_hook_that_was_switched_off_stays_so_until_its_definition_changes(state: HookState) -> None:
    off = standing(Manifest(hooks=(replace(HOOK, state=state),)), because={"ci": "it only failed"})

    same = plan(Wish(manifest=Manifest(hooks=(HOOK,))), off)
    taken = plan(Wish(manifest=Manifest(hooks=(HOOK,)), manager="file:b"), off)
    changed = plan(Wish(manifest=Manifest(hooks=(replace(HOOK, method="PUT"),))), off)

    assert not same.changes
    assert (taken.changes.written.hooks[0].state, taken.changes.because) == (state, {"ci": "it only failed"})
    assert (changed.changes.written.hooks[0].state, changed.changes.because) == (HookState.ACTIVE, {})


def test_a_hook_that_is_written_disabled_is_off_for_no_other_reason_any_more() -> None:
    off = replace(HOOK, state=HookState.DISABLED)

    planned = plan(
        Wish(manifest=Manifest(hooks=(off,))), standing(Manifest(hooks=(off,)), because={"ci": "gone"})
    )

    assert fields(planned) == [("because", "gone", None)]


# Names


def test_a_name_that_another_pipeline_keeps_is_refused() -> None:
    twin = Manifest(pipelines=(make_pipeline(id=2, name="shop"),))

    with pytest.raises(ConfigError, match="pipeline 1 has the name 'shop' already; give pipeline 2 another"):
        plan(Wish(manifest=twin), standing())


def test_a_name_that_becomes_free_may_be_taken() -> None:
    swapped = Manifest(pipelines=(make_pipeline(id=1, name="blog"), make_pipeline(id=2, name="shop")))

    planned = plan(Wish(manifest=swapped), standing())

    assert told(planned) == ["change pipeline 1", "create pipeline 2"]
