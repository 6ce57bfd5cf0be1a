"""GitLab's webhooks: push, merged merge request, release, pipeline, deployment."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Any

from hookengine.domain.event import Lifecycle
from hookengine.sources.facts import (
    Fact,
    Table,
    commit,
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

PROJECT: Table = {
    "repository.name": Fact("project.path_with_namespace", text, required=True),
    "repository.url": Fact("project.web_url", text),
}
PUSH: Table = {
    **PROJECT,
    "commit.hash": Fact("after", commit, required=True),
    "before": Fact("before", commit),
    "ref": Fact("ref", text, required=True),
    "actor": Fact("user_username", text),
    "title": Fact("message", prose),
}
MERGE: Table = {
    **PROJECT,
    "commit.hash": Fact("object_attributes.merge_commit_sha", commit),
    "merge_request.id": Fact("object_attributes.id", number, required=True),
    "merge_request.number": Fact("object_attributes.iid", number, required=True),
    "merge_request.head": Fact("object_attributes.last_commit.id", commit),
    "merge_request.branch": Fact("object_attributes.source_branch", text),
    "branch": Fact("object_attributes.target_branch", text, required=True),
    "actor": Fact("user.username", text),
    "title": Fact("object_attributes.title", prose),
    "url": Fact("object_attributes.url", text),
    "occurred_at": Fact("object_attributes.updated_at", moment),
}
RELEASE: Table = {
    **PROJECT,
    "commit.hash": Fact("commit.id", commit),
    "commit.message": Fact("commit.message", prose),
    "tag": Fact("tag", text, required=True),
    "release.id": Fact("id", number),
    "release.name": Fact("name", text),
    "title": Fact("name", prose),
    "url": Fact("url", text),
    "occurred_at": Fact("released_at", moment),
}
PIPELINE: Table = {
    **PROJECT,
    "commit.hash": Fact("object_attributes.sha", commit, required=True),
    "commit.message": Fact("commit.message", prose),
    "commit.url": Fact("commit.url", text),
    "run.id": Fact("object_attributes.id", number, required=True),
    "run.number": Fact("object_attributes.iid", number),
    "run.name": Fact("object_attributes.name", text),
    "run.trigger": Fact("object_attributes.source", text),
    "run.status": Fact("object_attributes.status", text, required=True),
    "ref": Fact("object_attributes.ref", text),
    "actor": Fact("user.username", text),
    "title": Fact("commit.title", prose),
    "url": Fact("object_attributes.url", text),
    "created_at": Fact("object_attributes.created_at", moment),
    "finished_at": Fact("object_attributes.finished_at", moment),
}
DEPLOYMENT: Table = {
    **PROJECT,
    "deployment.id": Fact("deployment_id", number, required=True),
    "deployment.status": Fact("status", text, required=True),
    "deployment.tier": Fact("environment_tier", text),
    "commit.url": Fact("commit_url", text),
    "commit.message": Fact("commit_title", prose),
    "environment": Fact("environment", text),
    "ref": Fact("ref", text),
    "actor": Fact("user.username", text),
    "title": Fact("commit_title", prose),
    "url": Fact("deployable_url", text),
    "occurred_at": Fact("status_changed_at", moment),
}

STATUSES: Mapping[str, Lifecycle] = {
    "created": Lifecycle.QUEUED,
    "waiting_for_resource": Lifecycle.QUEUED,
    "waiting_for_callback": Lifecycle.QUEUED,
    "preparing": Lifecycle.QUEUED,
    "pending": Lifecycle.QUEUED,
    "running": Lifecycle.STARTED,
    "success": Lifecycle.COMPLETED,
    "failed": Lifecycle.FAILED,
    "canceled": Lifecycle.CANCELLED,
    "skipped": Lifecycle.CANCELLED,
}
"""Of pipelines and deployments. Not `manual`, `scheduled` and `blocked`, which wait for somebody or for a time, nor
`canceling`, which is no end yet."""


def hear(document: Document, headers: Headers) -> Heard:
    """`headers` have lower-case names. Raises InvalidEvent."""
    kind = document.get("object_kind")
    if not isinstance(kind, str) or kind not in KINDS:
        return ignored(f"of the kind {str(kind)[:60]!r} nothing is made; of {', '.join(KINDS)} it is")
    return KINDS[kind](document, _key(document, headers))


def admits(secret: str, body: bytes, headers: Headers) -> bool:
    """Whether the request shows the webhook's secret token; takes the same time for every wrong one."""
    return hmac.compare_digest(secret.encode(), headers.get("x-gitlab-token", "").encode())


