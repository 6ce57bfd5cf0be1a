"""What another system reports, in our words: the events it comes to, or why it comes to none."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from hookengine.domain.clock import Millis, as_text
from hookengine.domain.event import Lifecycle
from hookengine.sources.facts import known

VARIABLES: Mapping[str, str] = {
    "commit_hash": "commit.hash",
    "ref": "ref",
    "branch": "branch",
    "tag": "tag",
    "repository": "repository.name",
    "environment": "environment",
}
"""What templates find in `action.triggered_from.hook_parsed_variables`, and which fact it is: the hooks that an
incoming hook feeds work for sources as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One thing that has happened. `facts` are what templates see as `source`.

    `key` is the same whenever this is told again; without one every telling is a new event. `run` names the
    action among those of the source; without one the report is an action of its own. `action_type`: that of the
    pipeline if empty. `number` and `attempt` order the runs of one source.
    """

    type: str = Lifecycle.COMPLETED
    key: str = ""
    run: str = ""
    action_type: str = ""
    number: int | None = None
    attempt: int | None = None
    occurred_at: Millis | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)

    def document(self, source: str, pipeline: int | str, fresh: str) -> dict[str, Any]:
        """The event as a platform would send it. `fresh` stands in for a key."""
        identity = digest([pipeline, self.key or fresh])
        document: dict[str, Any] = {
            "id": f"{source}:{identity}",
            "type": str(self.type),
            "action": self._action(source, pipeline, identity),
            "source": {**self.facts, "name": source},
        }
        if self.occurred_at is not None:
            document["occurred_at"] = as_text(self.occurred_at)
        if (environment := known(self.facts, "environment")) is not None:
            document["environment"] = {"name": environment}
        return document

    def _action(self, source: str, pipeline: int | str, identity: str) -> dict[str, Any]:
        facts = {name: known(self.facts, path) for name, path in VARIABLES.items()}
        said = {"type": self.action_type or None, "number": self.number, "attempt": self.attempt}
        return {
            "id": f"{source}-{self.run or identity[:20]}",
            "pipeline": pipeline,
            **_without_none(said),
            "triggered_from": {
                "trigger_type": "source",
                "name": source,
                "hook_parsed_variables": {**self.variables, **_without_none(facts)},
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """All that one request comes to. `ignored`: for each thing that comes to nothing, why."""

    reports: tuple[Report, ...] = ()
    ignored: tuple[str, ...] = ()


def finished(kind: str, key: str, facts: Mapping[str, Any]) -> Heard:
    """Something without a lifecycle, such as a push: an action of this type that is complete."""
    said = {**facts, "event": kind}
    occurred_at = said.pop("occurred_at", None)
    return Heard(reports=(Report(key=key, action_type=kind, occurred_at=occurred_at, facts=said),))


def deployed(step: Lifecycle, key: str, facts: Mapping[str, Any]) -> Heard:
    """How far the deployment has come whose id stands in the facts."""
    said = dict(facts)
    occurred_at = said.pop("occurred_at", None)
    report = Report(
        type=step,
        key=key,
        run=f"deployment-{said['deployment']['id']}",
        action_type="deploy",
        occurred_at=occurred_at,
        facts=said,
    )
    return Heard(reports=(report,))


def ignored(because: str) -> Heard:
    return Heard(ignored=(because,))


def digest(value: Any) -> str:
    """Of JSON values: the same for equal ones, in whatever order their keys came."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:40]


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
