from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from hookengine.domain.event import STATUS_CHANGED, Event, Lifecycle
from hookengine.domain.hook import Hook
from hookengine.domain.pipeline import Pipeline
from hookengine.domain.request import RenderedRequest, SecretRef
from hookengine.domain.status_call import recognise
from hookengine.engine.preparing import prepare
from hookengine.engine.snapshot import snapshot
from hookengine.errors import TemplateError
from hookengine.manifest import Preset, Presets, load, read

PRESETS = Presets()
SHA = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
SECRETS = tuple(sorted({name.partition("/")[0] for name in PRESETS.names}))
PAGE = "https://deploy.example/"
FILLED = {
    "github/commit-status": {"repository": "acme/shop"},
    "gitlab/commit-status": {"project": "acme/shop"},
    "bitbucket/commit-status": {"repository": "acme/shop", "target_url": PAGE},
    "bitbucket_datacenter/commit-status": {
        "base_url": "https://bitbucket.example/rest/api/latest",
        "project": "ACME",
        "repository": "shop",
        "target_url": PAGE,
    },
    "gitea/commit-status": {"base_url": "https://gitea.example/api/v1", "repository": "acme/shop"},
    "forgejo/commit-status": {"base_url": "https://forgejo.example/api/v1", "repository": "acme/shop"},
    "azure_devops/commit-status": {
        "organization": "acme",
        "project": "web",
        "repository": "shop",
        "token": "{{ secrets.azure_devops }}",
    },
}
STATES = {
    "github/commit-status": ["pending", "pending", "success", "failure", "error", "error"],
    "gitlab/commit-status": ["pending", "running", "success", "failed", "canceled", "failed"],
    "bitbucket/commit-status": ["INPROGRESS", "INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED", "FAILED"],
    "bitbucket_datacenter/commit-status": [
        *("INPROGRESS", "INPROGRESS", "SUCCESSFUL"),
        *("FAILED", "CANCELLED", "FAILED"),
    ],
    "gitea/commit-status": ["pending", "pending", "success", "failure", "error", "error"],
    "forgejo/commit-status": ["pending", "pending", "success", "failure", "error", "error"],
    "azure_devops/commit-status": ["pending", "pending", "succeeded", "failed", "error", "error"],
}
KINDS = {"forgejo": "gitea"}


def hook_of(preset: str, blanks: dict[str, Any]) -> Hook:
    text = json.dumps({"hooks": [{"preset": preset, "with": blanks}]})
    return read(load(text), secret_names=SECRETS).hooks[0]


def rendered(hook: Hook, document: dict[str, Any]) -> RenderedRequest:
    return all_rendered(hook, document)[-1]


def all_rendered(hook: Hook, document: dict[str, Any]) -> list[RenderedRequest]:
    event = Event.parse(document)
    pipeline = Pipeline(id=7, name="shop-deploy")
    refs = {name: SecretRef(f"secrets.{name}") for name in SECRETS}
    view = snapshot(pipeline, {}, event, event.data, refs, event_id=event.id or "evt_1", now=0).view
    prepared = prepare(hook)
    return [prepared.render_part(part, view).request for part in range(len(hook.requests))]


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
def test_every_preset_stands_in_the_readme_of_its_folder_beside_a_recipe(name: str) -> None:
    service, _, file = name.partition("/")
    root = Path(__file__).parents[2]

    readme = (root / "templates" / service / "README.md").read_text("utf-8")

    assert f"`{file}`" in readme
    assert f"(../../docs/recipes/{service}.md)" in readme
    assert (root / "docs" / "recipes" / f"{service}.md").is_file()


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
def test_every_sample_of_a_preset_renders_to_its_requests(preset: Preset, number: int) -> None:
    sample = preset.samples[number]

    requests = all_rendered(hook_of(preset.id, sample.blanks), sample.event)

    assert len(requests) == len(sample.expected) == len(preset.all_requests)
    for request, said in zip(requests, sample.expected, strict=True):
        shown, expected = request.shown(), dict(said)
        headers = {header["name"]: header["value"] for header in shown["headers"]}
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
    service = name.partition("/")[0]
    assert (call.sha, call.context) == (SHA, "ci/shop-deploy")
    assert call.kind == KINDS.get(service, service)


@pytest.mark.parametrize("name", FILLED)
def test_the_token_stands_in_the_authorization_header_only(name: str) -> None:
    hook = hook_of(name, {**FILLED[name], "token": "{{ secrets.github }}"})

    request = rendered(hook, sample_event("action.started"))

    assert request.secrets == {"secrets.github"}
    headers = {header["name"]: header["value"] for header in request.shown()["headers"]}
    scheme, _, credentials = headers["Authorization"].partition(" ")
    assert scheme in {"Bearer", "token", "Basic"}
    assert credentials == "<secrets.github>"


