"""GitHub's deployments and their statuses.

Rules: https://docs.github.com/en/rest/deployments
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from hookengine.simulators.records import Received, Reply
from hookengine.simulators.shapes import stamp, web_host

STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")
DESCRIPTION_LIMIT = 140
DOCUMENTATION = "https://docs.github.com/rest/deployments"
TEXTS = ("ref", "task", "environment", "description")
STATUS_TEXTS = ("state", "log_url", "target_url", "description", "environment", "environment_url")
LINKS = ("log_url", "target_url", "environment_url")


@dataclass(kw_only=True)
class Deployment:
    id: int
    repository: str
    ref: str
    environment: str
    transient: bool
    production: bool
    at: int
    states: list[str] = field(default_factory=list)


Statuses = Callable[[str, str], Collection[str]]
"""The newest state of every context of a commit in a repository."""

Show = Callable[[Deployment, Mapping[str, Any]], None]


class Deployments:
    """`behind` are branches that lack commits of the default one: those are merged first, unless forbidden."""

    def __init__(self, *, clock: Callable[[], int], statuses: Statuses, show: Show) -> None:
        self.behind: set[str] = set()
        self._clock, self._statuses, self._show = clock, statuses, show
        self._made: dict[int, Deployment] = {}
        self._ids, self._status_ids = itertools.count(1), itertools.count(1)

    def create(self, received: Received, repository: str) -> Reply:
        body = _object(received)
        if body is None:
            return told(400, "Problems parsing JSON")
        if wrong := _wrong_text(body, TEXTS, required="ref"):
            return told(422, f"Invalid request.\n\n{wrong}")
        if len(body.get("description") or "") > DESCRIPTION_LIMIT:
            return told(422, "Validation Failed", [_too_long("Deployment")])
        ref = body["ref"]
        if ref in self.behind and body.get("auto_merge") is not False:
            self.behind.discard(ref)
            return Reply(status=202, body={"message": f"Auto-merged main into {ref} on deployment."})
        states = self._statuses(repository, ref)
        if body.get("required_contexts") is None and any(state != "success" for state in states):
            errors = [{"resource": "Deployment", "field": "required_contexts", "code": "invalid"}]
            return told(409, f"Conflict: Commit status checks failed for {ref}.", errors)
        environment = body.get("environment") or "production"
        production = body.get("production_environment", environment == "production")
        made = Deployment(
            id=next(self._ids),
            repository=repository.lower(),
            ref=ref,
            environment=environment,
            transient=bool(body.get("transient_environment")),
            production=bool(production),
            at=self._clock(),
        )
        self._made[made.id] = made
        return Reply(status=201, body=_as_json(made, body))

    def add_status(self, received: Received, repository: str, number: str) -> Reply:
        made = self._made.get(int(number)) if number.isdecimal() else None
        if made is None or made.repository != repository.lower():
            return told(404, "Not Found")
        body = _object(received)
        if body is None:
            return told(400, "Problems parsing JSON")
        if wrong := _wrong_text(body, STATUS_TEXTS, required="state"):
            return told(422, f"Invalid request.\n\n{wrong}")
        if errors := _errors(body):
            return told(422, "Validation Failed", errors)
        if body["state"] == "success" and body.get("auto_inactive") is not False:
            self._retire_others(made)
        self._append(made, body["state"], body)
        answer = {
            "id": next(self._status_ids),
            "state": body["state"],
            "description": body.get("description") or "",
            "environment": body.get("environment") or made.environment,
            "log_url": body.get("log_url") or body.get("target_url") or "",
            "environment_url": body.get("environment_url") or "",
            "created_at": stamp(self._clock()),
            "deployment_url": f"https://api.github.com/repos/{repository}/deployments/{made.id}",
        }
        return Reply(status=201, body=answer)

    def states(self, number: int) -> tuple[str, ...]:
        """Everything a deployment went through, the newest last; the last one is shown."""
        return tuple(self._made[number].states)

    def _append(self, made: Deployment, state: str, body: Mapping[str, Any]) -> None:
        made.states.append(state)
        self._show(made, {**body, "state": state})

    def _retire_others(self, made: Deployment) -> None:
        """Older successful ones of the environment become inactive, unless they are production or transient."""
        for other in self._made.values():
            same = (other.repository, other.environment) == (made.repository, made.environment)
            ended = bool(other.states) and other.states[-1] == "success"
            if same and ended and other.id < made.id and not (other.production or other.transient):
                self._append(other, "inactive", {})


def _object(received: Received) -> dict[str, Any] | None:
    try:
        body = received.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _wrong_text(body: Mapping[str, Any], names: Collection[str], *, required: str) -> str:
    if not body.get(required):
        return f'"{required}" wasn\'t supplied.'
    for name in names:
        if not isinstance(body.get(name), str | None):
            return f"For 'properties/{name}', {body[name]!r} is not a string."
    return ""


def _errors(body: Mapping[str, Any]) -> list[dict[str, str]]:
    errors = []
    if body["state"] not in STATES:
        errors.append({"resource": "DeploymentStatus", "code": "custom", "field": "state"})
    if len(body.get("description") or "") > DESCRIPTION_LIMIT:
        errors.append(_too_long("DeploymentStatus"))
    errors += [
        {
            "resource": "DeploymentStatus",
            "code": "custom",
            "field": name,
            "message": "must use http(s) scheme",
        }
        for name in LINKS
        if body.get(name) and not web_host(body[name])
    ]
    return errors


def _too_long(resource: str) -> dict[str, str]:
    message = f"description is too long (maximum is {DESCRIPTION_LIMIT} characters)"
    return {"resource": resource, "code": "custom", "field": "description", "message": message}


def told(status: int, message: str, errors: Collection[object] = ()) -> Reply:
    listed = {"errors": list(errors)} if errors else {}
    body = {"message": message, **listed, "documentation_url": DOCUMENTATION, "status": str(status)}
    return Reply(status=status, body=body)


def _as_json(made: Deployment, body: Mapping[str, Any]) -> dict[str, object]:
    return {
        "id": made.id,
        "sha": made.ref,
        "ref": made.ref,
        "task": body.get("task") or "deploy",
        "payload": body.get("payload") or {},
        "environment": made.environment,
        "original_environment": made.environment,
        "description": body.get("description"),
        "transient_environment": made.transient,
        "production_environment": made.production,
        "created_at": stamp(made.at),
        "statuses_url": f"https://api.github.com/repos/{made.repository}/deployments/{made.id}/statuses",
    }