def _key(document: Document, headers: Headers) -> str:
    """An event's UUID alone would not do: what a webhook sets off is told under the same one."""
    if headers.get("idempotency-key"):
        return headers["idempotency-key"]
    return headers.get("x-gitlab-event-uuid", "") + digest(document)


def _push(document: Document, key: str) -> Heard:
    if is_nothing(document.get("after")):
        return ignored("a branch or tag was deleted")
    if is_nothing(document.get("before")):
        document = {**document, "before": None}
    facts = read_facts(document, PUSH)
    told = document.get("commits")
    newest = told[-1] if isinstance(told, list) and told else None
    if isinstance(newest, dict):
        facts.update(read_facts(newest, {"title": Fact("message", prose), "url": Fact("url", text)}))
    return finished("push", key, {**facts, **ref_names(facts["ref"])})


def _merge_request(document: Document, key: str) -> Heard:
    if known(document, "object_attributes.action") != "merge":
        return ignored("the merge request was not merged by this")
    facts = read_facts(document, MERGE)
    head = known(facts, "merge_request.head")
    if known(facts, "commit.hash") is None and head is not None:  # merged without a merge commit
        put(facts, "commit.hash", head)
    return finished("merge", key, {**facts, "ref": f"refs/heads/{facts['branch']}"})


def _release(document: Document, key: str) -> Heard:
    if document.get("action") != "create":
        return ignored("the release was not made by this")
    facts = read_facts(document, RELEASE)
    return finished("release", key, {**facts, "ref": f"refs/tags/{facts['tag']}"})


def _pipeline(document: Document, key: str) -> Heard:
    facts = read_facts(document, PIPELINE)
    run = facts["run"]
    kind = STATUSES.get(run["status"])
    if kind is None:
        return ignored(f"a pipeline that is {run['status']} changes nothing")
    times = {Lifecycle.QUEUED: facts.pop("created_at", None), Lifecycle.STARTED: None}
    finished_at = facts.pop("finished_at", None)
    name = "tag" if known(document, "object_attributes.tag") is True else "branch"
    if "ref" in facts:
        facts[name] = facts["ref"]
    report = Report(
        type=kind,
        key=key,
        run=f"pipeline-{run['id']}",
        number=run["id"],
        occurred_at=times.get(kind, finished_at),
        facts={**facts, "event": "pipeline"},
    )
    return Heard(reports=(report,))


def _deployment(document: Document, key: str) -> Heard:
    facts = read_facts(document, DEPLOYMENT)
    status = facts["deployment"]["status"]
    if status not in STATUSES:
        return ignored(f"a deployment that is {status} changes nothing")
    # The payload has a short hash only; the whole one stands at the end of the commit's address.
    whole = str(known(facts, "commit.url")).rpartition("/")[2]
    if is_commit(whole):
        put(facts, "commit.hash", commit(whole))
    return deployed(STATUSES[status], key, {**facts, "event": "deployment"})


KINDS: Mapping[str, Callable[[Document, str], Heard]] = {
    "push": _push,
    "tag_push": _push,
    "merge_request": _merge_request,
    "release": _release,
    "pipeline": _pipeline,
    "deployment": _deployment,
}
