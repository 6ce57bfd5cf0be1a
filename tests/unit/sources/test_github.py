from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from hookengine.domain.event import Event
from hookengine.errors import InvalidEvent
from hookengine.sources import github
from hookengine.sources.report import Report
from tests.unit.sources.conftest import Case, body_named, cases_of, changed, mistakes

RUN = body_named("github", "a workflow run that was requested")
DEPLOYMENT = body_named("github", "a deployment that succeeded")
PUSH = body_named("github", "a push to a branch")


def heard(event: str, body: dict[str, Any], delivery: str = "d-1") -> Report:
    (report,) = github.hear(body, {"x-github-event": event, "x-github-delivery": delivery}).reports
    return report


@pytest.mark.parametrize("case", cases_of("github"), ids=str)
def test_what_github_documents_comes_to_our_events(case: Case) -> None:
    case.check("github", github.hear(case.body, case.headers))


@pytest.mark.parametrize(
    ("step", "conclusion", "kind"),
    [
        ("requested", None, "action.queued"),
        ("in_progress", None, "action.started"),
        ("completed", "success", "action.completed"),
        ("completed", "neutral", "action.completed"),
        ("completed", "failure", "action.failed"),
        ("completed", "startup_failure", "action.failed"),
        ("completed", "timed_out", "action.timed_out"),
        ("completed", "cancelled", "action.cancelled"),
        ("completed", "stale", "action.cancelled"),
        ("completed", "skipped", "action.cancelled"),
    ],
)
def test_every_step_of_a_workflow_run_is_one_of_our_lifecycle(
    step: str, conclusion: str | None, kind: str
) -> None:
    body = changed(changed(RUN, "action", step), "workflow_run.conclusion", conclusion)

    assert heard("workflow_run", body).type == kind


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("queued", "action.queued"),
        ("pending", "action.queued"),
        ("waiting", "action.queued"),
        ("in_progress", "action.started"),
        ("success", "action.completed"),
        ("failure", "action.failed"),
        ("error", "action.failed"),
    ],
)
def test_every_state_of_a_deployment_is_one_of_our_lifecycle(state: str, kind: str) -> None:
    assert heard("deployment_status", changed(DEPLOYMENT, "deployment_status.state", state)).type == kind


def test_a_deployment_that_another_one_replaced_stays_as_it_ended() -> None:
    body = changed(DEPLOYMENT, "deployment_status.state", "inactive")

    result = github.hear(body, {"x-github-event": "deployment_status"})

    assert result.ignored == ("a deployment that is inactive changes nothing",)


def test_all_that_is_told_of_a_run_is_one_action_and_a_rerun_has_a_later_place() -> None:
    first, again = (
        heard("workflow_run", changed(RUN, "workflow_run.run_attempt", n)).document("github", 1, "")
        for n in (1, 2)
    )

    assert first["action"]["id"] == again["action"]["id"]
    assert Event.parse(first).number < Event.parse(again).number  # type: ignore[operator]


def test_a_delivery_that_is_sent_again_is_the_same_event_and_another_one_is_not() -> None:
    def document(delivery: str) -> dict[str, Any]:
        return heard("push", PUSH, delivery).document("github", 1, "never used")

    assert document("one") == document("one")
    assert document("one")["id"] != document("two")["id"]
    assert document("one")["action"]["id"] != document("two")["action"]["id"]


def test_two_kinds_of_events_under_one_name_are_two_events() -> None:
    assert heard("push", PUSH, "one").key != heard("deployment_status", DEPLOYMENT, "one").key


def test_a_delivery_without_a_name_is_known_by_what_it_says() -> None:
    first, again = (heard("push", body, "") for body in (PUSH, dict(reversed(PUSH.items()))))

    assert first.key == again.key != heard("push", changed(PUSH, "forced", True), "").key


@pytest.mark.parametrize(
    ("event", "name", "field"),
    [
        ("push", "a push to a branch", "after"),
        ("push", "a push to a branch", "ref"),
        ("push", "a push to a branch", "repository.full_name"),
        ("pull_request", "a merged pull request", "pull_request.merge_commit_sha"),
        ("pull_request", "a merged pull request", "pull_request.base.ref"),
        ("release", "a published release", "release.tag_name"),
        ("deployment_status", "a deployment that succeeded", "deployment.sha"),
        ("deployment_status", "a deployment that succeeded", "deployment.id"),
        ("workflow_run", "a workflow run that was requested", "workflow_run.head_sha"),
        ("workflow_run", "a workflow run that was requested", "workflow_run.id"),
    ],
)
def test_a_field_that_is_missing_or_wrong_is_named(event: str, name: str, field: str, hostile: Any) -> None:
    headers = {"x-github-event": event}
    body = body_named("github", name)
    fits = (field == "ref" and hostile in ("x", "5")) or (field.endswith(".id") and hostile == 5)
    fits = fits or (
        hostile == "x" and field in ("repository.full_name", "pull_request.base.ref", "release.tag_name")
    )

    assert mistakes(github.hear, changed(body, field, ...), headers) == [field]
    assert mistakes(github.hear, changed(body, field, hostile), headers) == ([] if fits else [field])


def test_a_long_message_is_cut_and_a_long_name_is_refused() -> None:
    facts = heard("push", changed(PUSH, "head_commit.message", "m" * 70_000)).facts

    assert len(facts["title"]) == 1000
    assert facts["title"].endswith("…")
    with pytest.raises(InvalidEvent, match="ref must be a text of up to 2000 characters"):
        heard("push", changed(PUSH, "ref", "refs/heads/" + "r" * 70_000))


def test_the_body_must_be_signed_with_the_secret() -> None:
    body = b'{"zen": "Design for failure."}'
    signature = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()

    def admits(secret: str, given: str) -> bool:
        return github.admits(secret, body, {"x-hub-signature-256": given})

    assert admits("s3cret", f"sha256={signature}")
    assert not admits("other", f"sha256={signature}")
    assert not admits("s3cret", "sha256=" + "0" * 64)
    assert not admits("s3cret", "sha256=é")
    assert not github.admits("s3cret", body, {})
