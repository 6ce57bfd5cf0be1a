"""The play itself: pull requests, the events that follow, and the verdict."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from hookengine.cli.demo.inviting import invitation
from hookengine.cli.demo.platform import Platform, Run, Unwelcome
from hookengine.cli.demo.screen import Screen
from hookengine.cli.demo.stage import Stage, examples, set_up
from hookengine.cli.demo.verdict import WORDS, Expectation, problems_of
from hookengine.cli.demo.watching import Overdue, Watch
from hookengine.domain.event import Lifecycle

COLUMNS = ("commit", "context", "states in order", "shows", "expected", "verdict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """`events` in the order in which the platform gets to tell them; `out_of_order` answers 503 once."""

    title: str
    hook: str
    commit: str
    events: tuple[str, ...]
    out_of_order: str = ""


SCENES = (
    Scene(
        title="A pull request is opened. Its actions succeed, and Bitbucket answers 503 once.",
        hook="opened",
        commit="6dcb09b5b57875f334f61aebed695e2e4193db5e",
        events=(Lifecycle.STARTED, Lifecycle.COMPLETED),
        out_of_order="Bitbucket",
    ),
    Scene(
        title="A commit is pushed to it. The actions fail.",
        hook="synchronize",
        commit="e5bd3914e2e596debea16f433f57875b5b90bcd6",
        events=(Lifecycle.STARTED, Lifecycle.FAILED),
    ),
    Scene(
        title="Another commit. The actions succeed, but their action.started arrives after action.completed.",
        hook="synchronize",
        commit="2c963be2d7f0b4a1c37e0d3ba41b62a4bb45d9d3",
        events=(Lifecycle.COMPLETED, Lifecycle.STARTED),
    ),
)


async def play(config: Path | None, *, keep: bool) -> list[str]:
    """What is wrong, after it was said."""
    screen = Screen()
    _end_on_sigterm()
    source = config or examples() / "demo.yaml"
    async with set_up(source) as stage, httpx.AsyncClient(base_url=stage.api, trust_env=False) as client:
        _greet(screen, stage, source)
        platform = Platform(stage, client)
        watch = Watch(stage, platform, screen)
        expectation, problems = await _drive(stage, platform, watch, screen)
        _conclude(screen, stage, expectation, problems, watch.elapsed)
        if keep:
            screen.say()
            for line in invitation(stage):
                screen.say(line)
            await watch.for_ever()
    return problems


async def _drive(
    stage: Stage, platform: Platform, watch: Watch, screen: Screen
) -> tuple[Expectation, list[str]]:
    runs: list[Run] = []
    troubles: dict[str, int] = {}
    payload = json.loads((examples() / "pull_request.json").read_text(encoding="utf-8"))
    expectation = Expectation(stage, runs)
    try:
        for scene in SCENES:
            screen.say()
            screen.say(scene.title, style="bold")
            _plan_trouble(stage, scene, troubles)
            await _play_scene(scene, payload, stage, platform, watch, runs)
        listed = await platform.deliveries()
    except (Unwelcome, Overdue, httpx.HTTPError) as error:
        return expectation, [str(error), *problems_of(stage, expectation, {}, troubles)]
    return expectation, list(problems_of(stage, expectation, listed, troubles))


async def _play_scene(
    scene: Scene,
    payload: Mapping[str, Any],
    stage: Stage,
    platform: Platform,
    watch: Watch,
    runs: list[Run],
) -> None:
    head = {**payload["pull_request"]["head"], "sha": scene.commit}
    said = {**payload, "action": scene.hook, "pull_request": {**payload["pull_request"], "head": head}}
    started = [await platform.pull_request(hook, said) for hook in stage.manifest.incoming_hooks]
    runs.extend(started)
    await watch.until_ended([owed for run in started for owed in run.told[-1].deliveries.values()])
    for event_type in scene.events:
        told = [await platform.emit(event_type, run) for run in started]
        await watch.until_ended([owed for event in told for owed in event.deliveries.values()])


def _plan_trouble(stage: Stage, scene: Scene, troubles: dict[str, int]) -> None:
    """The host answers 503 to the first request that says how an action ended."""
    for host in stage.hosts.values():
        if host.name == scene.out_of_order:
            word = WORDS[host.name][Lifecycle.COMPLETED]
            host.fail_next(503, where=lambda received: received.body.get("state") == word)
            troubles[host.name] = troubles.get(host.name, 0) + 1


def _greet(screen: Screen, stage: Stage, source: Path) -> None:
    screen.say("Three code hosts, played on this machine, and the engine between them and a platform.", "bold")
    for name, value in (
        ("hooks", f"{source} (open it)"),
        ("engine", f"{stage.api}, with its database in {stage.folder}"),
        *((host.name, url) for url, host in stage.hosts.items()),
    ):
        screen.say(f"  {name:<10} {value}")


def _conclude(
    screen: Screen, stage: Stage, expectation: Expectation, problems: list[str], seconds: float
) -> None:
    rows = expectation.rows()
    for host in stage.hosts.values():
        cells = [
            (
                row.commit[:7],
                row.context,
                " -> ".join(row.shown) or "nothing",
                row.shown[-1] if row.shown else "nothing",
                row.expected[-1] if row.expected else "nothing",
                row.verdict,
            )
            for row in rows
            if row.host == host.name
        ]
        screen.table(host.name, COLUMNS, cells)
    screen.say()
    for problem in problems:
        screen.say(f"WRONG: {problem}", style="bold red")
    if not problems:
        late = sum(late for *_, late in expectation.owed())
        sent = sum(len(host.received) for host in stage.hosts.values())
        screen.say(
            f"All {len(rows)} statuses are true, one per commit and pipeline on every host: {sent} requests in"
            f" {seconds:.1f} s.",
            style="bold green",
        )
        screen.say(f"{late} late ones were never sent, and the database holds no secret's value.", style="green")


def _end_on_sigterm() -> None:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
