"""Several requests of a hook, and captures, in a file."""

from __future__ import annotations

import json

import pytest

from hookengine.domain.capture import Capture
from hookengine.domain.documents import hook_from_json, hook_to_json
from hookengine.domain.hook import Hook, HookState, LanePolicy, LaneSpec
from hookengine.errors import ConfigError
from hookengine.manifest import load, read
from hookengine.manifest.documents import hook_document
from hookengine.manifest.exporting import exported
from hookengine.manifest.presets import shipped_presets
from hookengine.manifest.wording import worded_hook
from hookengine.store.care import Definitions
from hookengine.store.standing import Standing

DEPLOYMENTS = """\
hooks:
  - name: deployment
    requests:
      - name: create
        target_url: https://api.example/deployments
        settings: {request_body: {ref: main}}
        capture: {deployment_id: id}
        once_per: lane
      - target_url: "https://api.example/deployments/{{ captured.deployment_id }}/statuses"
        settings: {request_body: {state: "{{ action.status }}"}}
    trigger_when: {events: [action.status_changed]}
"""
CARRYING = """\
hooks:
  - name: status
    target_url: https://api.example/statuses
    settings: {request_body: {state: pending, pipeline_id: "{{ captured.pipeline_id }}"}}
    capture: {pipeline_id: {path: pipeline_id, optional: true}}
    trigger_when: {events: [action.status_changed]}
"""


def hook(text: str) -> Hook:
    return read(load(text)).hooks[0]


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(load(text))
    return [str(problem) for problem in caught.value.problems]


def test_only_the_newest_state_may_count_where_one_request_is_sent_once_before_it() -> None:
    newest = hook(DEPLOYMENTS.replace("    trigger_when", "    lane: latest\n    trigger_when"))

    assert newest.lane == LaneSpec(policy=LanePolicy.LATEST)
    assert len(newest.before) == 1


def test_requests_are_read_in_order_the_last_one_is_the_hooks_own() -> None:
    deployments = hook(DEPLOYMENTS)

    (create,) = deployments.before
    assert (create.name, create.method, create.body) == ("create", "POST", {"ref": "main"})
    assert create.captures == (Capture(name="deployment_id", path="id"),)
    assert create.once_per_lane
    assert deployments.target_url.endswith("/{{ captured.deployment_id }}/statuses")
    assert deployments.body == {"state": "{{ action.status }}"}
    assert deployments.targets == ("https://api.example", "https://api.example")


def test_a_hook_of_one_request_may_capture_and_use_what_it_captured_before() -> None:
    carrying = hook(CARRYING)

    assert carrying.before == ()
    assert carrying.captures == (Capture(name="pipeline_id", path="pipeline_id", optional=True),)


@pytest.mark.parametrize("text", [DEPLOYMENTS, CARRYING])
def test_such_a_hook_comes_back_from_whatever_it_is_written_as(text: str) -> None:
    made = hook(text)
    standing = Standing(version=1, definitions=Definitions(hooks=(made,)), managed_by={}, because={})

    stored = hook_from_json(hook_to_json(made), hook_id=made.id, revision=0, state=HookState.ACTIVE)
    documented = read(load(json.dumps({"hooks": [hook_document(made)]}))).hooks[0]
    written = read(load(json.dumps(exported(standing, shipped_presets())))).hooks[0]

    assert made == stored == documented == written


def test_a_difference_has_words_for_it() -> None:
    said = worded_hook(hook(DEPLOYMENTS))

    assert [request["target_url"] for request in said["requests"]] == [
        "https://api.example/deployments",
        "https://api.example/deployments/{{ captured.deployment_id }}/statuses",
    ]
    assert said["requests"][0]["capture"] == {"deployment_id": {"path": "id", "optional": False}}


def test_the_lane_of_several_requests_may_be_named() -> None:
    named = DEPLOYMENTS + "    lane: {policy: ordered, key: 'of {{ action.id }}'}\n"

    assert hook(named).lane == LaneSpec(policy=LanePolicy.ORDERED, key="of {{ action.id }}")


