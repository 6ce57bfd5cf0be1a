"""What every host must show after the runs that were driven, and what it does show."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hookengine.cli.demo.platform import Run, Told
from hookengine.cli.demo.stage import Stage, databases
from hookengine.domain.event import Lifecycle, Rank
from hookengine.domain.hook import Hook
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
    def verdict(self) -> str:
        if self.shown == self.expected:
            return "ok"
        if not self.expected:
            return "WRONG: nothing should be here"
        if self.shown[-1:] != self.expected[-1:]:
            return "WRONG"
        return f"WRONG: expected {' -> '.join(self.expected)}"


class Expectation:
    """Follows from the runs and the hooks alone, not from what was sent or recorded."""

    def __init__(self, stage: Stage, runs: Sequence[Run]) -> None:
        self._stage = stage
        self._runs = runs

    def rows(self) -> list[Row]:
        return [row for host in self._stage.hosts.values() for row in self._rows_of(host)]

    def owed(self) -> Iterator[tuple[Run, Told, Hook, bool]]:
        """Every delivery there must be, and whether it came too late to be sent."""
        for run in self._runs:
            newest = Rank.QUEUED
            for told in run.told:
                rank = Rank.of(told.type)
                for hook in self._hooks_of(run):
                    if hook.wants(told.type):
                        yield run, told, hook, rank < newest
                newest = max(newest, rank)

    def host_of(self, hook: Hook) -> Host | None:
        return self._stage.host_at(str(hook.params.get("base_url", "")) + "/") or self._stage.host_at(
            hook.target_url
        )

    def _hooks_of(self, run: Run) -> list[Hook]:
        return [hook for hook in self._stage.manifest.hooks if hook.pipeline_id in (None, run.pipeline.id)]

    def _rows_of(self, host: Host) -> Iterator[Row]:
        expected: dict[tuple[str, str], tuple[str, ...]] = {}
        for run, told, hook, late in self.owed():
            if self.host_of(hook) is host:
                place = (run.commit, context_of(hook))
                word = () if late else (WORDS[host.name][told.type],)
                expected[place] = (*expected.get(place, ()), *word)
        shown = {(place.sha, place.context): tuple(entry.history) for place, entry in host.contexts().items()}
        for commit, context in [*expected, *(place for place in shown if place not in expected)]:
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
    troubles: Mapping[str, int],
) -> Iterator[str]:
    """Everything that is wrong, in sentences. `troubles`: how many refusals were planned, by host."""
    for row in expectation.rows():
        if row.verdict != "ok":
            shown, expected = " -> ".join(row.shown) or "nothing", " -> ".join(row.expected) or "nothing"
            place = f"commit {row.commit[:7]} under {row.context}"
            yield f"{row.host} shows {shown} at {place}; true is {expected}"
    yield from _of_deliveries(stage, expectation, deliveries)
    for host in stage.hosts.values():
        yield from _of_refusals(host, troubles.get(host.name, 0))
    yield from _of_secrets(stage)


def _of_deliveries(
    stage: Stage, expectation: Expectation, deliveries: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Each was sent if and only if it should be, to no host but its own."""
    arrived = [
        (host, received.headers.get("webhook-id", ""), received.status)
        for host in stage.hosts.values()
        for received in host.received
    ]
    known: set[str] = set()
    for run, told, hook, late in expectation.owed():
        name = f"{told.type} of action {run.action} for '{hook.name}'"
        delivery = told.deliveries.get(hook.id)
        if delivery is None:
            yield f"{name} was owed and is not"
            continue
        known.add(delivery)
        if (status := deliveries[delivery]["status"]) != ("superseded" if late else "delivered"):
            yield f"{name} is {status}: {deliveries[delivery]['because']}"
        hosts = [host for host, sent, _ in arrived if sent == delivery]
        if late and hosts:
            yield f"{name} came late and was sent to {hosts[0].name} all the same"
        if any(host is not expectation.host_of(hook) for host in hosts):
            yield f"{name} was sent to a host that is not its own"
        if sum(sent == delivery and status == 201 for _, sent, status in arrived) > 1:
            yield f"{name} was taken more than once"
    for host, sent, _ in arrived:
        if sent not in known:
            yield f"{host.name} got a request that nobody owed: {sent or 'it has no webhook-id'}"


def _of_refusals(host: Host, planned: int) -> Iterator[str]:
    refused = [received for received in host.received if received.status is None or received.status >= 400]
    if len(refused) != planned:
        answers = ", ".join(str(received.status) for received in refused) or "none"
        yield f"{host.name} refused {len(refused)} requests ({answers}), planned were {planned}"


def _of_secrets(stage: Stage) -> Iterator[str]:
    content = b"".join(path.read_bytes() for path in databases(stage))
    for name, value in stage.values:
        forms = (value.encode(), base64.b64encode(value.encode()).rstrip(b"="))
        if value and any(form in content for form in forms):
            yield f"the value of {name} stands in the database"
