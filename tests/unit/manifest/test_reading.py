from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from hookengine.domain.documents import hook_from_json, hook_to_json
from hookengine.domain.hook import Condition, HookState, LanePolicy, LaneSpec, Signing, SigningScheme
from hookengine.domain.pipeline import Pipeline, Variable, VariableType
from hookengine.domain.response import ResponseRule, Ruling
from hookengine.domain.retry import RetryPolicy
from hookengine.errors import ConfigError
from hookengine.manifest import Manifest, Presets, load, read

PIPELINE = "pipelines:\n  - id: 7\n    name: shop-deploy\n"
HOOK = """\
    hooks:
      - name: CI(build)
        target_url: "https://api.example/{{ action.id }}"
        trigger_when: {events: [action.started]}
"""
INCOMING = """\
    incoming_hooks:
      - id: 5d0cb9f1-03b7
        name: pull requests
"""


def manifest(text: str, **options: Any) -> Manifest:
    return read(load(text), **options)


def problems(text: str, **options: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        manifest(text, **options)
    return [str(problem) for problem in caught.value.problems]


def indented(lines: str, by: int = 8) -> str:
    return "".join(" " * by + line + "\n" for line in lines.splitlines())


def test_a_file_without_pipelines_and_hooks_wishes_for_nothing() -> None:
    assert manifest("server: {port: 1}\nhooks:\npipelines:\n") == Manifest()


def test_a_pipeline_says_whose_it_is_and_what_it_deploys_where() -> None:
    text = PIPELINE + "  - {id: 8, name: blog, team: red, application: blog, environment: production}\n"

    assert manifest(text).pipelines[1] == Pipeline(
        id=8, name="blog", team="red", application="blog", environment="production"
    )


@pytest.mark.parametrize("name", ["action", "pipeline"])
def test_what_the_engine_adds_its_own_facts_to_is_a_mapping(name: str) -> None:
    text = PIPELINE + f"    context: {{{name}: checkout}}\n"

    (problem,) = problems(text)

    assert "must be a mapping: the engine puts its own facts beside yours" in problem
    assert ":4:" in problem


def test_a_pipeline_has_defaults() -> None:
    text = PIPELINE + "  - {id: 8, name: blog, operation: restart, context: {application: {name: blog}}}\n"

    assert manifest(text).pipelines == (
        Pipeline(id=7, name="shop-deploy"),
        Pipeline(id=8, name="blog", operation="restart", context={"application": {"name": "blog"}}),
    )


def test_a_short_hook_has_the_defaults_of_the_engine() -> None:
    (hook,) = manifest(PIPELINE + HOOK).hooks

    assert hook.name == "CI(build)"
    assert (hook.pipeline_id, hook.revision, hook.method) == (7, 0, "POST")
    assert hook.target_url == "https://api.example/{{ action.id }}"
    assert hook.events == ("action.started",)
    assert (hook.action_type, hook.lane, hook.body, hook.headers) == (None, None, None, ())
    assert (hook.retry, hook.timeout, hook.responses) == (RetryPolicy(), 30.0, ())
    assert hook.state is HookState.ACTIVE


def test_everything_a_hook_can_say_is_heard() -> None:
    text = (
        PIPELINE
        + HOOK
        + indented(
            """\
id: build
active: false
action_type: deploy
method: put
settings:
  request_headers: [{name: X-Id, value: "{{ action.id }}"}]
  request_body: {state: pending, n: [1, null]}
lane: {policy: latest, key: "shop {{ action.id }}"}
retry: {waits: [5, 15s, 1m], give_up_after: 3d, jitter: 0}
timeout: 1500ms
responses:
  - {status: [400, 5xx], headers: {x-reason: "^a"}, body: "gone (away|far)", then: retry, because: not yet}
  - {status: 404, then: success}
  - {status: 409, then: retry, tries: 4, after: 1m}"""
        ).replace("trigger_when: {events: [action.started]}", "")
    )
    text = text.replace(
        "events: [action.started]",
        "events: [shop.opened, action.failed], conditions: [{path: action.type, accepted_values: [a, 1]}]",
    )

    (hook,) = manifest(text).hooks

    assert (hook.id, hook.state, hook.action_type, hook.method) == (
        "build",
        HookState.DISABLED,
        "deploy",
        "PUT",
    )
    assert hook.events == ("shop.opened", "action.failed")
    assert hook.conditions == (Condition(path="action.type", accepted_values=("a", 1)),)
    assert hook.headers == (("X-Id", "{{ action.id }}"),)
    assert hook.body == {"state": "pending", "n": [1, None]}
    assert hook.lane == LaneSpec(policy=LanePolicy.LATEST, key="shop {{ action.id }}")
    assert hook.retry == RetryPolicy(waits=(5000, 15000, 60000), give_up_after=3 * 86_400_000, jitter=0)
    assert hook.timeout == 1.5
    first, second, third = hook.responses
    assert first == ResponseRule(
        statuses=("400", "5xx"),
        headers={"x-reason": "^a"},
        body="gone (away|far)",
        then=Ruling.RETRY,
        because="not yet",
    )
    assert (second.statuses, second.then) == (("404",), Ruling.SUCCESS)
    assert (third.then, third.tries, third.after) == (Ruling.RETRY, 4, 60_000)


def test_a_lane_may_be_said_in_one_word() -> None:
    (hook,) = manifest(PIPELINE + HOOK + "        lane: ordered\n").hooks
    assert hook.lane == LaneSpec(policy=LanePolicy.ORDERED)


def test_an_incoming_hook_takes_variables_out_of_the_request() -> None:
    text = (
        PIPELINE
        + INCOMING
        + indented(
            """\
secret: github
signature_header: X-Signature
variables:
  - {name: commit_hash, path: pull_request.head.sha, required: true}
  - {name: number, type: integer, default_value: 3}
trigger_when: {conditions: [{type: request_body, path: action, accepted_values: [opened]}]}"""
        )
    )

    (hook,) = manifest(text, secret_names=["github"]).incoming_hooks

    assert (hook.id, hook.name, hook.pipeline_id) == ("5d0cb9f1-03b7", "pull requests", 7)
    assert (hook.secret, hook.signature_header) == ("github", "x-signature")
    assert hook.conditions == (Condition(path="action", accepted_values=("opened",)),)
    assert hook.variables == (
        Variable(name="commit_hash", path="pull_request.head.sha", required=True),
        Variable(name="number", path="number", type=VariableType.INTEGER, default=3),
    )


def test_a_missing_id_of_an_incoming_hook_is_suggested_afresh() -> None:
    text = PIPELINE + "    incoming_hooks: [{name: pulls}]\n"

    (first,), (second,) = problems(text), problems(text)

    pattern = (
        r"config.yaml:4:22: pipelines\[0\].incoming_hooks\[0\].id: is required \(a fresh one: [0-9a-f-]{36}\)"
    )
    assert re.fullmatch(pattern, first)
    assert re.fullmatch(pattern, second)
    assert first != second


def test_a_secret_that_nobody_has_is_told_with_the_likely_name() -> None:
    text = PIPELINE + INCOMING + indented("secret: github_webhok")

    assert problems(text, secret_names=["github_webhook", "other"]) == [
        (
            "config.yaml:7:17: pipelines[0].incoming_hooks[0].secret: there is no secret 'github_webhok',"
            " did you mean 'github_webhook'? (secrets are named under `secrets:`)"
        )
    ]
    assert manifest(text).incoming_hooks


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("board", Signing(secrets=("board",))),
        ("{secret: board}", Signing(secrets=("board",))),
        ("{secrets: [new, board]}", Signing(secrets=("new", "board"))),
        ("{secret: board, scheme: github}", Signing(secrets=("board",), scheme=SigningScheme.GITHUB)),
    ],
)
def test_a_hook_says_with_which_secrets_it_is_signed(said: str, expected: Signing) -> None:
    (hook,) = manifest(PIPELINE + HOOK + indented(f"signing: {said}"), secret_names=["board", "new"]).hooks

    assert hook.signing == expected
    assert hook_from_json(hook_to_json(hook), hook_id=hook.id, revision=0, state=hook.state) == hook


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("signing: bord", "signing: there is no secret 'bord', did you mean 'board'?"),
        ("signing: {}", "signing: needs either `secret` or `secrets`"),
        ("signing: {secret: board, secrets: [board]}", "signing: needs either `secret` or `secrets`"),
        ("signing: {secrets: []}", "signing.secrets: must have at least 1 item(s)"),
        (
            "signing: {secrets: [board], scheme: github}",
            "signing.secrets: GitHub's header holds one signature",
        ),
        ("signing: {secret: board, scheme: ed25519}", "signing.scheme: must be one of standard, github"),
        (
            (
                "signing: {secret: board, scheme: github}\nsettings: {request_headers: "
                "[{name: X-Hub-Signature-256, value: a}]}"
            ),
            "signing: the hook sets x-hub-signature-256 itself",
        ),
    ],
)
def test_a_mistake_in_signing_is_told(said: str, expected: str) -> None:
    (problem,) = problems(PIPELINE + HOOK + indented(said), secret_names=["board"])

    assert f"pipelines[0].hooks[0].{expected}" in problem


