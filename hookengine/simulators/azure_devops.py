"""Azure DevOps' commit statuses.

Rules: the Git statuses of the REST API 7.1; that a bad token is answered with a page to sign in and a 203 is
what senders met (MicrosoftDocs/vsts-rest-api-specs#97).
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from hookengine.simulators.host import Host, wall_clock
from hookengine.simulators.limits import Limit
from hookengine.simulators.records import Place, Received, Reply
from hookengine.simulators.shapes import stamp

STATES = ("notSet", "pending", "succeeded", "failed", "error", "notApplicable")
SHA = re.compile(r"[0-9a-f]{40}")
TEXTS = ("description", "targetUrl")
SIGN_IN = "<!DOCTYPE html><html><head><title>Azure DevOps Services | Sign In</title></head></html>"


@dataclass(frozen=True, kw_only=True)
class Row:
    id: int
    state: str
    description: str | None
    target_url: str | None
    name: str
    genre: str
    at: int

    @property
    def context(self) -> str:
        return f"{self.genre}/{self.name}"


class AzureDevOps(Host):
    """Rows are only ever added; the newest of a genre and name is shown. Contexts are shown as genre/name."""

    name = "Azure DevOps"
    takes_basic = True
    usual_limit = Limit(count=200, seconds=300)

    def __init__(
        self,
        *,
        tokens: Collection[str],
        commits: Collection[str] | None = None,
        clock: Callable[[], int] = wall_clock,
    ) -> None:
        super().__init__(tokens=tokens, commits=commits, clock=clock)
        self._rows: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
        self._ids = itertools.count(1)

    def identity(self, place: Place) -> Place:
        return Place(place.repository.lower(), place.sha.lower(), place.context)

    def answer(self, received: Received) -> Reply:
        if self.credential(received) not in self.tokens:
            return Reply(status=203, body=SIGN_IN, headers={"Content-Type": "text/html; charset=utf-8"})
        match received.segments:
            case [organization, project, "_apis", "git", "repositories", name, "commits", sha, "statuses"]:
                repository = f"{organization}/{project}/{name}"
            case _:
                return _told(404, "The controller for this path was not found.", "PathNotFoundException")
        if not SHA.fullmatch(sha.lower()) or (self.commits is not None and sha not in self.commits):
            return _told(
                404, f"TF401175: The commit {sha} could not be resolved.", "GitUnresolvableException"
            )
        match received.method:
            case "POST":
                return self._create(received, repository, sha)
            case "GET":
                return self._list(received, repository, sha)
        return _told(405, "The requested resource does not support this method.", "VssServiceException")

    def _create(self, received: Received, repository: str, sha: str) -> Reply:
        accepted = received.parameters.get("api-version") or "api-version" in received.headers.get(
            "accept", ""
        )
        if not accepted:
            message = 'No api-version was supplied for the "POST" request.'
            return _told(400, message, "VssVersionNotSpecifiedException")
        try:
            body = received.json()
        except ValueError:
            body = None
        if wrong := _wrong(body):
            return _told(400, wrong, "InvalidArgumentValueException")
        row = Row(
            id=next(self._ids),
            state=body["state"],
            description=body.get("description"),
            target_url=body.get("targetUrl"),
            name=body["context"]["name"],
            genre=body["context"].get("genre") or "",
            at=self.clock(),
        )
        self._rows[repository.lower(), sha.lower()].append(row)
        self.show(
            Place(repository, sha, row.context),
            state=row.state,
            description=row.description,
            url=row.target_url,
        )
        return Reply(status=201, body=_as_json(row))

    def _list(self, received: Received, repository: str, sha: str) -> Reply:
        rows = self._rows[repository.lower(), sha.lower()]
        if received.parameters.get("latestOnly") == "true":
            rows = list({row.context: row for row in rows}.values())
        return Reply(status=200, body={"count": len(rows), "value": [_as_json(row) for row in rows]})

    def forbidden(self) -> Reply:
        message = "TF401027: You need the Git 'GenericContribute' permission to perform this action."
        return _told(403, message, "GitNeedsPermissionException")

    def throttled(self, wait: int) -> Reply:
        message = (
            "TF400733: The request has been canceled: Request was blocked due to exceeding usage of resource."
        )
        body = _body(message, "RequestBlockedException")
        return Reply(status=429, body=body, headers={"Retry-After": str(wait)})


def _wrong(body: Any) -> str:
    if not isinstance(body, dict):
        return "Value cannot be null. Parameter name: gitCommitStatusToCreate"
    if body.get("state") not in STATES:
        return f"The value {body.get('state')!r} is not a state of a Git status."
    context = body.get("context")
    if not isinstance(context, dict) or not isinstance(context.get("name"), str) or not context["name"]:
        return "Value cannot be null. Parameter name: context.name"
    for name, value in (("genre", context.get("genre")), *((it, body.get(it)) for it in TEXTS)):
        if not isinstance(value, str | None):
            return f"Error converting the value of '{name}' to a text."
    return ""


def _told(status: int, message: str, kind: str) -> Reply:
    return Reply(status=status, body=_body(message, kind))


def _body(message: str, kind: str) -> dict[str, object]:
    names = {"typeName": f"Microsoft.TeamFoundation.Git.Server.{kind}", "typeKey": kind}
    return {"$id": "1", "innerException": None, "message": message, **names, "errorCode": 0, "eventId": 3000}


def _as_json(row: Row) -> dict[str, object]:
    return {
        "id": row.id,
        "state": row.state,
        "description": row.description,
        "context": {"name": row.name, "genre": row.genre},
        "creationDate": stamp(row.at),
        "targetUrl": row.target_url,
    }
