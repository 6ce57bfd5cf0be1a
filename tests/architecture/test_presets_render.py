from __future__ import annotations

import json
from typing import Any

import pytest

from hookengine.domain.attempt import Answered
from hookengine.domain.event import STATUS_CHANGED, Event, Lifecycle
from hookengine.domain.hook import Hook
from hookengine.domain.pipeline import Pipeline
from hookengine.domain.request import RenderedRequest
from hookengine.domain.response import Ruling, rule_for
from hookengine.domain.status_call import recognise
from hookengine.engine.rendering import prepare
from hookengine.engine.snapshot import snapshot
from hookengine.manifest import Preset, Presets, load, read

PRESETS = Presets()
SHA = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
SECRETS = ("github", "gitlab", "bitbucket")
FILLED = {
    "github/commit-status": {"repository": "acme/shop"},
    "gitlab/commit-status": {"project": "acme/shop"},
    "bitbucket/commit-status": {"repository": "acme/shop", "target_url": "https://deploy.example/"},
}
STATES = {
    "github/commit-status": ["pending", "pending", "success", "failure", "error", "error"],
    "gitlab/commit-status": ["pending", "running", "success", "failed", "canceled", "failed"],
    "bitbucket/commit-status": ["INPROGRESS", "INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED", "FAILED"],
}


def hook_of(preset: str, blanks: dict[str, Any]) -> Hook:
    text = json.dumps({"hooks": [{"preset": preset, "with": blanks}]})
    return read(load(text), secret_names=SECRETS).hooks[0]


def rendered(hook: Hook, document: dict[str, Any]) -> RenderedRequest:
    event = Event.parse(document)
    pipeline = Pipeline(id=7, name="shop-deploy")
    view = snapshot(pipeline, {}, event, event.data, SECRETS, event_id="evt_1", now=0).view
    return prepare(hook).render(view).request


def sample_event(event_type: str) -> dict[str, Any]:
    return {
        "type": event_type,
        "action": {
            "id": 41,
            "pipeline": 7,
            "triggered_from": {"hook_parsed_variables": {"commit_hash": SHA}},
        },
        "application": {"source_provider": {"access_token": "sample-token"}},
    }


def test_the_shipped_presets_are_found() -> None:
    assert set(PRESETS.names) >= set(FILLED)


@pytest.mark.parametrize("name", PRESETS.names)
def test_every_preset_says_what_it_is_for_and_has_samples(name: str) -> None:
    preset = PRESETS.get(name)

    assert preset.name
    assert preset.description
    assert len(preset.samples) >= 2
    assert len(PRESETS.responses(name)) == len(preset.responses) > 0
    assert all(param.help for param in preset.params.values())


@pytest.mark.parametrize(
    ("preset", "number"),
    [
        (PRESETS.get(name), number)
        for name in PRESETS.names
        for number in range(len(PRESETS.get(name).samples))
    ],
    ids=lambda value: value.id if isinstance(value, Preset) else str(value),
)
def test_every_sample_of_a_preset_renders_to_its_request(preset: Preset, number: int) -> None:
    sample = preset.samples[number]

    shown = rendered(hook_of(preset.id, sample.blanks), sample.event).shown()

    headers = {header["name"]: header["value"] for header in shown["headers"]}
    expected = dict(sample.expected)
    assert headers.items() >= expected.pop("headers", {}).items()
    assert {"method": shown["method"], "url": shown["url"], "body": json.loads(shown["body"])} == expected


@pytest.mark.parametrize("name", FILLED)
def test_each_lifecycle_event_is_a_state_in_the_words_of_the_host(name: str) -> None:
    hook = hook_of(name, FILLED[name])

    requests = [rendered(hook, sample_event(event_type)) for event_type in Lifecycle]

    bodies = [json.loads(request.shown()["body"]) for request in requests]
    assert hook.events == (STATUS_CHANGED,)
    assert [body["state"] for body in bodies] == STATES[name]
    assert len({body["description"] for body in bodies}) == len(Lifecycle)


@pytest.mark.parametrize("name", FILLED)
def test_all_events_of_an_action_write_one_status_that_names_the_pipeline(name: str) -> None:
    hook = hook_of(name, FILLED[name])

    calls = {recognise(rendered(hook, sample_event(event_type))) for event_type in Lifecycle}

    (call,) = calls
    assert call is not None
    assert (call.sha, call.context) == (SHA, "ci/shop-deploy")
    assert call.kind == name.partition("/")[0]


@pytest.mark.parametrize("name", FILLED)
def test_the_token_stands_in_the_authorization_header_only(name: str) -> None:
    hook = hook_of(name, {**FILLED[name], "token": "{{ secrets.github }}"})

    request = rendered(hook, sample_event("action.started"))

    assert request.secrets == {"secrets.github"}
    headers = {header["name"]: header["value"] for header in request.shown()["headers"]}
    assert headers["Authorization"] == "Bearer <secrets.github>"


