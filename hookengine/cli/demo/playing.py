"""The play itself: pull requests, the events that follow, and the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from hookengine.cli.demo.inviting import invitation
from hookengine.cli.demo.platform import Platform, Run, Unwelcome
from hookengine.cli.demo.screen import Screen
from hookengine.cli.demo.stage import Stage, examples, set_up
from hookengine.cli.demo.verdict import WORDS, Expectation, Row, problems_of
from hookengine.cli.demo.watching import Overdue, Watch
from hookengine.domain.event import Lifecycle
from hookengine.simulators import Received

COLUMNS = ("commit", "context", "states in order", "final", "expected", "verdict")
MOST = 12  # problems that are told one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """`change` is what the pull request says of itself, `events` follow in the order in which the platform
    tells them, and the host `down` answers 503 once.
    """

    title: str
    change: str
    commit: str
    events: tuple[str, ...]
    down: str = ""


SCENES = (
    Scene(
        title="A pull request is opened. Its actions succeed, though Bitbucket answers 503 once.",
        change="opened",
        commit="6dcb09b5b57875f334f61aebed695e2e4193db5e",
        events=(Lifecycle.STARTED, Lifecycle.COMPLETED),
        down="Bitbucket",
    ),
    Scene(
        title="A commit is pushed to it. The actions fail.",
        change="synchronize",
        commit="e5bd3914e2e596debea16f433f57875b5b90bcd6",
        events=(Lifecycle.STARTED, Lifecycle.FAILED),
    ),
    Scene(
        title="Another commit. The actions succeed, but their action.started arrives after action.completed.",
        change="synchronize",
        commit="2c963be2d7f0b4a1c37e0d3ba41b62a4bb45d9d3",
        events=(Lifecycle.COMPLETED, Lifecycle.STARTED),
    ),
)


async def play(config: Path | None, *, keep: bool) -> list[str]:
    """What is wrong, after it was said."""
    _end_on_sigterm()
    screen = Screen()
    source = config or examples() / "demo.yaml"
    async with set_up(source) as stage, httpx.AsyncClient(base_url=stage.api, trust_env=False) as client:
        _greet(screen, stage, source)
        play = _Play(stage, Platform(stage, client), screen)
        await play.act()
        play.conclude()
        if keep:
            screen.say()
            for line in invitation(stage, play.runs, play.deliveries):
                screen.say(line)
            await play.watch.for_ever()
    return play.problems


class _Play:
    def __init__(self, stage: Stage, platform: Platform, screen: Screen) -> None:
        self.watch = Watch(stage, platform, screen)
        self.runs: list[Run] = []
        self.deliveries: dict[str, dict[str, Any]] = {}
        self.problems: list[str] = []
        self._stage = stage
        self._platform = platform
        self._screen = screen
        self._planned: Counter[str] = Counter()
        self._expectation = Expectation(stage, self.runs)

    async def act(self) -> None:
        """All scenes, or as many as can be played."""
        payload = json.loads((examples() / "pull_request.json").read_bytes())
        try:
            for scene in SCENES:
                self._screen.say()
                self._screen.say(scene.title, "bold")
                self._plan_trouble(scene)
                await self._play(scene, payload)
        except (Unwelcome, Overdue, httpx.HTTPError) as error:
            self.problems.append(str(error))
        with contextlib.suppress(Unwelcome, httpx.HTTPError):
            self.deliveries = await self._platform.deliveries()
        self.problems.extend(problems_of(self._stage, self._expectation, self.deliveries, self._planned))

    def conclude(self) -> None:
        rows = self._expectation.rows()
        for host in self._stage.hosts.values():
            self._screen.table(host.name, COLUMNS, [_cells(row) for row in rows if row.host == host.name])
        self._screen.say()
        for problem in self.problems[:MOST]:
            self._screen.say(f"WRONG: {problem}", "bold red")
        if len(self.problems) > MOST:
            self._screen.say(f"... and {len(self.problems) - MOST} more", "bold red")
        if not self.problems:
            late = sum(owed.late for owed in self._expectation.owed())
            sent = sum(len(host.received) for host in self._stage.hosts.values())
            self._screen.say(
                f"All {len(rows)} statuses are true, one per commit and pipeline on every host. {sent} requests"
                f" were sent in {self.watch.elapsed:.1f} s.",
                "green",
            )
            self._screen.say(
                f"{late} that came late were not, and no secret stands in the database.", "green"
            )

    def _plan_trouble(self, scene: Scene) -> None:
        """Down for the first request that says how an action ended."""
        for host in self._stage.hosts.values():
            if host.name == scene.down:
                host.fail_next(503, where=partial(_says, WORDS[host.name][Lifecycle.COMPLETED]))
                self._planned[host.name] += 1

    async def _play(self, scene: Scene, payload: Mapping[str, Any]) -> None:
        head = {**payload["pull_request"]["head"], "sha": scene.commit}
        pull_request = {**payload["pull_request"], "head": head}
        said = {**payload, "action": scene.change, "pull_request": pull_request}
        started: list[Run] = []
        for hook in self._stage.manifest.incoming_hooks:
            started.append(await self._platform.pull_request(hook, said))
            self.runs.append(started[-1])
        await self._until_ended(started)
        for event_type in scene.events:
            for run in started:
                await self._platform.emit(event_type, run)
            await self._until_ended(started)

    async def _until_ended(self, runs: Sequence[Run]) -> None:
        """Whatever their last events owe."""
        await self.watch.until_ended([owed for run in runs for owed in run.told[-1].deliveries.values()])


def _says(state: str, received: Received) -> bool:
    return received.body.get("state") == state


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.commit[:7],
        row.context,
        _in_order(row.shown) or "nothing",
        row.shown[-1] if row.shown else "nothing",
        row.expected[-1] if row.expected else "nothing",
        "ok" if row.right else "WRONG",
    )


def _in_order(states: Sequence[str]) -> str:
    """What was said again without a change in between is counted."""
    counted = ((state, len(list(same))) for state, same in itertools.groupby(states))
    return " -> ".join(state if count == 1 else f"{state} x{count}" for state, count in counted)


def _greet(screen: Screen, stage: Stage, source: Path) -> None:
    screen.say("A platform, the engine, and three code hosts, all on this machine.", "bold")
    for name, value in (
        ("hooks", f"{source}  (open it)"),
        ("engine", f"{stage.api}  (its folder: {stage.folder})"),
        *((host.name, url) for url, host in stage.hosts.items()),
    ):
        screen.say(f"  {name:<10} {value}")


def _end_on_sigterm() -> None:
    task = asyncio.current_task()
    if task is not None:
        with contextlib.suppress(NotImplementedError):  # Windows has no such handlers
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
