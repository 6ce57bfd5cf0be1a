"""Harness SEI's (formerly Propelo's) custom CI/CD: a run that has finished.

Its page contradicts itself: runs come flat or wrapped, under old or new names, with results in any case. All of
that is understood.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from hookengine.domain.event import Lifecycle
from hookengine.errors import InvalidEvent
from hookengine.sources.body import parsed_object
from hookengine.sources.facts import (
    LATEST,
    Fact,
    Table,
    flag,
    is_commit,
    known,
    moment,
    number,
    plain_values,
    put,
    read_facts,
    some,
    text,
    text_or_number,
    texts,
)
from hookengine.sources.report import Heard, Report, digest

Document = Mapping[str, Any]

_GUID = re.compile(r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_INSTANCES = uuid.UUID("6f1dbb5a-58c3-4d6c-9c2b-0f4f6f3f1c55")


def guid(value: Any) -> str:
    if not isinstance(value, str) or not _GUID.fullmatch(value):
        raise ValueError("must be a UUID; a POST of {integration_id, name, type} answers one")
    return value.lower()


def result(value: Any) -> Lifecycle:
    kind = RESULTS.get(value.upper()) if isinstance(value, str) else None
    if kind is None:
        raise ValueError("must be SUCCESS or FAILURE")
    return kind


RESULTS: Mapping[str, Lifecycle] = {
    "SUCCESS": Lifecycle.COMPLETED,
    "SUCCEEDED": Lifecycle.COMPLETED,
    "FAILURE": Lifecycle.FAILED,
    "FAILED": Lifecycle.FAILED,
    "UNSTABLE": Lifecycle.FAILED,
    "ABORTED": Lifecycle.CANCELLED,
    "CANCELED": Lifecycle.CANCELLED,
    "CANCELLED": Lifecycle.CANCELLED,
}
"""The page names SUCCESS and FAILURE; the others are in its examples, or are Jenkins' own."""

OLD_NAMES: Mapping[str, str] = {
    "pipeline": "job_name",
    "instance_guid": "jenkins_instance_guid",
    "instance_name": "jenkins_instance_name",
    "instance_url": "jenkins_instance_url",
    "qualified_name": "job_normalized_full_name",
}

WRAPPERS = ("payload", "data", "Data")

RUN: Table = {
    "run.name": Fact("pipeline", text, required=True),
    "run.job": Fact("job_full_name", text, required=True),
    "run.qualified_name": Fact("qualified_name", text),
    "run.number": Fact("build_number", number),
    "run.id": Fact("execution_id", text_or_number),
    "run.result": Fact("result", result, required=True),
    "run.duration": Fact("duration", number, required=True),
    "run.parameters": Fact("job_run_params", some),
    "run.artifacts": Fact("artifacts", some),
    "run.ci": Fact("ci", flag),
    "run.cd": Fact("cd", flag),
    "instance.id": Fact("instance_guid", guid, required=True),
    "instance.name": Fact("instance_name", text),
    "instance.url": Fact("instance_url", text),
    "started_at": Fact("start_time", moment, required=True),
    "actor": Fact("user_id", text),
    "repository.url": Fact("repo_url", text),
    "branch": Fact("branch_name", text),
    "commits": Fact("scm_commit_ids", texts),
    "module": Fact("module_name", text_or_number),
    "project": Fact("project_name", text),
    "themes": Fact("themes", texts),
    "cfr_status": Fact("cfr_status", flag),
    "title": Fact("job_full_name", text),
    "url": Fact("web_url", text),
}
REGISTRATION: Table = {
    "integration_id": Fact("integration_id", text_or_number, required=True),
    "name": Fact("name", text, required=True),
    "type": Fact("type", text, required=True),
}


def registered(document: Document) -> dict[str, Any] | None:
    """What somebody is answered who asks for an instance, always the same; None if nobody does. Raises InvalidEvent."""
    if "integration_id" not in document:
        return None
    asked = read_facts(document, REGISTRATION)
    made = str(uuid.uuid5(_INSTANCES, digest(asked)))
    return {"id": made, "instance_guid": made, **asked}


def unwrapped(document: Document) -> dict[str, Any]:
    """The run itself, under the names of today. Raises InvalidEvent."""
    for _ in WRAPPERS:
        wrapper = next((name for name in WRAPPERS if name in document), None)
        if wrapper is None or "result" in document:
            break
        inner = document[wrapper]
        if isinstance(inner, str):
            inner = parsed_object(inner.encode("utf-8", "surrogatepass"))
        if not isinstance(inner, dict):
            raise InvalidEvent({wrapper: [f"{wrapper} must be an object."]})
        document = inner
    run = dict(document)
    for name, old in OLD_NAMES.items():
        if run.get(name) in (None, "") and old in run:
            run[name] = run[old]
    return run


def hear(run: Document) -> Heard:
    """Of what `unwrapped` gives. Raises InvalidEvent."""
    facts = read_facts(run, RUN)
    ended_at = facts.pop("started_at") + facts["run"]["duration"]
    if ended_at > LATEST:
        raise InvalidEvent({"duration": ["duration must be in milliseconds."]})
    hash_of_commit = next((one for one in facts.get("commits", []) if is_commit(one)), None)
    if hash_of_commit is not None:
        put(facts, "commit.hash", hash_of_commit.lower())
    told = facts["run"]
    execution = told.get("id", told.get("number"))
    report = Report(
        type=told["result"],
        key=digest(run),
        run="" if execution is None else digest([facts["instance"]["id"], told["job"], execution])[:20],
        action_type="deploy" if told.get("cd") else "build" if told.get("ci") else "",
        occurred_at=ended_at,
        facts={**facts, "run": {**told, "result": str(run["result"])}, "event": "run"},
        variables=_parameters(told.get("parameters", [])),
    )
    return Heard(reports=(report,))


def _parameters(parameters: list[Any]) -> dict[str, Any]:
    named = {
        one["name"]: known(one, "value")
        for one in parameters
        if isinstance(one, dict) and isinstance(one.get("name"), str)
    }
    return plain_values(named)
