"""What presets send is what the official operations take, in every state and with texts of any length."""

from __future__ import annotations

from typing import Any

import pytest

from hookengine.domain.event import STATUS_CHANGED, Lifecycle
from hookengine.domain.request import RenderedRequest
from hookengine.manifest import Presets
from tests.architecture.operations import BEFORE, OPERATIONS, SHA, WEB_ADDRESS, Field, Operation, mistakes
from tests.architecture.test_presets_render import FILLED, all_rendered, hook_of, sample_event

PRESETS = Presets()
PAGE = "https://deploy.example/actions/{{ action.id }}"
GUID = "666ba79b-3f3d-4236-ac04-4686ce526705"
BLANKS: dict[str, dict[str, Any]] = {
    **FILLED,
    "github/deployment-status": {"repository": "acme/shop"},
    "ilert/deployment-event": {"integration_key": "{{ secrets.ilert }}"},
    "harness_sei/run": {
        "token": "{{ secrets.harness_sei }}",
        "instance_guid": GUID,
        "instance_name": "deploys",
    },
    "harness_sei/run-wrapped": {
        "token": "{{ secrets.harness_sei }}",
        "instance_guid": GUID,
        "instance_name": "deploys",
        "request_type": "cicd",
    },
    "cdevents/pipeline-run": {"url": "https://events.example/", "source": "/deploy", "target_url": PAGE},
    "slack/message": {"channel": "C042", "token": "{{ secrets.slack }}"},
    "teams/message": {"url": "https://flows.example/workflows/abc?sig=signature"},
    "webhook/signed-json": {"url": "https://service.example/deploys"},
}
LONG = "word & <word> " * 500
LONG_TEXTS = ("description", "summary", "name", "key", "context", "text", "title")


def events_of(name: str) -> list[str]:
    wanted = PRESETS.get(name).events
    return [str(kind) for kind in Lifecycle if STATUS_CHANGED in wanted or kind in wanted]


CASES = [(name, kind) for name in PRESETS.names for kind in events_of(name)]


KNOWN = {"pipeline_id": "7", "deployment_id": "7"}
"""What answers have told, once they have."""


def requests_of(name: str, kind: str, /, **more: Any) -> list[RenderedRequest]:
    event = sample_event(kind)
    event["occurred_at"] = "2026-11-22T10:15:00Z"
    event["action"]["started_at"] = "2026-11-22T10:10:00Z"
    requests = all_rendered(hook_of(name, {**BLANKS[name], **more}), event)
    return [request.with_captured(KNOWN) for request in requests]


def mistakes_of(name: str, requests: list[RenderedRequest]) -> list[str]:
    operations = (*BEFORE.get(name, ()), OPERATIONS[name])
    return [
        mistake
        for request, operation in zip(requests, operations, strict=True)
        for mistake in mistakes(request, operation)
    ]


def test_every_preset_has_its_operation() -> None:
    assert set(OPERATIONS) == set(PRESETS.names) == set(BLANKS)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_every_state_is_a_request_that_the_operation_takes(name: str, kind: str) -> None:
    assert mistakes_of(name, requests_of(name, kind)) == []


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_texts_that_are_too_long_do_not_make_it_one_that_is_refused(name: str, kind: str) -> None:
    known = PRESETS.get(name).params
    long = {text: LONG for text in LONG_TEXTS if text in known}
    if "target_url" in known:
        long["target_url"] = PAGE

    assert mistakes_of(name, requests_of(name, kind, **long)) == []


@pytest.mark.parametrize("name", PRESETS.names)
def test_every_sample_is_a_request_of_the_operation_but_for_its_address(name: str) -> None:
    for sample in PRESETS.get(name).samples:
        requests = all_rendered(hook_of(name, sample.blanks), sample.event)
        known = [request.with_captured(KNOWN) for request in requests]
        found = [mistake for mistake in mistakes_of(name, known) if "the address is" not in mistake]
        assert found == []


def test_the_check_finds_what_an_operation_does_not_take() -> None:
    wrong = RenderedRequest(
        method="PUT",
        url="https://x.example/",
        body=('{"state":"ok","url":"x","more":1,"n":"1","long":"abc","o":{}}',),
    )
    operation = Operation(
        url=rf"https://y\.example/{SHA}",
        headers={"authorization": "Bearer .+"},
        body={
            "state": Field(one_of=("success",)),
            "url": Field(pattern=WEB_ADDRESS),
            "gone": Field(required=True),
            "n": Field(kind=int),
            "long": Field(longest=2),
            "o": Field(kind=dict, inside={"id": Field(required=True)}),
        },
    )

    assert sorted(mistakes(wrong, operation)) == [
        "body has no gone",
        "body.long has 3 characters",
        "body.more is not known",
        "body.n is str",
        "body.o has no id",
        "body.state is 'ok'",
        "body.url is 'x'",
        "the address is https://x.example/",
        "the header authorization is None",
        "the method is PUT",
    ]
