"""Secrets in the templates of a hook: which places and hosts they may have is told before any event comes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hookengine.domain.hook import Hook, LanePolicy, LaneSpec
from hookengine.domain.request import RenderedRequest, SecretRef
from hookengine.domain.status_call import recognise
from hookengine.engine.preparing import prepare
from hookengine.errors import TemplateError
from hookengine.guard.permissions import Permissions
from hookengine.guard.secret_paths import SecretPaths
from hookengine.guard.vault import fill
from tests.conftest import make_hook

JSON = (("Content-Type", "application/json"),)
GITHUB = SecretRef("secrets.github")
FROM_CONTEXT = SecretRef("context:1:application.token")
CONTEXT = {
    "action": {"id": 42},
    "application": {"token": FROM_CONTEXT, "name": "shop"},
    "secrets": {"github": GITHUB, "chat": SecretRef("secrets.chat")},
}
PERMISSIONS = Permissions(
    audiences={"github": frozenset({"target.example"}), "chat": frozenset({"target.example"})},
    context_paths=SecretPaths(["**.token"]),
    context_hosts=frozenset({"target.example"}),
    in_bodies=frozenset({"chat"}),
)


def bearer(value: str) -> dict[str, Any]:
    return {"headers": (("Authorization", f"Bearer {value}"),)}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"target_url": "https://target.example/{{ secrets.github }}"},
            "target_url, line 1, column 27: secrets.github is a secret: it may not stand in a URL",
        ),
        (
            {"target_url": "https://target.example/?t={{ application.token | default('x') }}"},
            "target_url, line 1, column 30: application.token is a secret: it may not stand in a URL",
        ),
        (
            {"target_url": "https://target.example/{% if action.id %}{{ secrets['github'] }}{% endif %}"},
            "secrets.github is a secret: it may not stand in a URL",
        ),
        (
            {"target_url": "https://target.example/{{ params.p }}", "params": {"p": "a{{ secrets.github }}"}},
            "params.p, line 1, column 5: secrets.github is a secret: it may not stand in a URL",
        ),
        (
            {"lane": LaneSpec(policy=LanePolicy.LATEST, key="{{ secrets.github }}")},
            "lane.key, line 1, column 4: secrets.github is a secret: it may not stand in the key of a lane",
        ),
        (
            {"body": "{{ secrets.chat }}"},
            "secrets.chat is a secret: it may not stand in a body that is not JSON",
        ),
        (
            {"body": {"a": [{"b": "{{ secrets.github }}"}]}},
            ("settings.request_body.a[0].b, line 1, column 4: secrets.github is a secret: "
            "it may not stand in a body (send it in a header; "
            "an operator can allow it here with secrets.github.in_bodies: true)"),
        ),
        (
            {"body": {"a": "{{ application.token }}"}},
            "application.token is a secret: it may not stand in a body",
        ),
        (
            {"target_url": "https://other.example/", **bearer("{{ secrets.github }}")},
            ("settings.request_headers[0].value, line 1, column 11: secrets.github may not go to other.example "
            "(if it should, add other.example to secrets.github.hosts)"),
        ),
        (
            {"target_url": "https://other.example/", **bearer("{{ application.token }}")},
            "application.token may not go to other.example (if it should, add other.example to secrets.context_hosts)",
        ),
        (
            {"target_url": "https://other.example/", "body": {"a": "{{ secrets.chat }}"}},
            "secrets.chat may not go to other.example",
        ),
        (
            {"target_url": "{{ params.u }}/x", "params": {"u": "https://OTHER.example"},
             **bearer("{{ secrets.github }}")},
            "secrets.github may not go to other.example",
        ),
    ],
)  # fmt: skip
def test_a_secret_in_the_wrong_place_is_told_with_its_place_and_what_to_do(
    changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(TemplateError) as refused:
        prepare(make_hook(**changes), PERMISSIONS)

    assert told in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        bearer("{{ secrets.github }}"),
        bearer("{{ application.token }}"),
        {"target_url": "https://TARGET.example:443/", **bearer("{{ secrets.github }}")},
        {"target_url": "https://target.example/{{ 1 if secrets.github is defined else 2 }}"},
        {"target_url": "https://other.example/", "body": {"a": "{{ application.name }}"}},
    ],
)
def test_a_secret_in_its_right_place_is_not_objected_to(changes: dict[str, Any]) -> None:
    prepare(make_hook(**changes), PERMISSIONS).render(CONTEXT)


def in_body(body: Any, **changes: Any) -> RenderedRequest:
    return prepare(make_hook(body=body, **changes), PERMISSIONS).render(CONTEXT).request


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ({"key": "{{ secrets.chat }}", "text": "<{{ secrets.chat | b64encode }}>", "id": "{{ action.id }}"}, ()),
        ('{"key": "{{ secrets.chat }}", "text": "<{{ secrets.chat|b64encode }}>", "id": {{ action.id }}}', JSON),
        ('{"key": {{ secrets.chat }}, "text": "<{% if true %}{{ secrets.chat|b64encode }}{% endif %}>", "id":42}',
         JSON),
    ],
)  # fmt: skip
def test_a_secret_that_may_be_in_bodies_is_a_hole_there_and_cannot_bend_the_json(
    body: Any, headers: Any
) -> None:
    request = in_body(body, headers=headers)
    secret = 'a"b\\c\n</é'

    _, sent = RenderedRequest.from_json(request.to_json()).filled(
        lambda ref: fill(ref, {"secrets.chat": secret})
    )

    assert request.secrets == {"secrets.chat"}
    assert "secrets.chat" in str(request.shown()["body"])
    assert json.loads(sent) == {"key": secret, "text": "<YSJiXGMKPC/DqQ==>", "id": 42}


def test_a_preset_may_say_that_what_it_calls_wants_a_secret_in_the_body() -> None:
    body = {"key": "{{ secrets.github }}", "token": "{{ application.token }}"}

    assert in_body(body, secrets_in_body=True).secrets == {"secrets.github", FROM_CONTEXT.name}


def test_a_secret_that_only_a_render_finds_is_refused_there_too() -> None:
    hook = make_hook(body={"a": "{% set it = secrets %}{{ it.github }}"})

    with pytest.raises(TemplateError, match=r"secrets\.github is a secret"):
        prepare(hook, PERMISSIONS).render(CONTEXT)


def test_a_commit_status_with_a_secret_in_its_body_is_still_recognised() -> None:
    hook: Hook = make_hook(
        target_url="https://target.example/repos/a/b/statuses/c",
        body={"context": "ci", "key": "{{ secrets.chat }}"},
    )

    call = recognise(prepare(hook, PERMISSIONS).render(CONTEXT).request)

    assert call is not None
    assert call.context == "ci"
