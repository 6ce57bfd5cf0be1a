"""What every host must show after the runs that were driven, and what it does show."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hookengine.cli.demo.platform import Run, Told
from hookengine.cli.demo.stage import Stage, databases
from hookengine.domain.event import Lifecycle, Rank
from hookengine.domain.hook import Hook, HookState
from hookengine.simulators import Host

WORDS: Mapping[str, Mapping[str, str]] = {
    "GitHub": {
        Lifecycle.QUEUED: "pending",
        Lifecycle.STARTED: "pending",
        Lifecycle.COMPLETED: "success",
        Lifecycle.FAILED: "failure",
    },
    "GitLab": {
        Lifecycle.QUEUED: "pending",
        Lifecycle.STARTED: "running",
        Lifecycle.COMPLETED: "success",
        Lifecycle.FAILED: "failed",
    },
    "Bitbucket": {
        Lifecycle.QUEUED: "INPROGRESS",
        Lifecycle.STARTED: "INPROGRESS",
        Lifecycle.COMPLETED: "SUCCESSFUL",
        Lifecycle.FAILED: "FAILED",
    },
}
"""What each host calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one host shows under one context of one commit, and what it should."""

    host: str
    commit: str
    context: str
    expected: tuple[str, ...]
    shown: tuple[str, ...]

    @property
    def right(self) -> bool:
        return self.shown == self.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A delivery there must be. `late`: something newer was accepted before, so it must not be sent."""

    run: Run
    told: Told
    hook: Hook
    late: bool


class Expectation:
    """Follows from the runs and the hooks alone, not from what was sent or recorded."""

    def __init__(self, stage: Stage, runs: Sequence[Run]) -> None:
        self._stage = stage
        self._runs = runs

    def owed(self) -> Iterator[Owed]:
        for run in self._runs:
            newest = Rank.QUEUED
            for told in run.told:
                rank = Rank.of(told.type)
                for hook in self._hooks_of(run):
                    if hook.wants(told.type):
                        yield Owed(run=run, told=told, hook=hook, late=rank < newest)
                newest = max(newest, rank)

    def _hooks_of(self, run: Run) -> list[Hook]:
        return [
            hook
            for hook in self._stage.manifest.hooks
            if hook.state is HookState.ACTIVE and hook.pipeline_id in (None, run.pipeline.id)
        ]

    def host_of(self, hook: Hook) -> Host | None:
        base = hook.params.get("base_url")
        return self._stage.host_at(f"{base}/" if base else hook.target_url)

    def rows(self) -> list[Row]:
        """Every status that must be shown or is, host by host."""
        return [row for host in self._stage.hosts.values() for row in self._rows_of(host)]

    def _rows_of(self, host: Host) -> Iterator[Row]:
        expected: dict[tuple[str, str], tuple[str, ...]] = {}
        for owed in self.owed():
            if self.host_of(owed.hook) is host:
                place = owed.run.commit, context_of(owed.hook)
                states = () if owed.late else (WORDS[host.name][owed.told.type],)
                expected[place] = expected.get(place, ()) + states
        shown: dict[tuple[str, str], tuple[str, ...]] = {}
        for at, entry in host.contexts().items():
            shown[at.sha, at.context] = shown.get((at.sha, at.context), ()) + tuple(entry.history)
        for commit, context in {**expected, **shown}:
            yield Row(
                host=host.name,
                commit=commit,
                context=context,
                expected=expected.get((commit, context), ()),
                shown=shown.get((commit, context), ()),
            )


def context_of(hook: Hook) -> str:
    """The name of the status it writes, as its author wrote it."""
    said: Mapping[str, Any] = hook.params or (hook.body if isinstance(hook.body, Mapping) else {})
    return str(said.get("context") or said.get("key") or "")


def problems_of(
    stage: Stage,
    expectation: Expectation,
    deliveries: Mapping[str, Mapping[str, Any]],
    planned: Mapping[str, int],
) -> Iterator[str]:
    """Everything that is wrong, in sentences. `planned`: how many refusals were, by host."""
    for host in stage.hosts.values():
        yield from _of_refusals(host, planned.get(host.name, 0))
    rows = expectation.rows()
    if not rows:
        yield "nothing was played: the file has no incoming hook whose pipeline has hooks"
    for row in rows:
        if not row.right:
            shown, expected = " -> ".join(row.shown) or "nothing", " -> ".join(row.expected) or "nothing"
            yield f"{row.host} shows {shown} under {row.context} at {row.commit[:7]}; true is {expected}"
    yield from _of_deliveries(stage, expectation, deliveries)
    yield from _of_secrets(stage)


def _of_refusals(host: Host, planned: int) -> Iterator[str]:
    answers = [received.status for received in host.received if received.status != 201]
    if len(answers) != planned:
        listed = ", ".join(map(str, answers)) or "none"
        yield f"{host.name} refused {len(answers)} requests, {planned} were planned; it answered: {listed}"


def _of_deliveries(
    stage: Stage, expectation: Expectation, deliveries: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Each was taken once by its own host, or came late and reached none."""
    taken: dict[str, list[Host]] = {}
    for host in stage.hosts.values():
        for received in host.received:
            sent_to = taken.setdefault(received.headers.get("webhook-id", ""), [])
            sent_to.extend([host] if received.status == 201 else [])
    for owed in expectation.owed():
        name = f"{owed.told.type} of action {owed.run.action} for {owed.hook.name}"
        delivery = owed.told.deliveries.get(owed.hook.id, "")
        status = deliveries.get(delivery, {}).get("status", "not known to the engine")
        reached = delivery in taken
        hosts = taken.pop(delivery, [])
        if status != ("superseded" if owed.late else "delivered"):
            yield f"{name} is {status}"
        if owed.late and reached:
            yield f"{name} came late and was sent all the same"
        if not owed.late and hosts != [expectation.host_of(owed.hook)]:
            yield f"{name} was taken by {', '.join(host.name for host in hosts) or 'nobody'}"
    for delivery in taken:
        yield f"a request was sent that nothing owed: {delivery or 'without a webhook-id'}"


def _of_secrets(stage: Stage) -> Iterator[str]:
    content = b"".join(path.read_bytes() for path in databases(stage))
    for name, value in stage.values:
        forms = (value.encode(), base64.b64encode(value.encode()).rstrip(b"="))
        if value and any(form in content for form in forms):
            yield f"the value of {name} stands in the database"