def test_a_secret_in_a_template_must_exist_too() -> None:
    text = (
        PIPELINE
        + HOOK
        + indented(
            'settings: {request_headers: [{name: A, value: "Bearer {{ secrets.gihub }} {{ my.secrets.x }}"}]}'
        )
    )

    assert problems(text, secret_names=["github"]) == [
        (
            "config.yaml:8:55: pipelines[0].hooks[0].settings.request_headers[0].value:"
            " there is no secret 'gihub', did you mean 'github'? (secrets are named under `secrets:`)"
        )
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("target_ur1: x", "8:9: {}.target_ur1: unknown key 'target_ur1', did you mean 'target_url'?"),
        ("zzz: 1", "8:9: {}.zzz: unknown key 'zzz'"),
        ("active: yes", "8:17: {}.active: must be true or false"),
        ("action_type: 3", "8:22: {}.action_type: must be text (put quotes around a number, true, "),
        (
            "method: PSOT",
            "8:17: {}.method: must be one of GET, POST, PUT, PATCH, DELETE, did you mean 'POST'?",
        ),
        ("pipeline: blog", "8:9: {}.pipeline: a hook inside of a pipeline belongs to that one"),
        (
            "settings: {request_body: 3}",
            "8:34: {}.settings.request_body: a request body is a mapping, a list, or",
        ),
        (
            "settings: {request_headers: [{name: a, vaule: b}]}",
            "8:48: {}.settings.request_headers[0].vaule: unk",
        ),
        ("settings: {request_headers: {a: b}}", "8:37: {}.settings.request_headers: must be a list"),
        (
            "lane: lastet",
            "8:15: {}.lane.policy: must be one of latest, ordered, none, did you mean 'latest'?",
        ),
        ("lane: {policy: latest, kye: x}", "8:32: {}.lane.kye: unknown key 'kye', did you mean 'key'?"),
        ("retry: {waits: [5s, soon]}", "8:29: {}.retry.waits[1]: must be a duration such as 500ms, 5s, 15m"),
        ("retry: {waits: []}", "8:24: {}.retry.waits: must have at least 1 item(s)"),
        ("retry: {jitter: 2}", "8:25: {}.retry.jitter: must be at most 1"),
        ("timeout: 1h", "8:18: {}.timeout: must be at most 5m"),
        ("timeout: 0", "8:18: {}.timeout: must be a duration of more than nothing"),
        (
            "responses: [{status: 6xx, then: retry}]",
            "8:30: {}.responses[0].status[0]: a status is a code such",
        ),
        (
            "responses: [{status: 400, then: rety}]",
            "8:41: {}.responses[0].then: must be one of success, retry,",
        ),
        ("responses: [{status: 400}]", "8:21: {}.responses[0].then: is required"),
        (
            "responses: [{status: 400, then: retry, body: '('}]",
            "8:54: {}.responses[0].body: is not a regular expression: missing )",
        ),
        (
            "responses: [{status: 400, then: success, tries: 3}]",
            "8:57: {}.responses[0].tries: goes with `then: retry` only",
        ),
        (
            "responses: [{status: 400, then: permanent, after: 3s}]",
            "8:59: {}.responses[0].after: goes with `then: retry` only",
        ),
        ("id: a b", "8:13: {}.id: must match ^[A-Za-z0-9_-]{{1,64}}$"),
    ],
)
def test_a_mistake_in_a_hook_is_told_with_its_place_and_what_to_do(line: str, expected: str) -> None:
    (problem,) = problems(PIPELINE + HOOK + indented(line))
    assert problem.startswith("config.yaml:" + expected.format("pipelines[0].hooks[0]"))


