"""A stage: an engine of one or more nodes, its database, the platform that emits and the target that receives."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from hookengine.domain.event import id_in, key_of
from tests.faults.history import Emitted, Fate, History, Ledger, Limits, Received, check, summarise
from tests.faults.stage import script
from tests.faults.stage.database import Database, SqliteFile, is_quiet, tables
from tests.faults.stage.hatchery import Hatchery
from tests.faults.stage.news import PATIENCE, News
from tests.faults.stage.node import Node, Part
from tests.faults.stage.platform import EventText, Platform
from tests.faults.targets import Target

MakeHook = Callable[..., script.Config]


class Stage:
    """A context manager. Before the first node is started it is told its hooks, and what else is to be other
    than usual: `settings` by group, `settle` in milliseconds."""

    def __init__(self, folder: Path, database: Database, hatchery: Hatchery) -> None:
        self.folder = folder
        self.database = database
        self.target = Target("target", folder / "target.jsonl")
        self.platform = Platform()
        self.nodes: dict[str, Node] = {}
        self.hooks: list[script.Config] = []
        self.settings: dict[str, script.Config] = {}
        self.settle = 1000
        self.url = database.url  # as nodes are told it
        self.forgotten_before = 0.0
        self._hatchery = hatchery
        self._news = News()

    def __enter__(self) -> Self:
        self.target.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes.values():
            if node.running:
                node.kill()
        self.target.__exit__()

    def hook(self, make: MakeHook, **changes: Any) -> None:
        """One of `script`, calling this stage's target."""
        self.hooks.append(make(self.target.url, **changes))

    # Nodes

    def start(
        self,
        name: str = "node",
        *,
        role: str = "all",
        failpoints: str = "",
        haste: Mapping[str, Any] | None = None,
        ready: bool = True,
        **settings: Any,
    ) -> Node:
        """A new node, or one that has ended once more. Settings are those of this node, such as
        `delivery__per_host=1`. Without `ready` it is not waited for."""
        if not self.nodes:
            document = script.config(self.url, self.settle, self.hooks, self.settings)
            (self.folder / "config.yaml").write_text(json.dumps(document, indent=2), encoding="utf-8")
        node = self.nodes.get(name) or Node(name, self.folder, self._hatchery, self._news)
        self.nodes[name] = node
        environ = {f"HOOKENGINE_{key.upper()}": str(value) for key, value in settings.items()}
        quick = {**script.HASTE, **(haste or {})}
        node.start(Part(role=role, failpoints=failpoints, environ=environ, haste=quick))
        if ready:
            node.wait_until_ready()
        return node

    @property
    def node(self) -> Node:
        """The one that was started last, of those that run."""
        return [node for node in self.nodes.values() if node.running][-1]

    def let_leases_end(self) -> None:
        """Those of nodes that have died, without waiting for it. On SQLite the next node does the same."""
        if not isinstance(self.database, SqliteFile):
            self.rows("UPDATE lane SET due_at = 0 WHERE token IS NOT NULL RETURNING id")

    # What happens

    def emit(self, *events: EventText, to: Node | None = None) -> list[Emitted]:
        """Each in a request of its own, one after another."""
        return [self.platform.emit((to or self.node).url, event) for event in events]

    def accepted(self, *events: EventText, to: Node | None = None) -> list[str]:
        """Emit them, and be sure; the ids of the deliveries they owe."""
        told = self.emit(*events, to=to)
        assert {one.fate for one in told} == {Fate.ACKNOWLEDGED}, told
        return [delivery for one in told for delivery in one.deliveries.values()]

    def received(self, event_id: str) -> list[Received]:
        """All requests about an event, repairs included."""
        rows = self.rows("SELECT id FROM delivery WHERE event_id = :key", key=key_of(1, event_id))
        ids = {row["id"] for row in rows}
        return [one for one in self.target.received if one.delivery in ids]

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        return self.database.rows(query, **values)

    def statuses(self) -> dict[str, str]:
        """The status of each event's delivery; of repairs, and of several hooks, that of the last."""
        rows = self.rows("SELECT event_id, status FROM delivery ORDER BY accepted_at, id")
        return {id_in(row["event_id"]): row["status"] for row in rows}

    def wait_until(self, holds: Callable[[], bool], wanted: str, seconds: float = PATIENCE) -> None:
        """Asked again whenever a node says something."""
        assert self._news.wait_until(holds, seconds), f"waited in vain for {wanted}; see {self.folder}"

    def quiet(self, seconds: float = PATIENCE) -> None:
        """Wait until nothing is owed any more."""
        self.wait_until(lambda: is_quiet(self.database), "quiet", seconds)

    # Afterwards

    def history(self) -> History:
        rows = tables(self.database)
        names = {row["node"] for row in rows.attempt}
        return History(
            emitted=list(self.platform.emitted),
            received=self.target.received,
            rows=rows,
            read_at=time.time_ns() / 1e6,
            pauses=[
                replace(pause, node=_name_of(pause.node, names))
                for node in self.nodes.values()
                for pause in node.pauses
            ],
            limits=Limits(lease=script.LEASE, settle=self.settle),
            forgotten_before=self.forgotten_before,
        )

    def judge(self) -> Ledger:
        """Nothing was lost, invented, reordered or repeated without need; what became of everything."""
        history = self.history()
        violations = check(history)
        said = "\n".join(map(str, violations))
        assert not violations, f"{said}\nsee {self.folder}"
        return summarise(history)


def _name_of(pid: str, nodes: Collection[str]) -> str:
    """What the engine calls the node of this process, if it wrote anything."""
    return next((name for name in nodes if f":{pid}:" in name), pid)
