"""GitHub's commit statuses; its deployments are in a file beside this one.

Rules: https://docs.github.com/en/rest/commits/statuses and the answers of api.github.com.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hookengine.simulators.github_deployments import Deployment, Deployments
from hookengine.simulators.host import Host, wall_clock
from hookengine.simulators.limits import Limit
from hookengine.simulators.records import Place, Received, Reply
from hookengine.simulators.shapes import page, stamp, web_host

STATES = frozenset({"error", "failure", "pending", "success"})
DESCRIPTION_LIMIT = 140
ROWS_LIMIT = 1000
DOCUMENTATION = "https://docs.github.com/rest/commits/statuses"
NO_USER_AGENT = (
    "Request forbidden by administrative rules. "
    "Please make sure your request has a User-Agent header (https://docs.github.com/en/rest/overview/)."
)
SHA = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, kw_only=True)
class Row:
    id: int
    place: Place
    state: str
    description: str | None
    target_url: str | None
    at: int


class GitHub(Host):
    """Rows are only ever added; the newest of a context is shown, whatever it says.

    Repository names and contexts are the same in any case. At api.github.com paths begin with /repos,
    at an Enterprise Server with /api/v3/repos: both work here.
    """

    name = "GitHub"
    schemes = ("bearer", "token")
    usual_limit = Limit(count=5000, seconds=3600)

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
        self.deployments = Deployments(clock=clock, statuses=self._newest_states, show=self._show_deployment)

    def identity(self, place: Place) -> Place:
        return Place(place.repository.lower(), place.sha.lower(), place.context.lower())

    def answer(self, received: Received) -> Reply:
        if not received.headers.get("user-agent"):
            return Reply(status=403, body=NO_USER_AGENT)
        if self.credential(received) not in self.tokens:
            return _told(401, "Bad credentials", documentation="https://docs.github.com/rest")
        segments = received.segments
        if segments[:2] == ["api", "v3"]:
            segments = segments[2:]
        match received.method, segments:
            case "POST", ["repos", owner, name, "statuses", sha] if owner and name and sha:
                return self._create(received, f"{owner}/{name}", sha)
            case "GET", ["repos", owner, name, "commits", sha, "statuses" | "status" as what]:
                return self._read(received, f"{owner}/{name}", sha, combined=what == "status")
            case "POST", ["repos", owner, name, "deployments"]:
                return self.deployments.create(received, f"{owner}/{name}")
            case "POST", ["repos", owner, name, "deployments", number, "statuses"]:
                return self.deployments.add_status(received, f"{owner}/{name}", number)
        return _told(404, "Not Found")

    def _knows(self, sha: str) -> bool:
        return bool(SHA.fullmatch(sha.lower())) and (self.commits is None or sha in self.commits)

    def _create(self, received: Received, repository: str, sha: str) -> Reply:
        try:
            body = received.json()
        except ValueError:
            return _told(400, "Problems parsing JSON")
        if not isinstance(body, dict):
            return _told(400, "Body should be a JSON object")
        if wrong := _wrong_type(body):
            return _told(422, f"Invalid request.\n\n{wrong}")
        if not self._knows(sha):
            return _told(422, f"No commit found for SHA: {sha}")
        place = Place(repository, sha, body.get("context") or "default")
        if errors := [*_errors(body), *self._full(place)]:
            return _told(422, "Validation Failed", errors=errors)
        row = Row(
            id=next(self._ids),
            place=place,
            state=body["state"],
            description=body.get("description"),
            target_url=body.get("target_url"),
            at=self.clock(),
        )
        self._rows_of(repository, sha).append(row)
        self.show(place, state=row.state, description=row.description, url=row.target_url)
        return Reply(status=201, body=_as_json(row))

    def _rows_of(self, repository: str, sha: str) -> list[Row]:
        same = self.identity(Place(repository, sha, ""))
        return self._rows[same.repository, same.sha]

    def _full(self, place: Place) -> list[dict[str, str]]:
        rows = self._rows_of(place.repository, place.sha)
        if sum(self.identity(row.place) == self.identity(place) for row in rows) < ROWS_LIMIT:
            return []
        return [_error("This SHA and context has reached the maximum number of statuses.")]

    def _read(self, received: Received, repository: str, sha: str, *, combined: bool) -> Reply:
        if not self._knows(sha):
            return _told(422, f"No commit found for SHA: {sha}")
        rows = self._rows_of(repository, sha)
        if combined:
            rows = list({row.place.context.lower(): row for row in rows}.values())
        newest_first = rows[::-1]
        cut = [
            _as_json(row) for row in page(newest_first, received.parameters, size_name="per_page", size=30)
        ]
        if not combined:
            return Reply(status=200, body=cut)
        body = {
            "state": combined_state([row.state for row in rows]),
            "sha": sha,
            "total_count": len(rows),
            "statuses": cut,
            "repository": {"full_name": repository},
        }
        return Reply(status=200, body=body)

    def _newest_states(self, repository: str, ref: str) -> list[str]:
        newest = {row.place.context.lower(): row.state for row in self._rows_of(repository, ref)}
        return list(newest.values())

    def _show_deployment(self, made: Deployment, body: Mapping[str, Any]) -> None:
        place = Place(made.repository, made.ref, f"deployment {made.id} to {made.environment}")
        link = body.get("log_url") or body.get("target_url")
        self.show(place, state=body["state"], description=body.get("description"), url=link)

    def forbidden(self) -> Reply:
        return _told(403, "Resource not accessible by personal access token")

    def throttled(self, wait: int) -> Reply:
        """The primary limit, which names the moment of its reset and no Retry-After."""
        refusal = _told(403, "API rate limit exceeded for user ID 1.")
        reset = str(self.clock() // 1000 + wait)
        headers = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
        return Reply(status=refusal.status, body=refusal.body, headers=headers)


def combined_state(states: Sequence[str]) -> str:
    """failure if any context's latest is error or failure, pending if none or any is pending, else success."""
    if any(state in {"error", "failure"} for state in states):
        return "failure"
    return "success" if states and all(state == "success" for state in states) else "pending"