@pytest.mark.parametrize(
    ("event", "likely"),
    [
        ("action.complete", "action.completed"),
        ("action.start", "action.started"),
        ("action.canceled", "action.cancelled"),
        ("action.timeout", "action.timed_out"),
        ("action.fail", "action.failed"),
        ("actoin.failed", "action.failed"),
        ("Action.Failed", "action.failed"),
        ("action.status_change", "action.status_changed"),
    ],
)
def test_an_event_that_is_nearly_one_of_the_lifecycle_is_a_mistake(event: str, likely: str) -> None:
    (problem,) = problems((PIPELINE + HOOK).replace("action.started", event))
    assert problem.endswith(f".trigger_when.events[0]: unknown event '{event}', did you mean '{likely}'?")


@pytest.mark.parametrize("event", ["action.restarted", "action.approved", "order.started", "shop.order.paid"])
def test_other_events_have_names_of_their_own(event: str) -> None:
    (hook,) = manifest((PIPELINE + HOOK).replace("action.started", event)).hooks
    assert hook.events == (event,)


@pytest.mark.parametrize("event", ["started", "action.", "Order.paid", "a b.c"])
def test_an_event_is_a_word_with_a_dot(event: str) -> None:
    (problem,) = problems((PIPELINE + HOOK).replace("action.started", event))
    assert "an event is a lower-case word.word" in problem


