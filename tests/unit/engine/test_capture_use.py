"""Captures in the templates of a hook's requests: where they may stand, and what is told when they may not."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from hookengine.domain.capture import Capture, CaptureMissing
from hookengine.domain.hook import Confirm, Hook, HookRequest
from hookengine.domain.request import RenderedRequest, fill_text
from hookengine.engine.preparing import prepare
from hookengine.errors import TemplateError
from tests.conftest import make_hook

CREATE = HookRequest(
    name="create",
    target_url="https://api.example/deployments",
    body={"ref": "{{ sha }}"},
    captures=(Capture(name="deployment_id", path="id"),),
    once_per_lane=True,
)
PIPELINE = Capture(name="pipeline_id", path="pipeline_id", optional=True)
CONTEXT = {"sha": "abc", "name": "x/y"}


def hook(**changes: Any) -> Hook:
    values: dict[str, Any] = {
        "target_url": "https://api.example/deployments/{{ captured.deployment_id }}/statuses",
        "before": (CREATE,),
    }
    return make_hook(**{**values, **changes})


def rendered(hook: Hook, part: int = -1) -> RenderedRequest:
    prepared = prepare(hook)
    return prepared.render_part(part, CONTEXT).request if part >= 0 else prepared.render(CONTEXT).request


def body_of(request: RenderedRequest, **captured: str) -> Any:
    body = request.with_captured(captured).body
    assert body is not None
    return json.loads(fill_text(body, str))


def test_each_request_of_a_hook_is_rendered_on_its_own() -> None:
    create, status = rendered(hook(), 0), rendered(hook(), 1)

    assert create.url == "https://api.example/deployments"
    assert create.capturing is not None
    assert create.capturing.takes == CREATE.captures
    assert status.url == "https://api.example/deployments/<captured.deployment_id>/statuses"
    assert status.capturing is not None
    assert status.capturing.uses == ("deployment_id",)
    assert status == rendered(hook())


def test_values_are_filled_in_wherever_they_stand() -> None:
    request = rendered(
        hook(
            target_url="https://api.example/{{ name }}/{{ captured.deployment_id }}?of={{ captured.deployment_id }}",
            headers=(("X-Of", "id {{ captured.deployment_id }}"),),
            body={
                "id": "{{ captured.deployment_id }}",
                "text": "of {{ captured.deployment_id }} at {{ sha }}",
                "list": ["{{ captured.deployment_id }}"],
                "said": "{% if sha %}{{ captured.deployment_id }}{% endif %}",
            },
        )
    )

    filled = request.with_captured({"deployment_id": "17"})

    assert filled.url == "https://api.example/x%2Fy/17?of=17"
    assert fill_text(filled.headers[0][1], str) == "id 17"
    assert body_of(request, deployment_id="17") == {
        "id": 17,
        "text": "of 17 at abc",
        "list": [17],
        "said": "17",
    }


def test_what_need_not_be_known_is_left_out_of_its_object() -> None:
    request = rendered(
        make_hook(body={"pipeline_id": "{{ captured.pipeline_id }}", "a": 1}, captures=(PIPELINE,))
    )

    assert body_of(request) == {"a": 1}
    assert body_of(request, pipeline_id="7") == {"a": 1, "pipeline_id": 7}


def test_an_object_may_be_empty_until_something_is_known() -> None:
    request = rendered(make_hook(body={"pipeline_id": "{{ captured.pipeline_id }}"}, captures=(PIPELINE,)))

    assert body_of(request) == {}
    assert body_of(request, pipeline_id="7") == {"pipeline_id": 7}


def test_a_parameter_may_stand_for_a_capture() -> None:
    request = rendered(hook(body={"id": "{{ params.id }}"}, params={"id": "{{ captured.deployment_id }}"}))

    assert body_of(request, deployment_id='"a"') == {"id": "a"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"target_url": "https://api.example/{{ captured.deploymentid }}"},
            "no request of this hook captures `deploymentid`",
        ),
        ({"body": {"a": "{{ captured.a.b }}"}}, "holds values of names of their own"),
        (
            {"before": (), "captures": CREATE.captures},
            "captured.deployment_id is used before it is captured",
        ),
        (
            {"before": (HookRequest(target_url="https://api.example/{{ captured.deployment_id }}"), CREATE)},
            "captured.deployment_id is used before it is captured",
        ),
        (
            {"body": "a={{ captured.deployment_id }}"},
            "captured.deployment_id is captured: it may not stand in a body that is not JSON",
        ),
        (
            {"captures": (PIPELINE,), "body": {"a": "is {{ captured.pipeline_id }}"}},
            "captured.pipeline_id need not be known: it may only be a whole member of an object",
        ),
        (
            {"captures": (PIPELINE,), "body": ["{{ captured.pipeline_id }}"]},
            "captured.pipeline_id need not be known",
        ),
        (
            {"captures": (PIPELINE,), "headers": (("X-P", "{{ captured.pipeline_id }}"),)},
            "captured.pipeline_id need not be known",
        ),
        (
            {"body": {"a": "{{ captured.deployment_id }}", "b": "{{ captured.deployment_id }}"}},
            "an object of several captured values needs another member",
        ),
        ({"target_url": "{{ captured.deployment_id }}"}, "must start with a literal"),
        (
            {"target_url": 'https://api.example/"/{{ captured.deployment_id }}'},
            "a URL with captured values must be literal and encoded up to them",
        ),
    ],
)
def test_what_no_event_could_make_right_is_told_when_the_hook_is_written(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(TemplateError, match=re.escape(message)):
        prepare(hook(**changes)).render(CONTEXT)


@pytest.mark.parametrize(
    "template",
    [
        "{{ captured.deployment_id | upper }}",
        "{{ captured.deployment_id ~ 'x' }}",
        "{{ captured.deployment_id + 1 }}",
        "{% if captured.deployment_id == 17 %}a{% endif %}",
        "{{ captured | tojson }}{{ captured.deployment_id }}",
    ],
)
def test_nothing_is_decided_by_what_is_not_known_yet(template: str) -> None:
    with pytest.raises(TemplateError):
        prepare(hook(body={"a": template})).render(CONTEXT)


def test_mistakes_name_the_request_they_stand_in() -> None:
    with pytest.raises(TemplateError) as caught:
        prepare(hook(body={"a": "{{ captured.deploment_id }}"}))

    error = caught.value
    assert error.field == "requests[1].settings.request_body.a"
    assert (error.line, error.column) == (1, 4)
    assert error.hint == "did you mean `deployment_id`?"


def test_a_request_that_is_not_known_enough_is_not_sent() -> None:
    with pytest.raises(CaptureMissing):
        rendered(hook()).with_captured({})


def test_what_is_told_to_one_host_is_not_asked_of_another() -> None:
    def asking(url: str) -> Hook:
        confirm = Confirm(target_url=url, headers=(), entries="", match=(), state="state", expected="success")
        return make_hook(target_url="https://api.example/statuses", confirm=confirm)

    prepare(asking("https://api.example/shown"))
    for other in ("https://other.example/shown", "http://api.example/shown", "https://api.example:8443/"):
        with pytest.raises(TemplateError, match=r"asks another host than https://api\.example"):
            prepare(asking(other))
