"""CDEvents 0.5 in CloudEvents: runs of pipelines and tasks, and what was deployed, upgraded, rolled back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hookengine.domain.event import Lifecycle
from hookengine.errors import InvalidEvent
from hookengine.sources.cloudevents import CloudEvent
from hookengine.sources.facts import Fact, Table, known, moment, plain_values, prose, read_facts, text
from hookengine.sources.report import Heard, Report, digest, ignored

_TYPE = re.compile(r"dev\.cdevents\.([a-z]+)\.([a-z]+)\.0\.[0-9]+\.[0-9]+(-[A-Za-z0-9.-]+)?")

SUBJECT: Table = {
    "subject": Fact("data.subject.id", text, required=True),
    "chain": Fact("data.context.chainId", text),
    "occurred_at": Fact("time", moment),
    "timestamp": Fact("data.context.timestamp", moment),
}
LINK: Table = {
    "url": Fact("data.subject.content.uri", text),
    "old_url": Fact("data.subject.content.url", text),
    "title": Fact("data.subject.content.errors", prose),
    "outcome": Fact("data.subject.content.outcome", text),
}
PIPELINE_RUN: Table = {**SUBJECT, **LINK, "run.name": Fact("data.subject.content.pipelineName", text)}
TASK_RUN: Table = {
    **SUBJECT,
    **LINK,
    "run.name": Fact("data.subject.content.taskName", text),
    "pipeline_run": Fact("data.subject.content.pipelineRun.id", text),
    "pipeline_source": Fact("data.subject.content.pipelineRun.source", text),
}
SERVICE: Table = {
    **SUBJECT,
    "environment": Fact("data.subject.content.environment.id", text, required=True),
    "artifact": Fact("data.subject.content.artifactId", text),
}

STEPS: Mapping[str, Lifecycle] = {"queued": Lifecycle.QUEUED, "started": Lifecycle.STARTED}
OUTCOMES: Mapping[str, Lifecycle] = {
    "success": Lifecycle.COMPLETED,
    "failure": Lifecycle.FAILED,
    "error": Lifecycle.FAILED,
    "cancel": Lifecycle.CANCELLED,
    "canceled": Lifecycle.CANCELLED,
}
"""The last is of versions before 0.5."""

DEEDS: Mapping[str, str] = {
    "deployed": "deploy",
    "upgraded": "deploy",
    "rolledback": "rollback",
    "published": "publish",
    "removed": "remove",
}
"""What was done to a service, and the type of the action that did it."""


def hear(event: CloudEvent) -> Heard:
    """Raises InvalidEvent."""
    found = _TYPE.fullmatch(event["type"])
    subject, predicate = (found[1], found[2]) if found else ("", "")
    if subject in RUNS and predicate in (*STEPS, "finished"):
        _check_context(event)
        return _run(event, subject, predicate)
    if subject == "service" and predicate in DEEDS:
        _check_context(event)
        return _service(event, DEEDS[predicate])
    return ignored(
        f"of the type {event['type'][:100]!r} nothing is made; of pipelinerun, taskrun and service it is"
    )


def _run(event: CloudEvent, subject: str, predicate: str) -> Heard:
    facts = read_facts(event, RUNS[subject])
    kind = STEPS[predicate] if predicate in STEPS else _end(facts.pop("outcome", ""))
    of, of_source = facts.pop("pipeline_run", None), facts.pop("pipeline_source", event["source"])
    name = kind.partition(".")[2]
    if of is not None:  # a part of a run: what becomes of it must not pass for what becomes of the run
        facts["task"] = {"id": facts["subject"], **facts.pop("run", {})}
        report = _report(event, facts, type=f"task.{name}", run=_named("pipelinerun", of_source, of))
    else:
        report = _report(event, facts, type=kind, run=_named(subject, event["source"], facts["subject"]))
    return Heard(reports=(report,))


def _service(event: CloudEvent, deed: str) -> Heard:
    facts = read_facts(event, SERVICE)
    variables = {"artifact": facts["artifact"]} if "artifact" in facts else {}
    return Heard(reports=(_report(event, facts, action_type=deed, variables=variables),))


def _report(event: CloudEvent, facts: dict[str, Any], **said: Any) -> Report:
    timestamp, time = facts.pop("timestamp", None), facts.pop("occurred_at", None)
    if old := facts.pop("old_url", None):
        facts.setdefault("url", old)
    custom = known(event, "data.customData")
    variables = plain_values(custom) if isinstance(custom, dict) else {}
    told = {"event": event["type"], "origin": event["source"]}
    return Report(
        key=digest([event["source"], event["id"]]),
        occurred_at=timestamp if time is None else time,
        facts={**facts, **told},
        variables={**variables, **said.pop("variables", {})},
        **said,
    )


def _named(subject: str, source: str, run: str) -> str:
    """A run is known by its id at its source, whatever characters that has."""
    return f"{subject}-{digest([source, run])[:20]}"


def _end(outcome: str) -> Lifecycle:
    if outcome not in OUTCOMES:
        place = "data.subject.content.outcome"
        raise InvalidEvent({place: [f"{place} must be one of {', '.join(OUTCOMES)}."]})
    return OUTCOMES[outcome]


def _check_context(event: CloudEvent) -> None:
    """What the event says of itself must be what its envelope says."""
    for name in ("id", "source", "type"):
        said = known(event, f"data.context.{name}")
        if said not in (None, event[name]):
            place = f"data.context.{name}"
            raise InvalidEvent({place: [f"{place} is another than that of the CloudEvent."]})


RUNS: Mapping[str, Table] = {"pipelinerun": PIPELINE_RUN, "taskrun": TASK_RUN}
