"""What pipelines, hooks and incoming hooks may say is heard."""

from __future__ import annotations

import pytest

from hookengine.domain.documents import hook_from_json, hook_to_json
from hookengine.domain.hook import Condition, HookState, LanePolicy, LaneSpec, Signing, SigningScheme
from hookengine.domain.pipeline import Pipeline, Variable, VariableType
from hookengine.domain.response import ResponseRule, Ruling
from hookengine.domain.retry import RetryPolicy
from hookengine.manifest import Manifest
from tests.unit.manifest.texts import HOOK, INCOMING, PIPELINE, indented, manifest


def test_a_file_without_pipelines_and_hooks_wishes_for_nothing() -> None:
    assert manifest("server: {port: 1}\nhooks:\npipelines:\n") == Manifest()


def test_a_pipeline_says_whose_it_is_and_what_it_deploys_where() -> None:
    text = PIPELINE + "  - {id: 8, name: blog, team: red, application: blog, environment: production}\n"

    assert manifest(text).pipelines[1] == Pipeline(
        id=8, name="blog", team="red", application="blog", environment="production"
    )


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


@pytest.mark.parametrize("event", ["action.restarted", "action.approved", "order.started", "shop.order.paid"])
def test_other_events_have_names_of_their_own(event: str) -> None:
    (hook,) = manifest((PIPELINE + HOOK).replace("action.started", event)).hooks
    assert hook.events == (event,)


@pytest.mark.parametrize(("reference", "owner"), [("shop-deploy", 7), ("7", 7), (None, None)])
def test_a_hook_at_the_top_names_its_pipeline_or_stands_for_all(
    reference: str | None, owner: int | None
) -> None:
    line = f"    pipeline: {reference}\n" if reference else ""
    text = PIPELINE + "hooks:\n  - name: a\n    target_url: https://x.example\n" + line
    text += "    trigger_when: {events: [a.b]}\n"

    assert [hook.pipeline_id for hook in manifest(text).hooks] == [owner]


def test_faults_outside_of_pipelines_and_hooks_are_told_by_others() -> None:
    assert manifest("server: {port: 1, port: 2}\n") == Manifest()


# Which hook it is


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