@pytest.mark.parametrize(
    ("text", "old", "new", "said"),
    [
        (
            DEPLOYMENTS,
            "captured.deployment_id",
            "captured.deploymentid",
            "config.yaml:9:21: hooks[0].requests[1].target_url: no request of this hook captures `deploymentid`",
        ),
        (
            DEPLOYMENTS,
            "ref: main",
            'ref: "{{ captured.deployment_id }}"',
            "config.yaml:6:40: hooks[0].requests[0].settings.request_body.ref: captured.deployment_id is used before",
        ),
        (
            DEPLOYMENTS,
            "        capture: {deployment_id: id}\n",
            "",
            "config.yaml:7:19: hooks[0].requests[0].once_per: needs a `capture`",
        ),
        (
            DEPLOYMENTS,
            "    trigger_when",
            "        once_per: lane\n        capture: {a: b}\n    trigger_when",
            "config.yaml:11:19: hooks[0].requests[1].once_per: the last request is sent for every event",
        ),
        (
            DEPLOYMENTS,
            "    trigger_when",
            "    lane: none\n    trigger_when",
            "config.yaml:11:11: hooks[0].lane: several requests leave in a lane: there is none with `none`",
        ),
        (
            DEPLOYMENTS.replace("        once_per: lane\n", ""),
            "    trigger_when",
            "    lane: latest\n    trigger_when",
            "config.yaml:10:11: hooks[0].lane: in a `latest` lane one request may go before the last one, and has to",
        ),
        (
            CARRYING,
            "    trigger_when",
            "    lane: none\n    trigger_when",
            "config.yaml:6:11: hooks[0].lane: what is captured is known in a lane: there is none with `none`",
        ),
        (DEPLOYMENTS, "deployment_id: id}", "deployment-id: id}", "must match"),
        (DEPLOYMENTS, "once_per: lane", "once_per: action", "must be one of lane"),
        (DEPLOYMENTS, "once_per: lane", "once_pr: lane", "unknown key 'once_pr', did you mean 'once_per'?"),
        (
            DEPLOYMENTS,
            "name: deployment\n",
            "name: deployment\n    target_url: https://a.example\n",
            "unknown key",
        ),
    ],
)
def test_mistakes_are_told_with_their_places(text: str, old: str, new: str, said: str) -> None:
    (problem, *_) = problems(text.replace(old, new, 1))

    assert said in problem


def test_no_hook_makes_more_than_five_requests() -> None:
    one = "  - {name: many, trigger_when: {events: [action.started]}, requests: ["
    text = "hooks:\n" + one + "{target_url: 'https://a.example'}, " * 6 + "]}\n"

    assert "must have at most 5 items" in problems(text)[0]


CONFIRMED = """\
hooks:
  - preset: github/commit-status
    with: {repository: acme/shop}
    confirm: true
"""


def test_a_preset_says_where_its_host_is_asked_and_a_hook_whether() -> None:
    confirm = hook(CONFIRMED).confirm

    assert hook(CONFIRMED.replace("true", "false")).confirm is None
    assert confirm is not None
    assert confirm.headers == hook(CONFIRMED).headers
    assert (confirm.entries, confirm.state, confirm.expected) == ("statuses", "state", "{{ params.state }}")


def test_a_hook_that_asks_comes_back_from_whatever_it_is_written_as() -> None:
    made = hook(CONFIRMED)
    standing = Standing(version=1, definitions=Definitions(hooks=(made,)), managed_by={}, because={})

    stored = hook_from_json(hook_to_json(made), hook_id=made.id, revision=0, state=HookState.ACTIVE)
    documented = read(load(json.dumps({"hooks": [hook_document(made)]}))).hooks[0]
    written = read(load(json.dumps(exported(standing, shipped_presets())))).hooks[0]

    assert made == stored == documented == written


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "preset: github/commit-status",
            "preset: github/deployment-status",
            "config.yaml:4:14: hooks[0].confirm: github/deployment-status does not say where its host",
        ),
        (
            "confirm: true",
            "confirm: true\n    lane: ordered",
            "config.yaml:5:11: hooks[0].lane: only in a `latest` lane what is shown can be confirmed",
        ),
        ("confirm: true", "confrm: true", "unknown key 'confrm', did you mean 'confirm'?"),
    ],
)
def test_what_cannot_be_asked_is_told_with_its_place(old: str, new: str, said: str) -> None:
    (problem, *_) = problems(CONFIRMED.replace(old, new))

    assert said in problem


def test_what_was_written_before_hooks_had_several_requests_stays_the_same() -> None:
    plain = "hooks: [{name: a, target_url: 'https://a.example', trigger_when: {events: [action.started]}}]\n"

    assert {"before", "captures", "confirm"}.isdisjoint(json.loads(hook_to_json(hook(plain))))
