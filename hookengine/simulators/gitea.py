"""The commit statuses of Gitea, and of Forgejo, which has them from Gitea.

Rules: the `repoCreateStatus` operation of both, and models/git/commit_status.go of go-gitea/gitea.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from hookengine.simulators.host import Host, wall_clock
from hookengine.simulators.records import Place, Received, Reply
from hookengine.simulators.shapes import page, stamp

STATES = ("pending", "success", "error", "failure", "warning", "skipped")
GRAVITY = ("error", "failure", "warning", "pending", "success", "skipped")
"""The combined state is the gravest of the newest states of all contexts."""

TEXTS = ("state", "target_url", "description", "context")
SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
SHORT_SHA = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True, kw_only=True)
class Row:
    id: int
    place: Place
    state: str
    description: str
    target_url: str
    at: int


class Gitea(Host):
    """Rows are only ever added; the newest of a context is shown. Nothing in a body is required but the state.

    A hash may be shortened where the commits are known.
    """

    name = "Gitea"
    api = "/api/v1"
    schemes = ("token", "bearer")
    takes_basic = True

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
            return _told(401, "invalid username, password or token")
        match received.method, received.segments:
            case method, ["api", "v1", "repos", owner, name, "statuses", ref] if owner and name:
                pass
            case "GET" as method, ["api", "v1", "repos", owner, name, "commits", ref, "statuses"]:
                pass
            case "GET", ["api", "v1", "repos", owner, name, "commits", ref, "status"]:
                method = "combined"
            case _:
                return _told(404, "Not Found")
        if not ref:
            return _told(400, "sha not given")
        sha = self._expanded(ref.lower())
        if sha is None:
            return _told(404, f"object does not exist [id: {ref}, rel_path: ]")
        repository = f"{owner}/{name}"
        match method:
            case "POST":
                return self._create(received, repository, sha)
            case "GET":
                return self._list(received, repository, sha)
            case "combined":
                return self._combined(repository, sha)
        return _told(405, "Method Not Allowed")

    def _expanded(self, ref: str) -> str | None:
        """The full hash of the one commit that begins like this."""
        if self.commits is None:
            return ref if SHA.fullmatch(ref) else None
        found = [sha for sha in self.commits if SHORT_SHA.fullmatch(ref) and sha.startswith(ref)]
        return found[0] if len(found) == 1 else None

    def _create(self, received: Received, repository: str, sha: str) -> Reply:
        try:
            body = received.json()
        except ValueError as error:
            return _told(422, f"[]: {error}")
        if wrong := _wrong(body):
            return _told(400, wrong)
        texts = {name: (body.get(name) or "").strip() for name in TEXTS}
        row = Row(
            id=next(self._ids),
            place=Place(repository, sha, texts["context"]),
            state=texts["state"],
            description=texts["description"],
            target_url=texts["target_url"],
            at=self.clock(),
        )
        self._rows_of(repository, sha).append(row)
        self.show(row.place, state=row.state, description=row.description or None, url=row.target_url or None)
        return Reply(status=201, body=_as_json(row))

    def _rows_of(self, repository: str, sha: str) -> list[Row]:
        return self._rows[repository.lower(), sha]

    def _list(self, received: Received, repository: str, sha: str) -> Reply:
        newest_first = self._rows_of(repository, sha)[::-1]
        cut = page(newest_first, received.parameters, size_name="limit", size=30)
        return Reply(status=200, body=[_as_json(row) for row in cut])

    def _combined(self, repository: str, sha: str) -> Reply:
        latest = list({row.place.context: row for row in self._rows_of(repository, sha)}.values())
        states = [row.state for row in latest]
        body = {
            "state": combined_state(states),
            "sha": sha,
            "total_count": len(latest),
            "statuses": [_as_json(row) for row in latest],
        }
        return Reply(status=200, body=body)

    def forbidden(self) -> Reply:
        return _told(403, "token does not have at least one of required scope(s): [write:repository]")


class Forgejo(Gitea):
    name = "Forgejo"


def combined_state(states: Sequence[str]) -> str:
    return min(states, key=GRAVITY.index) if states else "pending"


def _wrong(body: Any) -> str:
    if not isinstance(body, dict):
        return "the body is not an object"
    for name in TEXTS:
        if not isinstance(body.get(name), str | None):
            return f"json: cannot unmarshal into CreateStatusOption.{name} of type string"
    if body.get("state") not in STATES:
        return f"invalid commit status state: {body.get('state')!r}"
    return ""


def _told(status: int, message: str) -> Reply:
    return Reply(status=status, body={"message": message, "url": "https://gitea.example/api/swagger"})


def _as_json(row: Row) -> dict[str, object]:
    """The state is called `status` in answers."""
    return {
        "id": row.id,
        "status": row.state,
        "target_url": row.target_url,
        "description": row.description,
        "url": f"https://gitea.example/api/v1/repos/{row.place.repository}/statuses/{row.place.sha}",
        "context": row.place.context,
        "creator": None,
        "created_at": stamp(row.at),
        "updated_at": stamp(row.at),
    }
