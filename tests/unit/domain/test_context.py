from __future__ import annotations

import pytest

from hookengine.domain.context import MARK, MISSING, lookup, merge, paths, too_deep
from hookengine.guard.vault import context as vault

CONTEXT = {
    "action": {"id": 7, "empty": None, "steps": [{"name": "build"}, {"name": "test"}]},
    "labels": {"app.kubernetes.io/name": "shop", "app": {"tier": "web"}},
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("action.id", 7),
        ("action.empty", None),
        ("action.steps.1.name", "test"),
        ("labels.app.tier", "web"),
        ("action", CONTEXT["action"]),
        ("action.none", MISSING),
        ("action.id.deeper", MISSING),
        ("action.empty.deeper", MISSING),
        ("action.steps.2", MISSING),
        ("action.steps.-1", MISSING),
        ("action.steps.name", MISSING),
        ("action.steps.\u0661", MISSING),
        pytest.param("action.steps." + "9" * 5_000, MISSING, id="a long number"),
        ("", MISSING),
        ("nothing", MISSING),
    ],
)
def test_a_path_leads_to_a_value_or_to_nothing(path: str, value: object) -> None:
    found = lookup(CONTEXT, path)

    assert found is value or found == value


def test_a_key_with_dots_is_found_where_nothing_shorter_is() -> None:
    assert lookup({"labels": {"k8s.io/name": "shop"}}, "labels.k8s.io/name") == "shop"


@pytest.mark.parametrize("whole", [None, "text", 7, []])
def test_what_is_no_object_has_no_paths(whole: object) -> None:
    assert lookup(whole, "a") is MISSING


@pytest.mark.parametrize(
    ("older", "newer", "merged"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": {MARK: "a"}}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": {MARK: "a"}}, {"a": {MARK: "a"}}),
        (
            {"a": {"b": {MARK: "a.b"}}},
            {"a": {"b": {MARK: "a.b"}, "c": 1}},
            {"a": {"b": {MARK: "a.b"}, "c": 1}},
        ),
    ],
)
def test_newer_data_is_laid_over_older(
    older: dict[str, object], newer: dict[str, object], merged: dict[str, object]
) -> None:
    assert merge(older, newer) == merged


def test_merging_leaves_both_sides_as_they_were() -> None:
    older, newer = {"a": {"b": 1}}, {"a": {"c": 2}}

    merge(older, newer)

    assert (older, newer) == ({"a": {"b": 1}}, {"a": {"c": 2}})


def test_paths_name_parents_before_children() -> None:
    assert list(paths({"a": {"b": {"c": 1}, "d": []}, "e": 1})) == ["a", "a.b", "a.b.c", "a.d", "e"]


def test_the_mark_of_a_secret_is_the_vaults() -> None:
    assert MARK == vault.MARK


def _nested(levels: int, innermost: object) -> object:
    value = innermost
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize("innermost", [1, None, "text", {}, []])
def test_depth_counts_objects_and_lists_empty_ones_too(innermost: object) -> None:
    levels = 3 + isinstance(innermost, (dict, list))

    assert not too_deep(_nested(3, innermost), levels)
    assert too_deep(_nested(3, innermost), levels - 1)


def test_depth_is_found_beyond_what_recursion_could() -> None:
    assert too_deep(_nested(100_000, 1), 50)