def test_a_hook_without_events_or_target_is_refused() -> None:
    (problem,) = problems(PIPELINE + "    hooks: [{name: a, target_url: 'https://x', trigger_when: {}}]\n")
    assert problem == "config.yaml:4:62: pipelines[0].hooks[0].trigger_when.events: is required"

    (problem,) = problems(PIPELINE + "    hooks: [{name: a, trigger_when: {events: [a.b]}}]\n")
    assert problem == "config.yaml:4:13: pipelines[0].hooks[0].target_url: is required"


def test_all_mistakes_of_a_file_are_told_at_once_in_its_order() -> None:
    text = (
        "pipelines:\n"
        "  - {id: 0, nam: ab, context: {secrets: {}}}\n"
        "  - id: 2\n"
        "    name: ok then\n"
        "    incoming_hooks: [{id: short, name: x, variables: [{name: n, type: integer, default_value: x}]}]\n"
        "    hooks: [{name: a}, hallo]\n"
        "hooks: [{name: b, target_url: {{ x }}}, {pipeline: ok thn, name: c, target_url: 'https://{{ h | uper }}',"
        " trigger_when: {events: [a.b]}}]\n"
    )

    assert [re.sub(r"^config.yaml:|: .*$", "", problem) for problem in problems(text)] == [
        "2:10",
        "2:13",
        "2:41",
        "5:27",
        "5:95",
        "6:13",
        "6:13",
        "6:24",
        "7:9",
        "7:31",
        "7:52",
        "7:81",
    ]


def test_a_template_is_tried_and_its_mistake_told_where_it_stands() -> None:
    text = PIPELINE + HOOK + indented('settings:\n  request_body:\n    state: "{{ action.status | uper }}"')

    (problem,) = problems(text)

    assert problem.startswith(
        "config.yaml:10:20: pipelines[0].hooks[0].settings.request_body.state: the filter"
    )
    assert problem.endswith("line 1, column 18 of the template (did you mean `upper`?)")


def test_an_unquoted_template_is_told_once() -> None:
    text = (PIPELINE + HOOK).replace('"https://api.example/{{ action.id }}"', "{{ action.url }}")

    first, *rest = problems(text)

    assert first == (
        "config.yaml:6:21: pipelines[0].hooks[0].target_url: an unquoted template is read as a mapping"
        ' (quote templates that start with {{, such as "{{ x }}")'
    )
    assert not any("must be text" in problem for problem in rest)