@pytest.mark.parametrize(
    ("name", "field", "limit"),
    [
        ("github/commit-status", "description", 140),
        ("gitlab/commit-status", "description", 255),
        ("bitbucket/commit-status", "description", 255),
        ("bitbucket/commit-status", "name", 255),
        ("bitbucket_datacenter/commit-status", "description", 255),
        ("bitbucket_datacenter/commit-status", "name", 255),
        ("gitea/commit-status", "description", 255),
        ("forgejo/commit-status", "description", 255),
        ("azure_devops/commit-status", "description", 255),
    ],
)
def test_texts_are_cut_to_what_the_host_takes(name: str, field: str, limit: int) -> None:
    for text in ("x" * (limit + 1), "word " * limit):
        hook = hook_of(name, {**FILLED[name], field: text})
        body = json.loads(rendered(hook, sample_event("action.failed")).shown()["body"])
        assert len(body[field]) <= limit
        assert body[field].endswith("...")


@pytest.mark.parametrize(
    ("name", "limit"), [("bitbucket/commit-status", 40), ("bitbucket_datacenter/commit-status", 255)]
)
def test_a_key_that_is_too_long_is_hashed_and_its_readable_text_is_in_the_name(name: str, limit: int) -> None:
    bodies = []
    for key in ("k" * limit, "k" * (limit + 1), "k" * limit + "z"):
        hook = hook_of(name, {**FILLED[name], "key": key, "name": "ci/shop"})
        bodies.append(json.loads(rendered(hook, sample_event("action.failed")).shown()["body"]))

    keys = [body["key"] for body in bodies]
    assert keys[0] == "k" * limit
    assert all(40 <= len(key) <= limit for key in keys)
    assert len(set(keys)) == 3
    assert {body["name"] for body in bodies} == {"ci/shop"}


@pytest.mark.parametrize(
    ("name", "field"), [("github/commit-status", "context"), ("gitlab/commit-status", "name")]
)
def test_a_context_that_is_too_long_keeps_its_readable_text_and_a_hash(name: str, field: str) -> None:
    contexts = []
    for context in ("c" * 255, "c" * 256, "c" * 255 + "z"):
        hook = hook_of(name, {**FILLED[name], "context": context})
        contexts.append(json.loads(rendered(hook, sample_event("action.failed")).shown()["body"])[field])

    assert contexts[0] == "c" * 255
    assert [len(context) for context in contexts] == [255, 255, 255]
    assert len(set(contexts)) == 3
    assert all(context.startswith("c" * 214) for context in contexts)


@pytest.mark.parametrize("name", FILLED)
@pytest.mark.parametrize(
    ("blanks", "event", "message"),
    [
        ({}, {}, "there is no commit hash: action.triggered_from"),
        ({"sha": "{{ action.commit }}"}, {}, "there is no commit hash: action.commit is not in the context"),
        ({"sha": "{{ action.commit }}"}, {"commit": ""}, "there is no commit hash: the value is empty"),
        ({"sha": "{{ action.commit }}"}, {"commit": "main"}, "not the full hash of a commit"),
        ({"sha": "{{ action.commit }}"}, {"commit": SHA[:12]}, "not the full hash of a commit"),
        ({"sha": SHA, "target_url": "deploy.example/1"}, {}, "not the address of a web page"),
        ({"sha": SHA, "target_url": "https://x.example/".ljust(2001, "x")}, {}, "addresses are not cut"),
    ],
)
def test_what_a_host_would_refuse_stops_before_the_network(
    name: str, blanks: dict[str, Any], event: dict[str, Any], message: str
) -> None:
    hook = hook_of(name, {**FILLED[name], **blanks})
    document = sample_event("action.failed")
    document["action"] = {"id": 41, "pipeline": 7, **event}

    with pytest.raises(TemplateError, match=re.escape(message)):
        rendered(hook, document)


def test_the_integration_key_of_ilert_stands_in_the_body_as_a_hole() -> None:
    hook = hook_of("ilert/deployment-event", {"integration_key": "{{ secrets.ilert }}"})

    request = rendered(hook, sample_event("action.completed"))

    assert request.secrets == {"secrets.ilert"}
    assert hook.rate == "10/min"


def test_braces_in_a_link_are_not_left_for_bitbucket_to_fill() -> None:
    link = "https://deploy.example/{{ action.id }}?of={{ '{repository.full_name}' }}"
    hook = hook_of("bitbucket/commit-status", {**FILLED["bitbucket/commit-status"], "target_url": link})

    body = json.loads(rendered(hook, sample_event("action.failed")).shown()["body"])

    assert body["url"] == "https://deploy.example/41?of=%7Brepository.full_name%7D"


@pytest.mark.parametrize("name", FILLED)
def test_hashes_of_sha1_and_of_sha256_are_taken(name: str) -> None:
    for sha in ("a" * 40, "B" * 64):
        request = rendered(hook_of(name, {**FILLED[name], "sha": sha}), sample_event("action.failed"))
        assert sha in request.url
