from __future__ import annotations

import pytest

from hookengine.domain.hook import Condition
from tests.conftest import make_hook


@pytest.mark.parametrize(
    ("events", "event_type", "wanted"),
    [
        (("action.completed",), "action.completed", True),
        (("action.completed",), "action.failed", False),
        (("action.status_changed",), "action.queued", True),
        (("action.status_changed",), "action.timed_out", True),
        (("action.status_changed",), "release.published", False),
        (("action.status_changed", "release.published"), "release.published", True),
        ((), "action.completed", False),
    ],
)
def test_a_hook_wants_the_types_it_names(events: tuple[str, ...], event_type: str, wanted: bool) -> None:
    assert make_hook(events=events).wants(event_type) is wanted


@pytest.mark.parametrize(
    ("value", "accepted", "holds"),
    [
        ("main", "main", True),
        ("main", "dev", False),
        (42, 42, True),
        (42, "42", True),
        ("42", 42, True),
        (True, True, True),
        (True, "true", True),
        (True, 1, False),
        (1, True, False),
        (0, False, False),
        (None, None, True),
        (None, "", False),
        ("", None, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ([1, 2], [2, 1], False),
        ([True], [1], False),
    ],
)
def test_values_are_equal_as_json_or_as_text(value: object, accepted: object, holds: bool) -> None:
    condition = Condition(path="action.value", accepted_values=("never this", accepted))

    assert condition.holds({"action": {"value": value}}) is holds


@pytest.mark.parametrize("accepted", [None, "", "null"])
def test_a_missing_path_meets_no_condition(accepted: object) -> None:
    assert not Condition(path="action.branch", accepted_values=(accepted,)).holds({"action": {}})


def test_without_accepted_values_nothing_is_accepted() -> None:
    assert not Condition(path="a", accepted_values=()).holds({"a": 1})


def test_the_first_condition_that_fails_is_told() -> None:
    first, second, third = (Condition(path=path, accepted_values=(1,)) for path in "abc")
    hook = make_hook(conditions=(first, second, third))

    assert hook.first_failing({"a": 1, "b": 2, "c": 3}) is second
    assert hook.first_failing({"a": 1, "b": 1, "c": 1}) is None