@pytest.mark.parametrize(
    ("name", "field", "limit"),
    [
        ("github/commit-status", "description", 140),
        ("gitlab/commit-status", "description", 255),
        ("bitbucket/commit-status", "description", 255),
        ("bitbucket/commit-status", "name", 255),
    ],
)
def test_texts_are_cut_to_what_the_host_takes(name: str, field: str, limit: int) -> None:
    for text in ("x" * (limit + 1), "word " * limit):
        hook = hook_of(name, {**FILLED[name], field: text})
        body = json.loads(rendered(hook, sample_event("action.failed")).shown()["body"])
        assert len(body[field]) <= limit
        assert body[field].endswith("...")


def test_a_long_bitbucket_key_is_hashed_and_a_short_one_is_kept() -> None:
    keys = []
    for key in ("k" * 40, "k" * 41, "k" * 40 + "z"):
        hook = hook_of("bitbucket/commit-status", {**FILLED["bitbucket/commit-status"], "key": key})
        keys.append(json.loads(rendered(hook, sample_event("action.failed")).shown()["body"])["key"])

    assert keys[0] == "k" * 40
    assert [len(key) for key in keys] == [40, 40, 40]
    assert len(set(keys)) == 3


def answer(status: int, body: str = "", **headers: str) -> Answered:
    return Answered(
        status=status, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


TRANSITION = '{{"message":"Cannot transition status via :{} from :{} (Reason(s): Status cannot ...)"}}'
GITHUB, GITLAB, BITBUCKET = FILLED


@pytest.mark.parametrize(
    ("name", "answered", "ruling", "because"),
    [
        (GITHUB, answer(201), Ruling.SUCCESS, ""),
        (GITHUB, answer(403, x_ratelimit_remaining="0"), Ruling.RETRY, "rate limit"),
        (GITHUB, answer(403, x_ratelimit_remaining="10"), Ruling.PERMANENT, "scope"),
        (GITHUB, answer(403, retry_after="30"), Ruling.RETRY, "later"),
        (GITHUB, answer(403, "You have exceeded a secondary rate limit"), Ruling.RETRY, "secondary"),
        (GITHUB, answer(429, "abuse detection mechanism"), Ruling.RETRY, "secondary"),
        (GITHUB, answer(429), Ruling.RETRY, ""),
        (GITHUB, answer(403, "Resource not accessible by integration"), Ruling.PERMANENT, "scope"),
        (GITHUB, answer(401), Ruling.PERMANENT, "token"),
        (GITHUB, answer(404, "Not Found"), Ruling.PERMANENT, "scope"),
        (GITHUB, answer(422, "No commit found for SHA: abc"), Ruling.RETRY, "commit"),
        (
            GITHUB,
            answer(422, "This SHA and context has reached the maximum number of statuses."),
            Ruling.PERMANENT,
            "1000",
        ),
        (GITHUB, answer(422, "Validation Failed"), Ruling.PERMANENT, ""),
        (GITHUB, answer(301), Ruling.PERMANENT, "renamed"),
        (GITHUB, answer(502), Ruling.RETRY, ""),
        (GITLAB, answer(201), Ruling.SUCCESS, ""),
        (GITLAB, answer(400, TRANSITION.format("enqueue", "pending")), Ruling.SUCCESS, "already"),
        (GITLAB, answer(400, TRANSITION.format("enqueue", "running")), Ruling.SUCCESS, "further on"),
        (GITLAB, answer(400, TRANSITION.format("run", "running")), Ruling.SUCCESS, "already"),
        (GITLAB, answer(400, TRANSITION.format("skip", "running")), Ruling.PERMANENT, "state"),
        (GITLAB, answer(400, TRANSITION.format("run", "success")), Ruling.PERMANENT, "state"),
        (GITLAB, answer(400, "description is too long"), Ruling.PERMANENT, ""),
        (GITLAB, answer(409, "Another update to this commit status is in progress"), Ruling.RETRY, "written"),
        (GITLAB, answer(429, "Retry later"), Ruling.RETRY, "rate limit"),
        (GITLAB, answer(403), Ruling.PERMANENT, "scope"),
        (GITLAB, answer(404, "404 Project Not Found"), Ruling.PERMANENT, "scope"),
        (GITLAB, answer(422, "The number of jobs has exceeded the limit"), Ruling.PERMANENT, "full"),
        (BITBUCKET, answer(201), Ruling.SUCCESS, ""),
        (
            BITBUCKET,
            answer(429, "Rate limit for this resource has been exceeded"),
            Ruling.RETRY,
            "rate limit",
        ),
        (BITBUCKET, answer(400), Ruling.PERMANENT, "field"),
        (BITBUCKET, answer(403), Ruling.PERMANENT, "scope"),
        (BITBUCKET, answer(404), Ruling.PERMANENT, "scope"),
    ],
)
def test_the_rules_of_a_preset_know_the_answers_of_its_host(
    name: str, answered: Answered, ruling: Ruling, because: str
) -> None:
    rule = rule_for(answered, PRESETS.responses(name))

    assert rule.then is ruling
    assert because in rule.because
