from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest

from hookengine.errors import ConfigError
from hookengine.manifest.selector import Selector

FACTS: Mapping[str, Collection[str]] = {
    "managed-by": {"team-a"},
    "kind": {"hook"},
    "pipeline": {"1", "shop-deploy"},
    "name": {"CI(build)", "hook_1"},
}


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        ("managed-by=team-a", True),
        ("managed-by=team-b", False),
        ("pipeline=shop-deploy", True),
        ("pipeline=1", True),
        ("pipeline=shop-*", True),
        ("pipeline=blog-*", False),
        ("kind=hook, name=CI(build)", True),
        ("kind=pipeline,name=CI(build)", False),
        ("name=hook_1", True),
        ("name=*", True),
    ],
)
def test_all_terms_must_hold(text: str, covered: bool) -> None:
    assert Selector.parse(text).covers(FACTS) is covered


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "selector: '' must be such as managed-by=team-a"),
        ("team-a", "selector: 'team-a' must be such as"),
        ("managed-by=", "selector: 'managed-by=' must be such as"),
        ("manged-by=team-a", "unknown key 'manged-by', did you mean 'managed-by'?"),
        ("zone=eu", "unknown key 'zone'; there is managed-by, kind, pipeline, name"),
        ("name=a,name=b", "'name' stands twice"),
    ],
)
def test_a_selector_that_says_nothing_or_nonsense_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Selector.parse(text)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "manager"),
    [
        ("managed-by=team-a", "file:team-a"),
        ("managed-by=file", "file"),
        ("managed-by=team-*", None),
        ("pipeline=shop-deploy", None),
    ],
)
def test_a_selector_of_one_manager_says_who_that_is(text: str, manager: str | None) -> None:
    assert Selector.parse(text).manager == manager
