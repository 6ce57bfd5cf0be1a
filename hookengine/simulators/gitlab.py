"""GitLab's commit statuses.

Rules: https://docs.gitlab.com/api/commits/#commit-pipeline-status and, of GitLab's source,
app/services/ci/create_commit_status_service.rb, app/models/commit_status.rb and
app/models/generic_commit_status.rb.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from hookengine.simulators.gitlab_parameters import DECLARED, body_of, wrong_parameter
from hookengine.simulators.host import Host, wall_clock
from hookengine.simulators.limits import Limit
from hookengine.simulators.records import Place, Received, Reply
from hookengine.simulators.shapes import page, stamp, web_host

OPEN = frozenset({"pending", "running"})
TEXT_LIMIT = 255
LOCK_TRIES = 20
LOCK_PAUSE_SECONDS = 0.5

EVENTS = {
    "pending": ("enqueue", {"created"}),
    "running": ("run", {"pending"}),
    "success": ("success", {"created", "pending", "running"}),
    "failed": ("drop", {"created", "pending", "running"}),
    "canceled": ("cancel", {"created", "pending", "running"}),
    "skipped": ("skip", {"created", "pending"}),
}
"""The event each sent state fires, and from where it may; states no posted status can reach are left out."""

SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    id: int
    project: str
    sha: str
    ref: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One external job. Once its state is terminal it is never changed, only `retried` by a newer one."""

    id: int
    pipeline: Pipeline
    name: str
    user: str
    created_at: int
    status: str = "created"
    target_url: str | None = None
    description: str | None = None
    coverage: float | None = None
    retried: bool = False
    started_at: int | None = None
    finished_at: int | None = None


