from __future__ import annotations

from typing import Any

import pytest

from hookengine.sources import gitlab
from hookengine.sources.report import Report
from tests.unit.sources.conftest import Case, body_named, cases_of, changed, mistakes

PIPELINE = body_named("gitlab", "a pipeline that succeeded")
DEPLOYMENT = body_named("gitlab", "a deployment that succeeded")
PUSH = body_named("gitlab", "a push")


def heard(body: dict[str, Any], **headers: str) -> Report:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    (report,) = gitlab.hear(body, named).reports
    return report


@pytest.mark.parametrize("case", cases_of("gitlab"), ids=str)
def test_what_gitlab_documents_comes_to_our_events(case: Case) -> None:
    case.check("gitlab", gitlab.hear(case.body, case.headers))


STATUSES = {
    "created": "action.queued",
    "waiting_for_resource": "action.queued",
    "preparing": "action.queued",
    "pending": "action.queued",
    "running": "action.started",
    "success": "action.completed",
    "failed": "action.failed",
    "canceled": "action.cancelled",
    "skipped": "action.cancelled",
}


@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
def test_every_status_of_pipelines_and_deployments_is_one_of_our_lifecycle(status: str, kind: str) -> None:
    assert heard(changed(PIPELINE, "object_attributes.status", status)).type == kind
    assert heard(changed(DEPLOYMENT, "status", status)).type == kind


def test_a_pipeline_is_timed_by_when_it_was_made_or_has_ended() -> None:
    def occurred_at(status: str) -> int | None:
        return heard(changed(PIPELINE, "object_attributes.status", status)).occurred_at

    assert occurred_at("pending") == 1_471_015_408_000
    assert occurred_at("running") is None
    assert occurred_at("failed") == 1_471_015_589_000


@pytest.mark.parametrize("status", ["manual", "scheduled", "canceling", "blocked", "x" * 500])
def test_what_is_no_step_of_a_run_comes_to_nothing(status: str) -> None:
    for body in (
        changed(PIPELINE, "object_attributes.status", status),
        changed(DEPLOYMENT, "status", status),
    ):
        assert gitlab.hear(body, {}).reports == ()


def test_the_branch_of_a_pipeline_for_a_tag_is_a_tag() -> None:
    facts = heard(changed(PIPELINE, "object_attributes.tag", True)).facts

    assert (facts["tag"], "branch" in facts) == ("master", False)


def test_a_delivery_that_is_sent_again_is_the_same_event() -> None:
    assert heard(PUSH, idempotency_key="a").key == heard(PUSH, idempotency_key="a").key
    assert heard(PUSH, idempotency_key="a").key != heard(PUSH, idempotency_key="b").key
    assert (
        heard(PUSH, x_gitlab_event_uuid="a").key
        == heard(dict(reversed(PUSH.items())), x_gitlab_event_uuid="a").key
    )
    assert heard(PUSH).key == heard(PUSH).key


def test_what_a_webhook_has_set_off_is_another_event_though_gitlab_gives_it_the_same_uuid() -> None:
    other = changed(PUSH, "ref", "refs/heads/other")

    assert heard(PUSH, x_gitlab_event_uuid="a").key != heard(other, x_gitlab_event_uuid="a").key


@pytest.mark.parametrize(
    ("name", "field", "fits"),
    [
        ("a push", "after", []),
        ("a push", "ref", ["x"]),
        ("a push", "project.path_with_namespace", ["x"]),
        ("a merged merge request", "object_attributes.target_branch", ["x"]),
        ("a merged merge request", "object_attributes.iid", [5]),
        ("a new release", "tag", ["x"]),
        ("a pipeline that succeeded", "object_attributes.sha", []),
        ("a pipeline that succeeded", "object_attributes.id", [5]),
        ("a deployment that succeeded", "deployment_id", [5]),
    ],
)
def test_a_field_that_is_missing_or_wrong_is_named(
    name: str, field: str, fits: list[Any], hostile: Any
) -> None:
    body = body_named("gitlab", name)
    wrong = [] if any(hostile is fit or hostile == fit != True for fit in fits) else [field]  # noqa: E712

    assert mistakes(gitlab.hear, changed(body, field, ...), {}) == [field]
    assert mistakes(gitlab.hear, changed(body, field, hostile), {}) == wrong


def test_the_request_must_show_the_secret_token() -> None:
    def admits(given: str) -> bool:
        return gitlab.admits("s3cret", b"", {"x-gitlab-token": given})

    assert admits("s3cret")
    assert not any(admits(given) for given in ("", "s3cre", "s3crets", "S3cret", "é"))
    assert not gitlab.admits("s3cret", b"", {})
