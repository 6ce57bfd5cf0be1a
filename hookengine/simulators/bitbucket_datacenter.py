"""Bitbucket Data Center's build statuses, and the older ones that are bound to no repository.

Rules: the operations `add` and `addBuildStatus` of Bitbucket Data Center 9.4.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from hookengine.simulators.host import Host, wall_clock
from hookengine.simulators.limits import Limit
from hookengine.simulators.records import Place, Received, Reply

STATES: Collection[str] = ("SUCCESSFUL", "FAILED", "INPROGRESS", "CANCELLED", "UNKNOWN")
LEGACY_STATES: Collection[str] = ("SUCCESSFUL", "FAILED", "INPROGRESS")
REQUIRED = ("key", "state", "url")
LIMITS = {"key": 255, "name": 255, "buildNumber": 255, "url": 450, "ref": 1024, "parent": 1024}
LEGACY_LIMITS = {"key": 255, "name": 255, "description": 255, "url": 450}
NUMBERS = ("duration", "lastUpdated", "dateAdded")
SHA = re.compile(r"[0-9a-f]{40}")
NOT_PERMITTED = "You are not permitted to access this resource"


class BitbucketDataCenter(Host):
    """One row per repository, commit and key; the last write wins. With `repositories`, there are no others.

    Repositories are named `PROJECT/slug`. A token that is missing and one that may not are both a 401.
    """

    name = "Bitbucket Data Center"
    api = "/rest/api/latest"
    takes_basic = True
    usual_limit = Limit(count=60, seconds=12)

    def __init__(
        self,
        *,
        tokens: Collection[str],
        commits: Collection[str] | None = None,
        clock: Callable[[], int] = wall_clock,
        repositories: Collection[str] | None = None,
    ) -> None:
        super().__init__(tokens=tokens, commits=commits, clock=clock)
        self._repositories = repositories
        self._rows: dict[Place, Mapping[str, Any]] = {}

    def answer(self, received: Received) -> Reply:
        match received.segments:
            case ["rest", "api", _, "projects", project, "repos", slug, "commits", sha, "builds"]:
                repository, states, limits = f"{project}/{slug}", STATES, LIMITS
            case ["rest", "build-status", _, "commits", sha]:
                repository, states, limits = "", LEGACY_STATES, LEGACY_LIMITS
            case _:
                return _told(404, "null for uri")
        if self.credential(received) not in self.tokens:
            return self.forbidden()
        if repository and self._repositories is not None and repository not in self._repositories:
            return _told(
                404, f"Repository {repository} does not exist.", exception="NoSuchRepositoryException"
            )
        if not SHA.fullmatch(sha) or (self.commits is not None and sha not in self.commits):
            return _told(400, f"{sha!r} is not the full hash of a commit", context="commitId")
        match received.method:
            case "POST":
                return self._write(received, repository, sha, states, limits)
            case "GET":
                return self._read(received, repository, sha)
        return _told(405, "Method Not Allowed")

    def _write(
        self,
        received: Received,
        repository: str,
        sha: str,
        states: Collection[str],
        limits: Mapping[str, int],
    ) -> Reply:
        try:
            sent = received.json()
        except ValueError:
            return _told(400, "The body is not JSON")
        if not isinstance(sent, dict):
            return _told(400, "The body is not an object")
        if errors := _errors(sent, states, limits):
            return Reply(status=400, body={"errors": errors})
        place = Place(repository, sha, sent["key"])
        self._rows[place] = sent
        self.show(place, state=sent["state"], description=sent.get("description"), url=sent["url"])
        return Reply(status=204, body="")

    def _read(self, received: Received, repository: str, sha: str) -> Reply:
        if not repository:
            rows = [row for place, row in self._rows.items() if place[:2] == ("", sha)]
            return Reply(status=200, body={"size": len(rows), "isLastPage": True, "values": rows})
        row = self._rows.get(Place(repository, sha, received.parameters.get("key", "")))
        if row is None:
            return _told(
                404, "No build status with this key was found", exception="NoSuchBuildStatusException"
            )
        return Reply(status=200, body=row)

    def forbidden(self) -> Reply:
        return _told(401, NOT_PERMITTED, exception="AuthorisationException")

    def throttled(self, wait: int) -> Reply:
        return Reply(
            status=429,
            body={"errors": [_error("You have exceeded the rate limit.", "", "RateLimitedException")]},
            headers={"Retry-After": str(wait)},
        )


def _errors(
    sent: Mapping[str, Any], states: Collection[str], limits: Mapping[str, int]
) -> list[dict[str, object]]:
    errors = [_error(f"{name} must not be blank", name) for name in REQUIRED if not sent.get(name)]
    for name, value in sent.items():
        if name in limits and isinstance(value, str) and len(value) > limits[name]:
            errors.append(_error(f"{name} must be at most {limits[name]} characters long", name))
        elif name in limits and not isinstance(value, str | None):
            errors.append(_error(f"{name} must be a text", name))
        elif name in NUMBERS and type(value) is not int:
            errors.append(_error(f"{name} must be a whole number of milliseconds", name))
    if sent.get("state") and sent["state"] not in states:
        errors.append(_error(f"state must be one of {', '.join(sorted(states))}", "state"))
    if isinstance(sent.get("ref"), str) and not sent["ref"].startswith("refs/"):
        errors.append(_error("ref must begin with refs/", "ref"))
    return errors


def _error(message: str, context: str = "", exception: str = "") -> dict[str, object]:
    named = f"com.atlassian.bitbucket.{exception}" if exception else None
    return {"context": context or None, "message": message, "exceptionName": named}


def _told(status: int, message: str, *, context: str = "", exception: str = "") -> Reply:
    return Reply(status=status, body={"errors": [_error(message, context, exception)]})