def _wrong_type(body: Mapping[str, Any]) -> str:
    if "state" not in body:
        return '"state" wasn\'t supplied.'
    for name in ("state", "target_url", "description", "context"):
        value = body.get(name)
        if not isinstance(value, str) and (value is not None or name == "state"):
            return f"For 'properties/{name}', {value!r} is not a string."
    return ""


def _errors(body: Mapping[str, Any]) -> list[dict[str, str]]:
    errors = []
    if body["state"] not in STATES:
        errors.append(_error("state is not included in the list", field="state"))
    if len(body.get("description") or "") > DESCRIPTION_LIMIT:
        errors.append(
            _error(
                f"description is too long (maximum is {DESCRIPTION_LIMIT} characters)", field="description"
            )
        )
    if body.get("target_url") and not web_host(body["target_url"]):
        errors.append(_error("target_url must use http(s) scheme", field="target_url"))
    return errors


def _error(message: str, *, field: str = "") -> dict[str, str]:
    named = {"field": field} if field else {}
    return {"resource": "Status", "code": "custom", **named, "message": message}


def _told(
    status: int, message: str, *, errors: Sequence[object] = (), documentation: str = DOCUMENTATION
) -> Reply:
    listed = {"errors": list(errors)} if errors else {}
    body = {"message": message, **listed, "documentation_url": documentation, "status": str(status)}
    return Reply(status=status, body=body)


def _as_json(row: Row) -> dict[str, object]:
    return {
        "url": f"https://api.github.com/repos/{row.place.repository}/statuses/{row.place.sha}",
        "avatar_url": None,
        "id": row.id,
        "node_id": f"SC_{row.id}",
        "state": row.state,
        "description": row.description,
        "target_url": row.target_url,
        "context": row.place.context,
        "created_at": stamp(row.at),
        "updated_at": stamp(row.at),
        "creator": None,
    }
