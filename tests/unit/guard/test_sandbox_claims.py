from __future__ import annotations

from typing import Any

import pytest

from hookengine.domain.request import SecretRef
from hookengine.errors import TemplateError
from hookengine.guard.sandbox import Unit

SHA = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
CONTEXT: dict[str, Any] = {
    "action": {"hash": SHA, "long": "aB" * 32, "none": None, "empty": "", "list": [SHA], "short": SHA[:12]},
    "page": "https://deploy.example/actions/41",
    "token": SecretRef("secrets.github"),
}


def value_of(expression: str, params: dict[str, Any] | None = None) -> Any:
    unit = Unit(params)
    leaf = unit.leaf("target_url", "{{ " + expression + " }}")
    run = unit.compile().run(CONTEXT)
    assert leaf.hole is not None
    return run.values[leaf.hole.slot]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("action.hash | commit_hash", SHA),
        ("action.long | commit_hash", "aB" * 32),
        ("page | web_url", CONTEXT["page"]),
        ("page | web_url(33)", CONTEXT["page"]),
        ("'http://127.0.0.1:8000/x?a=b#c' | web_url", "http://127.0.0.1:8000/x?a=b#c"),
    ],
)
def test_what_is_right_goes_through_as_it_is(expression: str, expected: str) -> None:
    assert value_of(expression) == expected


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("action.gone | commit_hash", "there is no commit hash: action.gone is not in the context"),
        ("action.none | commit_hash", "there is no commit hash: the value is empty"),
        ("action.empty | commit_hash", "there is no commit hash: the value is empty"),
        ("action.short | commit_hash", "40 or 64 hexadecimal digits"),
        ("'main' | commit_hash", "40 or 64 hexadecimal digits"),
        ("(action.hash ~ '0') | commit_hash", "40 or 64 hexadecimal digits"),
        ("action.list | commit_hash", "a list, which has no text"),
        ("token | commit_hash", "is a secret"),
        ("page | web_url(32)", "more than 32 characters, and addresses are not cut"),
        ("action.gone | web_url", "action.gone is not in the context"),
        ("action.none | web_url", "null, which has no text"),
        ("token | web_url", "is a secret"),
        ("page | web_url('x')", "a whole number"),
        *[
            (f"'{wrong}' | web_url", "not the address of a web page")
            for wrong in (
                "deploy.example/1",
                "ftp://a.b/",
                "javascript:alert(1)",
                "https://",
                "http://[",
                "//a.b",
            )
        ],
    ],
)
def test_what_is_wrong_is_told(expression: str, message: str) -> None:
    with pytest.raises(TemplateError, match=None) as caught:
        value_of(expression)

    assert message in caught.value.message


def test_the_hint_says_where_the_hash_should_have_come_from() -> None:
    with pytest.raises(TemplateError) as caught:
        value_of("params.sha | commit_hash", {"sha": "{{ action.commit }}"})

    assert caught.value.message == "there is no commit hash: action.commit is not in the context"
    assert "the variable `commit_hash` of the incoming hook" in caught.value.hint
    assert "`sha`" in caught.value.hint
