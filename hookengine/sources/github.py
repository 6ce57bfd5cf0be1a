"""GitHub's webhooks: push, merged pull request, published release, deployment status, workflow run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hookengine.domain.event import Lifecycle
from hookengine.guard.signing import verify_hmac
from hookengine.sources.facts import (
    Fact,
    Table,
    commit,
    flag,
    is_commit,
    known,
    moment,
    number,
    prose,
    put,
    read_facts,
    text,
)
from hookengine.sources.git import is_nothing, ref_names
from hookengine.sources.report import Heard, Report, deployed, digest, finished, ignored

Document = Mapping[str, Any]
Headers = Mapping[str, str]

REPOSITORY: Table = {
    "repository.name": Fact("repository.full_name", text, required=True),
    "repository.url": Fact("repository.html_url", text),
    "actor": Fact("sender.login", text),
}
PUSH: Table = {
    **REPOSITORY,
    "commit.hash": Fact("after", commit, required=True),
    "commit.message": Fact("head_commit.message", prose),
    "commit.url": Fact("head_commit.url", text),
    "before": Fact("before", commit),
    "ref": Fact("ref", text, required=True),
    "title": Fact("head_commit.message", prose),
    "url": Fact("compare", text),
}
MERGE: Table = {
    **REPOSITORY,
    "commit.hash": Fact("pull_request.merge_commit_sha", commit, required=True),
    "branch": Fact("pull_request.base.ref", text, required=True),
    "pull_request.id": Fact("pull_request.id", number, required=True),
    "pull_request.number": Fact("pull_request.number", number, required=True),
    "pull_request.head": Fact("pull_request.head.sha", commit),
    "pull_request.branch": Fact("pull_request.head.ref", text),
    "title": Fact("pull_request.title", prose),
    "url": Fact("pull_request.html_url", text),
    "occurred_at": Fact("pull_request.merged_at", moment),
}
RELEASE: Table = {
    **REPOSITORY,
    "tag": Fact("release.tag_name", text, required=True),
    "release.id": Fact("release.id", number, required=True),
    "release.name": Fact("release.name", text),
    "release.prerelease": Fact("release.prerelease", flag),
    "target": Fact("release.target_commitish", text),
    "title": Fact("release.name", prose),
    "url": Fact("release.html_url", text),
    "occurred_at": Fact("release.published_at", moment),
}
DEPLOYMENT: Table = {
    **REPOSITORY,
    "commit.hash": Fact("deployment.sha", commit, required=True),
    "ref": Fact("deployment.ref", text),
    "deployment.id": Fact("deployment.id", number, required=True),
    "deployment.task": Fact("deployment.task", text),
    "deployment.state": Fact("deployment_status.state", text, required=True),
    "environment": Fact("deployment.environment", text),
    "title": Fact("deployment_status.description", prose),
    "url": Fact("deployment_status.target_url", text),
    "occurred_at": Fact("deployment_status.created_at", moment),
}
RUN: Table = {
    **REPOSITORY,
    "commit.hash": Fact("workflow_run.head_sha", commit, required=True),
    "branch": Fact("workflow_run.head_branch", text),
    "run.id": Fact("workflow_run.id", number, required=True),
    "run.name": Fact("workflow_run.name", text),
    "run.number": Fact("workflow_run.run_number", number),
    "run.attempt": Fact("workflow_run.run_attempt", number),
    "run.trigger": Fact("workflow_run.event", text),
    "run.conclusion": Fact("workflow_run.conclusion", text),
    "title": Fact("workflow_run.display_title", prose),
    "url": Fact("workflow_run.html_url", text),
    "occurred_at": Fact("workflow_run.updated_at", moment),
}

DEPLOYMENT_STATES: Mapping[str, Lifecycle] = {
    "queued": Lifecycle.QUEUED,
    "pending": Lifecycle.QUEUED,
    "waiting": Lifecycle.QUEUED,
    "in_progress": Lifecycle.STARTED,
    "success": Lifecycle.COMPLETED,
    "failure": Lifecycle.FAILED,
    "error": Lifecycle.FAILED,
}
"""Not `inactive`: a later deployment has taken its place, which changes nothing of how it ended."""

RUN_STEPS: Mapping[str, Lifecycle] = {"requested": Lifecycle.QUEUED, "in_progress": Lifecycle.STARTED}

CONCLUSIONS: Mapping[str, Lifecycle] = {
    "success": Lifecycle.COMPLETED,
    "neutral": Lifecycle.COMPLETED,
    "failure": Lifecycle.FAILED,
    "startup_failure": Lifecycle.FAILED,
    "timed_out": Lifecycle.TIMED_OUT,
    "cancelled": Lifecycle.CANCELLED,
    "stale": Lifecycle.CANCELLED,
    "skipped": Lifecycle.CANCELLED,
}
"""Not `action_required`: somebody has to approve the run, which then goes on."""


def hear(document: Document, headers: Headers) -> Heard:
    """`headers` have lower-case names. Raises InvalidEvent."""
    event = headers.get("x-github-event", "")
    if event not in EVENTS:
        return ignored(f"of the event {event[:60]!r} nothing is made; of {', '.join(EVENTS)} it is")
    # Events of several kinds that one thing sets off may share the name of their delivery.
    return EVENTS[event](document, digest([event, headers.get("x-github-delivery") or document]))


def admits(secret: str, body: bytes, headers: Headers) -> bool:
    """Whether the request is signed with the webhook's secret; takes the same time for every wrong signature."""
    return verify_hmac(secret, body, headers.get("x-hub-signature-256", ""))