def test_faults_outside_of_pipelines_and_hooks_are_told_by_others() -> None:
    assert manifest("server: {port: 1, port: 2}\n") == Manifest()


def test_hooks_that_share_a_name_differ_by_their_events() -> None:
    hooks = PIPELINE + "".join(
        HOOK.replace("    hooks:\n", "" if number else "    hooks:\n").replace("started", event)
        for number, event in enumerate(["started", "failed", "completed"])
    )

    ids = [hook.id for hook in manifest(hooks).hooks]

    assert len(set(ids)) == 3
    assert ids == [hook.id for hook in manifest("server: {}\n" + hooks).hooks]


def test_the_order_of_events_does_not_make_another_hook() -> None:
    one = (PIPELINE + HOOK).replace("[action.started]", "[a.b, c.d]")
    other = (PIPELINE + HOOK).replace("[action.started]", "[c.d, a.b]")

    assert manifest(one).hooks[0].id == manifest(other).hooks[0].id


def test_two_hooks_that_are_the_same_are_told_with_both_places() -> None:
    (problem,) = problems(PIPELINE + HOOK + HOOK.replace("    hooks:\n", ""))

    assert problem == (
        "config.yaml:8:9: pipelines[0].hooks[1]: is the same hook as config.yaml:5:9: pipeline, name and events"
        " are equal (give one of them another name, or an `id` of its own)"
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "  - {id: 7, name: other}",
            "4:10: pipelines[1].id: the pipeline id 7 is taken, see config.yaml:2:9",
        ),
        (
            "  - {id: 8, name: shop-deploy}",
            "4:19: pipelines[1].name: the pipeline name 'shop-deploy' is taken,",
        ),
        ("  - {id: 8, name: ab}", "4:19: pipelines[1].name: must have at least 3 characters"),
        ("  - {id: '8', name: blog}", "4:10: pipelines[1].id: must be a whole number"),
        ("  - blog", "4:5: pipelines[1]: must be a mapping"),
        ("hooks: {}", "4:8: hooks: must be a list"),
        ("hooks: [{preset: a/b, pipeline: shop}]", "4:18: hooks[0].preset: there is no preset 'a/b'"),
    ],
)
def test_pipelines_are_checked(line: str, expected: str) -> None:
    assert any(problem.startswith("config.yaml:" + expected) for problem in problems(PIPELINE + line + "\n"))


@pytest.mark.parametrize(("reference", "owner"), [("shop-deploy", 7), ("7", 7), (None, None)])
def test_a_hook_at_the_top_names_its_pipeline_or_stands_for_all(
    reference: str | None, owner: int | None
) -> None:
    line = f"    pipeline: {reference}\n" if reference else ""
    text = PIPELINE + "hooks:\n  - name: a\n    target_url: https://x.example\n" + line
    text += "    trigger_when: {events: [a.b]}\n"

    assert [hook.pipeline_id for hook in manifest(text).hooks] == [owner]


@pytest.mark.parametrize(
    ("pipeline", "likely"), [("shop-depoy", ", did you mean 'shop-deploy'?"), ("9", "; there is 7,")]
)
def test_an_unknown_pipeline_is_told_with_the_likely_one(pipeline: str, likely: str) -> None:
    text = PIPELINE + f"hooks:\n  - name: a\n    target_url: https://x.example\n    pipeline: {pipeline}\n"
    text += "    trigger_when: {events: [a.b]}\n"

    (problem,) = problems(text)

    assert f"hooks[0].pipeline: there is no pipeline '{pipeline}'{likely}" in problem


PRESET = """\
name: Ping
description: Rings a bell.
params:
  host: {required: true, help: where the bell hangs}
  tone: {default: "{{ action.status }}", help: how it sounds}
  room: {help: where it is heard}
events: [action.status_changed]
request:
  method: PUT
  url: "{{ params.host }}/bells/1"
  headers: [{name: X-Room, value: "{{ params.room }}"}]
  body: {tone: "{{ params.tone }}", room: "{{ params.room }}", deep: {room: "{{params.room}}"}}
timeout: 3s
lane: ordered
retry: {waits: [2s]}
responses: [{status: 409, then: success, because: it rings}]
"""