class GitLab(Host):
    """A state machine per open row; after a terminal state the next write opens a new row.

    `projects` (id -> path) limits the projects and lets a number and a path mean the same one; without it
    every project exists. `branch` is what contains a commit when nobody names a ref, None for nothing.
    `wait` is awaited between tries for the lock of a (project, sha).
    """

    name = "GitLab"
    api = "/api/v4"
    usual_limit = Limit(count=2000, seconds=60)

    def __init__(
        self,
        *,
        tokens: Collection[str],
        commits: Collection[str] | None = None,
        clock: Callable[[], int] = wall_clock,
        projects: Mapping[int, str] | None = None,
        branch: str | None = "main",
        wait: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        super().__init__(tokens=tokens, commits=commits, clock=clock)
        self._projects, self._branch, self._wait_for_lock = projects, branch, wait
        self._locks: set[tuple[str, str]] = set()
        self._pipelines: defaultdict[tuple[str, str], list[Pipeline]] = defaultdict(list)
        self._rows: defaultdict[Pipeline, dict[int, Row]] = defaultdict(dict)
        self._pipeline_ids, self._row_ids = itertools.count(1), itertools.count(1)

    @asynccontextmanager
    async def exclusive(self, received: Received) -> AsyncIterator[Reply | None]:
        """One write per (project, sha) at a time, whatever the name; who waits too long gets a 409."""
        project, sha = self._project(received), received.segments[-1]
        if received.method != "POST" or project is None or self._user(received) is None:
            yield None
            return
        for _ in range(LOCK_TRIES):
            if (project, sha) not in self._locks:
                break
            await self._wait_for_lock(LOCK_PAUSE_SECONDS)
        if (project, sha) in self._locks:
            yield _told(409, "Another update to this commit status is in progress")
            return
        self._locks.add((project, sha))
        try:
            yield None
        finally:
            self._locks.discard((project, sha))

    def answer(self, received: Received) -> Reply:
        match received.method, received.segments:
            case "POST", ["api", "v4", "projects", _, "statuses", sha] if sha:
                act = self._create
            case "GET", ["api", "v4", "projects", _, "repository", "commits", sha, "statuses"]:
                act = self._list
            case _:
                return Reply(status=404, body={"error": "404 Not Found"})
        user, project = self._user(received), self._project(received)
        if user is None:
            return _told(401, "401 Unauthorized")
        if project is None:
            return _told(404, "404 Project Not Found")
        if not SHA.fullmatch(sha.lower()) or (self.commits is not None and sha not in self.commits):
            return _told(404, "404 Commit Not Found")
        return act(received, project, sha, user)

    def credential(self, received: Received) -> str:
        return received.headers.get("private-token") or super().credential(received)

    def forbidden(self) -> Reply:
        return Reply(status=403, body={"error": "insufficient_scope", "scope": "api"})

    def _user(self, received: Received) -> str | None:
        token = self.credential(received)
        if token not in self.tokens:
            return None
        if isinstance(self.tokens, Mapping):
            return str(self.tokens[token])
        return f"user{list(self.tokens).index(token) + 1}"

    def _project(self, received: Received) -> str | None:
        """The project's path; a segment that is still encoded, or names no namespace, is no project."""
        segment = received.segments[3] if len(received.segments) > 3 else ""
        if self._projects is None:
            return segment if segment.isdecimal() or re.fullmatch(r"[^/%]+(/[^/%]+)+", segment) else None
        by_number = self._projects.get(int(segment)) if segment.isdecimal() else None
        return by_number or (segment if segment in self._projects.values() else None)

    def _create(self, received: Received, project: str, sha: str, user: str) -> Reply:
        try:
            sent = {**received.parameters, **body_of(received)}
        except ValueError:
            return Reply(status=400, body={"error": "message body does not match declared format"})
        if error := wrong_parameter(sent, EVENTS):
            return Reply(status=400, body={"error": error})
        sent = {name: str(value) for name, value in sent.items() if name in DECLARED and value is not None}
        known = self._newest_pipeline(project, sha, sent)
        ref = sent.get("ref") or (known.ref if known else self._branch)
        if not ref:
            return _told(404, "404 References for commit Not Found")
        if sent.get("pipeline_id") and known is None:
            return _told(404, "404 Pipeline for pipeline_id, sha and ref Not Found")
        pipeline = known or self._new_pipeline(project, sha, ref)
        name = sent.get("name") or sent.get("context") or "default"
        row = replace(self._open_row(pipeline, name, user), **_changes(sent))
        if errors := _invalid(ref, row):
            return _told(400, errors)
        return self._apply(row, sent["state"])

    def _apply(self, row: Row, wanted: str) -> Reply:
        (event, origins), status = EVENTS[wanted], row.status
        if wanted == "running" and status == "created":
            status = "pending"  # a running one is enqueued first, and nobody minds if that fails
        if status not in origins:
            reason = f'Status cannot transition via "{event}"'
            return _told(400, f"Cannot transition status via :{event} from :{status} (Reason(s): {reason})")
        now = self.clock()
        row = replace(
            row,
            status=wanted,
            started_at=now if wanted == "running" else row.started_at,
            finished_at=now if wanted in {"success", "failed", "canceled"} else None,
        )
        rows = self._rows[row.pipeline]
        for other in rows.values():
            if other.name == row.name and other.id != row.id:
                rows[other.id] = replace(other, retried=True)
        rows[row.id] = row
        place = Place(row.pipeline.project, row.pipeline.sha, row.name)
        self.show(place, state=wanted, description=row.description, url=row.target_url)
        return Reply(status=201, body=_as_json(row))

    def _newest_pipeline(self, project: str, sha: str, sent: Mapping[str, str]) -> Pipeline | None:
        for pipeline in reversed(self._pipelines[project, sha]):
            ref, number = sent.get("ref") or pipeline.ref, sent.get("pipeline_id") or pipeline.id
            if ref == pipeline.ref and int(number) == pipeline.id:
                return pipeline
        return None

    def _new_pipeline(self, project: str, sha: str, ref: str) -> Pipeline:
        pipeline = Pipeline(id=next(self._pipeline_ids), project=project, sha=sha, ref=ref)
        self._pipelines[project, sha].append(pipeline)
        return pipeline

    def _open_row(self, pipeline: Pipeline, name: str, user: str) -> Row:
        """The open row of this very user, or a new one: another user's is left open."""
        for row in self._rows[pipeline].values():
            if (row.name, row.user) == (name, user) and row.status in OPEN:
                return row
        return Row(id=next(self._row_ids), pipeline=pipeline, name=name, user=user, created_at=self.clock())

    def _list(self, received: Received, project: str, sha: str, user: str) -> Reply:
        asked = received.parameters
        rows = [
            row
            for pipeline in self._pipelines[project, sha]
            for row in self._rows[pipeline].values()
            if (asked.get("all") in {"true", "1"} or not row.retried)
            and (asked.get("ref") or pipeline.ref) == pipeline.ref
            and (asked.get("name") or row.name) == row.name
            and (asked.get("pipeline_id") or str(pipeline.id)) == str(pipeline.id)
        ]
        rows.sort(key=lambda row: row.id, reverse=asked.get("sort") == "desc")
        cut = page(rows, asked, size_name="per_page", size=20)
        return Reply(status=200, body=[_as_json(row) for row in cut])

    def throttled(self, wait: int) -> Reply:
        """In plain text."""
        reset = str(self.clock() // 1000 + wait)
        headers = {"RateLimit-Remaining": "0", "RateLimit-Reset": reset, "Retry-After": str(wait)}
        return Reply(status=429, body="Retry later\n", headers=headers)


def _changes(sent: Mapping[str, str]) -> dict[str, Any]:
    """Only what was sent overwrites the row."""
    texts = {name: sent[name] for name in ("target_url", "description") if name in sent}
    return texts | ({"coverage": float(sent["coverage"])} if sent.get("coverage") else {})


def _invalid(ref: str, row: Row) -> dict[str, list[str]]:
    texts = {"ref": ref, "target_url": row.target_url or "", "description": row.description or ""}
    errors = {
        name: [f"is too long (maximum is {TEXT_LIMIT} characters)"]
        for name, text in texts.items()
        if len(text) > TEXT_LIMIT
    }
    if row.target_url and not web_host(row.target_url):
        errors.setdefault("target_url", []).append("is blocked: Only allowed schemes are http, https")
    return errors


def _told(status: int, message: object) -> Reply:
    return Reply(status=status, body={"message": message})


def _as_json(row: Row) -> dict[str, object]:
    def moment(at: int | None) -> str | None:
        return None if at is None else stamp(at, timespec="milliseconds")

    return {
        "id": row.id,
        "sha": row.pipeline.sha,
        "ref": row.pipeline.ref,
        "status": row.status,
        "name": row.name,
        "target_url": row.target_url,
        "description": row.description,
        "created_at": moment(row.created_at),
        "started_at": moment(row.started_at),
        "finished_at": moment(row.finished_at),
        "allow_failure": False,
        "coverage": row.coverage,
        "pipeline_id": row.pipeline.id,
        "author": {"username": row.user},
    }
