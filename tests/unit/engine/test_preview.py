"""What a hook would send, without sending it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hookengine.domain.context import lookup, merge
from hookengine.domain.event import Event
from hookengine.domain.hook import Condition, Hook, HookState, LanePolicy
from hookengine.domain.pipeline import IncomingHook, Pipeline, Variable, VariableType
from hookengine.engine.preview import SAMPLE_COMMIT, preview, sample_event
from hookengine.errors import InvalidEvent
from hookengine.guard.vault import NamedSecret
from tests.conftest import make_vault

NOW = 1_795_000_000_000
PIPELINE = Pipeline(id=1, name="shop", operation="deploy", context={"application": {"team": "red"}})
VARIABLES = "action.triggered_from.hook_parsed_variables"


VAULT = make_vault({"github": NamedSecret(env="NOT_SET_ANYWHERE")}, paths=["**.access_token"])


def hook(**changes: Any) -> Hook:
    plain = Hook(
        id="hook_1",
        revision=1,
        name="tell",
        target_url="https://target.example/{{ action.id }}",
        events=("action.started",),
        pipeline_id=1,
    )
    return replace(plain, **changes)


def event(**changes: Any) -> Event:
    return Event.parse({"type": "action.started", "action": {"id": 7, "pipeline": 1}, **changes})


def shown(chosen: Hook, told: Event, **options: Any) -> Any:
    return preview(chosen, PIPELINE, told, VAULT, NOW, **options)


def test_a_hook_that_matches_shows_its_request_and_lane() -> None:
    seen = shown(hook(), event())

    assert seen.why_not is None
    assert seen.request.url == "https://target.example/7"
    assert seen.lane == ("hook:hook_1:1:7", LanePolicy.ORDERED)


def test_a_lane_that_writes_a_status_is_the_lane_of_that_status() -> None:
    chosen = hook(
        target_url="https://api.github.com/repos/acme/shop/statuses/" + SAMPLE_COMMIT,
        body={"state": "pending", "context": "ci"},
    )

    key, policy = shown(chosen, event()).lane
    assert (policy, SAMPLE_COMMIT in key) == (LanePolicy.LATEST, True)


@pytest.mark.parametrize(
    ("chosen", "why_not"),
    [
        (hook(state=HookState.DISABLED), "it is disabled"),
        (hook(events=("action.failed",)), "it wants action.failed, not action.started"),
        (hook(action_type="restart"), "it wants actions of type restart, not deploy"),
        (hook(pipeline_id=2), "it belongs to pipeline 2, not 1"),
        (
            hook(conditions=(Condition(path="application.team", accepted_values=("blue", "green")),)),
            "application.team must be one of blue, green, but is red",
        ),
        (
            hook(conditions=(Condition(path="action.branch", accepted_values=("main",)),)),
            "action.branch must be one of main, but nothing is there",
        ),
    ],
)
def test_a_hook_that_does_not_match_says_why_and_renders_only_if_asked(chosen: Hook, why_not: str) -> None:
    seen = shown(chosen, event())
    ignored = shown(chosen, event(), ignore_conditions=True)

    assert (seen.why_not, seen.request) == (why_not, None)
    assert ignored.why_not == why_not
    assert ignored.request.url == "https://target.example/7"


def test_what_cannot_be_rendered_is_an_error_with_its_place() -> None:
    seen = shown(hook(body={"reason": "{{ action.nope }}"}), event())

    assert (seen.request, seen.lane) == (None, None)
    assert (seen.error.field, seen.error.line) == ("settings.request_body.reason", 1)


def test_secrets_are_shown_by_name_wherever_they_come_from() -> None:
    chosen = hook(
        headers=(("A", "{{ secrets.github }}"), ("B", "{{ application.access_token }}")),
    )

    document = shown(chosen, event(application={"access_token": "s3cret"})).shown()

    assert [header["value"] for header in document["request"]["headers"]] == [
        "<secrets.github>",
        "<context:1:application.access_token>",
    ]
    assert "s3cret" not in str(document)


def test_an_event_that_intake_would_refuse_is_refused_here() -> None:
    with pytest.raises(InvalidEvent):
        shown(hook(), event(application={"access_token": 5}))


def test_what_is_shown_is_plain() -> None:
    assert shown(hook(events=("action.failed",)), event()).shown() == {
        "hook": {"id": "hook_1", "name": "tell"},
        "matches": False,
        "why_not": "it wants action.failed, not action.started",
        "before": [],
        "request": None,
        "check": None,
        "lane": None,
        "error": None,
    }


INCOMING = IncomingHook(
    id="incoming_1",
    name="pull requests",
    pipeline_id=1,
    variables=(
        Variable(name="commit_hash", path="a"),
        Variable(name="source_branch", path="b"),
        Variable(name="number", path="c", type=VariableType.INTEGER),
        Variable(name="draft", path="d", type=VariableType.BOOLEAN),
        Variable(name="labels", path="e", type=VariableType.ARRAY),
        Variable(name="stage", path="f", default="canary"),
        Variable(name="colour", path="g"),
    ),
)


@pytest.mark.parametrize("event_type", ["action.queued", "action.failed", "deploy.rolled_back"])
def test_a_sample_is_an_event_of_its_type_and_pipeline(event_type: str) -> None:
    parsed = Event.parse(sample_event(event_type, PIPELINE, [INCOMING], NOW))

    assert (parsed.type, parsed.pipeline, parsed.occurred_at) == (event_type, 1, NOW)
    assert parsed.data["action"]["type"] == "deploy"


def test_a_sample_has_plausible_values_for_what_the_pipelines_own_incoming_hooks_parse() -> None:
    others = [replace(INCOMING, pipeline_id=2, variables=(Variable(name="not_ours", path="x"),))]

    document = sample_event("action.started", PIPELINE, [*others, INCOMING], NOW)

    assert lookup(document, VARIABLES) == {
        "commit_hash": SAMPLE_COMMIT,
        "source_branch": "main",
        "number": 7,
        "draft": True,
        "labels": ["sample"],
        "stage": "canary",
        "colour": "sample-colour",
    }
    assert lookup(document, "action.triggered_from.name") == "pull requests"


def test_a_sample_has_a_commit_even_where_no_hook_parses_one() -> None:
    document = sample_event("action.started", PIPELINE, [replace(INCOMING, active=False)], NOW)

    assert lookup(document, VARIABLES) == {"commit_hash": SAMPLE_COMMIT}


def test_a_sample_does_not_replace_what_the_pipeline_says_itself() -> None:
    context = {
        "application": {"name": "own", "source_provider": {"access_token": {"$secret": "secrets.github"}}}
    }
    pipeline = replace(PIPELINE, context=context)

    document = sample_event("action.started", pipeline, [], NOW)
    chosen = hook(headers=(("A", "{{ application.source_provider.access_token }}"),))

    assert merge(context, document)["application"]["name"] == "own"
    seen = preview(chosen, pipeline, Event.parse(document), VAULT, NOW)
    assert seen.request is not None
    assert seen.request.secrets == {"secrets.github"}