@pytest.fixture
def presets(tmp_path: Path) -> Presets:
    (tmp_path / "bell").mkdir()
    (tmp_path / "bell" / "ping.yaml").write_text(PRESET, "utf-8")
    return Presets(tmp_path)


def with_preset(lines: str) -> str:
    return PIPELINE + "    hooks:\n      - preset: bell/ping\n" + indented(lines)


def test_a_preset_becomes_a_hook_without_what_was_left_empty(presets: Presets) -> None:
    (hook,) = manifest(with_preset("with: {host: 'https://bells.example'}"), presets=presets).hooks

    assert (hook.name, hook.preset, hook.method) == ("Ping", "bell/ping", "PUT")
    assert hook.params == {"host": "https://bells.example", "tone": "{{ action.status }}", "room": None}
    assert hook.target_url == "{{ params.host }}/bells/1"
    assert hook.headers == ()
    assert hook.body == {"tone": "{{ params.tone }}", "deep": {}}
    assert hook.events == ("action.status_changed",)
    assert (hook.timeout, hook.retry, hook.lane) == (
        3.0,
        RetryPolicy(waits=(2000,)),
        LaneSpec(policy=LanePolicy.ORDERED),
    )
    assert [rule.because for rule in hook.responses] == ["it rings"]


def test_a_hook_has_the_last_word_over_its_preset(presets: Presets) -> None:
    text = with_preset(
        "name: Mine\nwith: {host: 'https://b.example', room: attic}\ntimeout: 4s\nlane: none\nretry: {jitter: 0}\n"
        "responses: [{status: 5xx, then: permanent, because: mine}]\ntrigger_when: {events: [action.failed]}"
    )

    (hook,) = manifest(text, presets=presets).hooks

    assert (hook.name, hook.timeout, hook.lane) == ("Mine", 4.0, LaneSpec(policy=LanePolicy.NONE))
    assert hook.events == ("action.failed",)
    assert hook.retry == RetryPolicy(jitter=0)
    assert hook.headers == (("X-Room", "{{ params.room }}"),)
    assert [rule.because for rule in hook.responses] == ["mine", "it rings"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("with: {hots: x}", "6:16: {}.with.hots: bell/ping has no blank 'hots', did you mean 'host'?"),
        ("with: {tone: x}", "6:15: {}.with.host: bell/ping needs it: where the bell hangs"),
        ("name: x", "5:9: {}.with.host: bell/ping needs it: where the bell hangs"),
        (
            "with: {host: 'https://x.example', tone: '{{ a | uper }}'}",
            "6:49: {}.with.tone: the filter `uper`",
        ),
        ("with: {host: nowhere}", "5:17: {}.preset: target_url: the URL must start with"),
        ("with: {host: 'https://x.example'}\ntarget_url: x", "7:9: {}.target_url: unknown key 'target_url'"),
    ],
)
def test_a_mistake_in_filling_a_preset_is_told(lines: str, expected: str, presets: Presets) -> None:
    (problem,) = problems(with_preset(lines), presets=presets)
    assert problem.startswith("config.yaml:" + expected.format("pipelines[0].hooks[0]"))


def test_an_unknown_preset_is_told_with_the_likely_one(presets: Presets) -> None:
    (problem,) = problems(with_preset("with: {}").replace("bell/ping", "bell/pin"), presets=presets)
    assert problem.endswith(".preset: there is no preset 'bell/pin', did you mean 'bell/ping'?")


def test_a_mistake_in_the_file_of_a_preset_is_told_with_its_place(tmp_path: Path, presets: Presets) -> None:
    file = tmp_path / "bell" / "ping.yaml"
    file.write_text(PRESET.replace("method:", "metod:") + "name: again\n", "utf-8")

    found = problems(with_preset("with: {}"), presets=presets)

    assert found == [
        f"{file}:9:3: request.metod: unknown key 'metod', did you mean 'method'?",
        f"{file}:17:1: name: this key stands twice, first in line 1",
    ]
