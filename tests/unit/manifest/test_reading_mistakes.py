"""Mistakes in a file are told with their place, and with what to do."""

from __future__ import annotations

import re

import pytest

from tests.unit.manifest.texts import HOOK, INCOMING, PIPELINE, indented, manifest, problems

# Pipelines


@pytest.mark.parametrize("name", ["action", "pipeline"])
def test_what_the_engine_adds_its_own_facts_to_is_a_mapping(name: str) -> None:
    text = PIPELINE + f"    context: {{{name}: checkout}}\n"

    (problem,) = problems(text)

    assert "must be a mapping: the engine puts its own facts beside yours" in problem
    assert ":4:" in problem


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


@pytest.mark.parametrize(
    ("pipeline", "likely"), [("shop-depoy", ", did you mean 'shop-deploy'?"), ("9", "; there is 7,")]
)
def test_an_unknown_pipeline_is_told_with_the_likely_one(pipeline: str, likely: str) -> None:
    text = PIPELINE + f"hooks:\n  - name: a\n    target_url: https://x.example\n    pipeline: {pipeline}\n"
    text += "    trigger_when: {events: [a.b]}\n"

    (problem,) = problems(text)

    assert f"hooks[0].pipeline: there is no pipeline '{pipeline}'{likely}" in problem


# Hooks


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


@pytest.mark.parametrize("event", ["started", "action.", "Order.paid", "a b.c"])
def test_an_event_is_a_word_with_a_dot(event: str) -> None:
    (problem,) = problems((PIPELINE + HOOK).replace("action.started", event))
    assert "an event is a lower-case word.word" in problem


def test_a_hook_without_events_or_target_is_refused() -> None:
    (problem,) = problems(PIPELINE + "    hooks: [{name: a, target_url: 'https://x', trigger_when: {}}]\n")
    assert problem == "config.yaml:4:62: pipelines[0].hooks[0].trigger_when.events: is required"

    (problem,) = problems(PIPELINE + "    hooks: [{name: a, trigger_when: {events: [a.b]}}]\n")
    assert problem == "config.yaml:4:13: pipelines[0].hooks[0].target_url: is required"


def test_two_hooks_that_are_the_same_are_told_with_both_places() -> None:
    (problem,) = problems(PIPELINE + HOOK + HOOK.replace("    hooks:\n", ""))

    assert problem == (
        "config.yaml:8:9: pipelines[0].hooks[1]: is the same hook as config.yaml:5:9: pipeline, name and events"
        " are equal (give one of them another name, or an `id` of its own)"
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


# Secrets and templates


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


# All of them


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
