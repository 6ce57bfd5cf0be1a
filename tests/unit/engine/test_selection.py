from __future__ import annotations

from typing import Any

import pytest

from hookengine.domain.hook import Condition, HookState
from hookengine.engine.selection import select, why_not
from tests.conftest import make_hook

CONTEXT = {"action": {"type": "deploy", "branch": "main", "number": 42, "dry": False}}


@pytest.mark.parametrize(
    ("changes", "event_type"),
    [
        ({}, "action.queued"),
        ({}, "action.timed_out"),
        ({"events": ("action.started",)}, "action.started"),
        ({"events": ("release.made",)}, "release.made"),
        ({"action_type": "deploy"}, "action.started"),
        ({"conditions": (Condition(path="action.number", accepted_values=("42",)),)}, "action.started"),
        (
            {"conditions": (Condition(path="action.branch", accepted_values=("dev", "main")),)},
            "action.started",
        ),
    ],
)
def test_a_hook_gets_the_events_it_wants(changes: dict[str, Any], event_type: str) -> None:
    hook = make_hook(**changes)

    assert why_not(hook, event_type, CONTEXT) is None
    assert select([hook], event_type, CONTEXT) == [hook]


@pytest.mark.parametrize(
    ("changes", "event_type", "why"),
    [
        ({"state": HookState.DISABLED}, "action.started", "it is disabled"),
        ({}, "release.made", "it wants action.status_changed, not release.made"),
        ({"events": ("action.failed",)}, "action.started", "it wants action.failed, not action.started"),
        ({"action_type": "restart"}, "action.started", "it wants actions of type restart, not deploy"),
        (
            {"conditions": (Condition(path="action.branch", accepted_values=("dev", 1)),)},
            "action.started",
            "action.branch must be one of dev, 1",
        ),
        (
            {"conditions": (Condition(path="action.nothing", accepted_values=(None,)),)},
            "action.started",
            "action.nothing must be one of None",
        ),
        (
            {"conditions": (Condition(path="action.dry", accepted_values=(0,)),)},
            "action.started",
            "action.dry must be one of 0",
        ),
    ],
)
def test_a_hook_that_does_not_get_an_event_says_why(
    changes: dict[str, Any], event_type: str, why: str
) -> None:
    hook = make_hook(**changes)

    assert why_not(hook, event_type, CONTEXT) == why
    assert select([hook], event_type, CONTEXT) == []


def test_all_conditions_must_hold() -> None:
    holds = Condition(path="action.branch", accepted_values=("main",))
    fails = Condition(path="action.branch", accepted_values=("dev",))

    assert select([make_hook(conditions=(holds, fails))], "action.started", CONTEXT) == []


def test_the_order_of_the_hooks_is_kept() -> None:
    hooks = [make_hook(id=name) for name in "bca"]

    assert select(hooks, "action.started", CONTEXT) == hooks