def _ping(document: Document, key: str) -> Heard:
    return ignored("a ping, which is answered")


def _push(document: Document, key: str) -> Heard:
    if document.get("deleted") is True or is_nothing(document.get("after")):
        return ignored("a branch or tag was deleted")
    if is_nothing(document.get("before")):
        document = {**document, "before": None}
    facts = read_facts(document, PUSH)
    return finished("push", key, {**facts, **ref_names(facts["ref"])})


def _pull_request(document: Document, key: str) -> Heard:
    if document.get("action") != "closed" or known(document, "pull_request.merged") is not True:
        return ignored("the pull request was not merged by this")
    facts = read_facts(document, MERGE)
    return finished("merge", key, {**facts, "ref": f"refs/heads/{facts['branch']}"})


def _release(document: Document, key: str) -> Heard:
    if document.get("action") != "published":
        return ignored("the release was not published by this")
    facts = read_facts(document, RELEASE)
    target = facts.pop("target", None)
    if is_commit(target):
        put(facts, "commit.hash", commit(target))
    return finished("release", key, {**facts, "ref": f"refs/tags/{facts['tag']}"})


def _deployment_status(document: Document, key: str) -> Heard:
    facts = read_facts(document, DEPLOYMENT)
    state = facts["deployment"]["state"]
    if state not in DEPLOYMENT_STATES:
        return ignored(f"a deployment that is {state} changes nothing")
    return deployed(DEPLOYMENT_STATES[state], key, {**facts, "event": "deployment_status"})


def _workflow_run(document: Document, key: str) -> Heard:
    facts = read_facts(document, RUN)
    step, run = document.get("action"), facts["run"]
    if step == "completed":
        kind = CONCLUSIONS.get(run.get("conclusion", ""))
    else:
        kind = RUN_STEPS.get(step) if isinstance(step, str) else None
    if kind is None:
        return ignored(f"a workflow run that is {run.get('conclusion') or step} changes nothing")
    occurred_at = facts.pop("occurred_at", None)
    report = Report(
        type=kind,
        key=key,
        run=f"run-{run['id']}",
        number=run["id"],
        attempt=run.get("attempt"),
        occurred_at=occurred_at,
        facts={**facts, "event": "workflow_run"},
    )
    return Heard(reports=(report,))


EVENTS: Mapping[str, Callable[[Document, str], Heard]] = {
    "ping": _ping,
    "push": _push,
    "pull_request": _pull_request,
    "release": _release,
    "deployment_status": _deployment_status,
    "workflow_run": _workflow_run,
}
