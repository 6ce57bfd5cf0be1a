"""Bitbucket Cloud's build statuses.

Rules: https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses/ and, where that is
silent, the answers senders met (`Ensure this value has at most 40 characters`, `Enter a valid URL.`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hookengine.simulators.host import Host, wall_clock
from hookengine.simulators.limits import Limit
from hookengine.simulators.records import Place, Received, Reply
from hookengine.simulators.shapes import page, stamp, web_host

STATES = frozenset({"INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED"})
LIMITS = {"key": 40, "name": 255, "url": 450}
REQUIRED = ("key", "state", "url")
TEXTS = ("key", "state", "url", "name", "description", "refname")
SHA = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, kw_only=True)
class Row:
    key: str
    state: str
    url: str
    name: str | None = None
    description: str | None = None
    refname: str | None = None
    created_on: int = 0
    updated_on: int = 0


class Bitbucket(Host):
    """One row per commit and key; the last write wins and leaves nothing of the one before."""

    name = "Bitbucket"
    api = "/2.0"
    takes_basic = True
    usual_limit = Limit(count=1000, seconds=3600)

    def __init__(
        self,
        *,
        tokens: Collection[str],
        commits: Collection[str] | None = None,
        clock: Callable[[], int] = wall_clock,
    ) -> None:
        super().__init__(tokens=tokens, commits=commits, clock=clock)
        self._commits: dict[tuple[str, str], dict[str, Row]] = {}

    def answer(self, received: Received) -> Reply:
        match received.method, received.segments:
            case method, ["2.0", "repositories", workspace, slug, "commit", sha, "statuses", *rest] if sha:
                pass
            case _:
                return _told(404, "Resource not found")
        if self.credential(received) not in self.tokens:
            return _told(401, "Token is invalid, expired, or not supported for this endpoint.")
        if not SHA.fullmatch(sha.lower()) or (self.commits is not None and sha not in self.commits):
            return _told(404, f"Commit not found: {sha}")
        repository = f"{workspace}/{slug}"
        match method, rest:
            case "POST", ["build"]:
                return self._write(received, repository, sha)
            case "PUT", ["build", key]:
                return self._write(received, repository, sha, key=key)
            case "GET", ["build", key]:
                return self._read(repository, sha, key)
            case "GET", []:
                return self._list(received, repository, sha)
        return _told(404, "Resource not found")

    def _write(self, received: Received, repository: str, sha: str, *, key: str | None = None) -> Reply:
        """A PUT names its row by `key` and changes what it sends; a POST replaces or creates."""
        try:
            sent = dict(received.body) if received.is_form else received.json()
        except ValueError:
            return _told(400, "Invalid JSON in the request body")
        if not isinstance(sent, dict):
            return _told(400, "The request body is not an object")
        rows = self._commits.setdefault((repository, sha), {})
        sent = {name: sent[name] for name in TEXTS if sent.get(name) is not None}
        if key is not None:
            if key not in rows:
                return _told(404, f"Build status not found: {key}")
            kept = {name: value for name, value in asdict(rows[key]).items() if name in TEXTS and value}
            sent = {**kept, **sent, "key": key}
        if fields := _errors(sent):
            first = next(iter(fields))
            return _told(400, f"{first}: {fields[first][0]}", fields)
        now, known = self.clock(), rows.get(sent["key"])
        row = Row(**sent, created_on=known.created_on if known else now, updated_on=now)
        rows[row.key] = row
        place = Place(repository, sha, row.key)
        self.show(place, state=row.state, description=row.description, url=row.url)
        return Reply(status=200 if key is not None else 201, body=_as_json(row, repository, sha))

    def _read(self, repository: str, sha: str, key: str) -> Reply:
        row = self._commits.get((repository, sha), {}).get(key)
        if row is None:
            return _told(404, f"Build status not found: {key}")
        return Reply(status=200, body=_as_json(row, repository, sha))

    def _list(self, received: Received, repository: str, sha: str) -> Reply:
        rows = list(self._commits.get((repository, sha), {}).values())
        cut = page(rows, received.parameters, size_name="pagelen", size=10)
        body = {"size": len(rows), "values": [_as_json(row, repository, sha) for row in cut]}
        return Reply(status=200, body=body)

    def forbidden(self) -> Reply:
        return _told(403, "Your credentials lack one or more required privilege scopes.")

    def throttled(self, wait: int) -> Reply:
        """It does not say how long to wait."""
        return _told(429, "Rate limit for this resource has been exceeded")


def _errors(sent: Mapping[str, Any]) -> dict[str, list[str]]:
    errors = {name: ["This field is required."] for name in REQUIRED if not sent.get(name)}
    for name in set(sent) - set(errors):
        value = sent[name]
        if not isinstance(value, str):
            errors[name] = ["Not a valid string."]
        elif len(value) > LIMITS.get(name, len(value)):
            errors[name] = [f"Ensure this value has at most {LIMITS[name]} characters (it has {len(value)})."]
        elif name == "state" and value not in STATES:
            errors[name] = [f"Select a valid choice. {value} is not one of the available choices."]
        elif name == "url" and "." not in web_host(value):
            errors[name] = ["Enter a valid URL."]
    return errors


def _told(status: int, message: str, fields: Mapping[str, object] | None = None) -> Reply:
    error = {"message": message} | ({"fields": dict(fields)} if fields else {})
    return Reply(status=status, body={"type": "error", "error": error})


def _as_json(row: Row, repository: str, sha: str) -> dict[str, object]:
    return {
        "type": "build",
        "key": row.key,
        "state": row.state,
        "url": row.url,
        "name": row.name,
        "description": row.description,
        "refname": row.refname,
        "created_on": stamp(row.created_on),
        "updated_on": stamp(row.updated_on),
        "commit": {"type": "commit", "hash": sha},
        "repository": {"type": "repository", "full_name": repository},
    }
