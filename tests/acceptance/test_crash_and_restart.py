from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hookengine.domain.clock import as_text
from hookengine.simulators import GitLab, Host, Received, serve
from tests.acceptance.configs import PATIENCE, TOKEN, a_config, a_hook, event, sha_of
from tests.acceptance.engines import FAR, opened
from tests.acceptance.hosts import CONTEXT, GITHUB, GITLAB, KINDS, Kind, states
from tests.acceptance.server import StartServer
from tests.conftest import Clock

pytestmark = pytest.mark.anyio

SOON = {"waits": ["1s"], "jitter": 0}
HELD, BACK_OFF, FINISHED_IN_BACK_OFF, CUT_OFF, FINISHED_WHILE_HELD = range(1, 6)
"""What becomes of five actions, by the number of their commit; those of the second pipeline count from 11."""


async def impatiently(_seconds: float) -> None:
    await asyncio.sleep(0.01)


def simulator(kind: Kind) -> Host:
    if kind is GITLAB:
        return GitLab(tokens={TOKEN}, wait=impatiently)
    return kind.simulator(tokens={TOKEN})


class Plan:
    """The troubles of one host: requests of some commits are held, refused, or cut off after their work."""

    def __init__(self, kind: Kind, host: Host, base: int) -> None:
        self.kind, self.host, self.base = kind, host, base
        self.gate = asyncio.Event()
        started, done = kind.states["started"], kind.states["completed"]
        self._hold(HELD, started)
        self._hold(FINISHED_WHILE_HELD, done)
        host.fail_next(503, 1, lambda it: it.body.get("state") == started and self.sha(BACK_OFF) in it.path)
        host.fail_next(503, 1, lambda it: self.sha(FINISHED_IN_BACK_OFF) in it.path)
        host.drop_next(True, 1, lambda it: self.sha(CUT_OFF) in it.path)

    def _hold(self, commit: int, state: str) -> None:
        def chosen(received: Received) -> bool:
            return received.body.get("state") == state and self.sha(commit) in received.path

        self.host.delay_next(self.gate, 1, chosen)

    def sha(self, commit: int) -> str:
        return sha_of(self.base + commit)

    async def trouble_has_come(self) -> None:
        """Two requests are held, three were answered or cut off."""
        async with asyncio.timeout(PATIENCE):
            await self.host.wait_for(lambda it: self.sha(HELD) in it.path)
            await self.host.wait_for(lambda it: self.sha(FINISHED_WHILE_HELD) in it.path)
            await self.host.wait_for(lambda it: self.sha(BACK_OFF) in it.path and it.status == 503)
            await self.host.wait_for(
                lambda it: self.sha(FINISHED_IN_BACK_OFF) in it.path and it.status == 503
            )
            await self.host.wait_for(lambda it: self.sha(CUT_OFF) in it.path and it.dropped)

    async def finished_is_shown(self, commit: int) -> None:
        done = self.kind.states["completed"]
        async with asyncio.timeout(PATIENCE):
            await self.host.wait_for(
                lambda it: self.sha(commit) in it.path and it.body.get("state") == done and it.status == 201
            )


async def test_a_killed_server_leaves_true_statuses_behind_once_it_runs_again(
    start_server: StartServer,
) -> None:
    hosts = [simulator(kind) for kind in KINDS]
    async with serve(hosts) as addresses:
        pairs = list(zip(KINDS, addresses, strict=True))
        plain = [hook for kind, address in pairs for hook in kind.three_hooks(address, retry=SOON)]
        presets = [kind.preset_hook(address, retry=SOON) for kind, address in pairs]
        pipelines = [
            {"id": 1, "name": "plain", "hooks": plain},
            {"id": 2, "name": "presets", "hooks": presets},
        ]
        plans = [Plan(kind, host, base) for base in (0, 10) for kind, host in zip(KINDS, hosts, strict=True)]
        config = a_config(pipelines=pipelines, delivery={"allow_networks": ["127.0.0.0/8"], "settle": "5s"})
        server = await asyncio.to_thread(start_server, config)

        def events(kind: str, *commits: int) -> list[dict[str, object]]:
            return [
                event(kind, base + commit, action={"pipeline": pipeline})
                for pipeline, base in ((1, 0), (2, 10))
                for commit in commits
            ]

        first = [*events("started", HELD, BACK_OFF), *events("completed", 3, 4, 5)]
        await asyncio.to_thread(server.accept, *first)
        for plan in plans:
            await plan.trouble_has_come()
        await asyncio.to_thread(server.wait_for, "attempt.finished", times=3 * 6, verdict="try_again")
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await asyncio.to_thread(server.accept, *events("completed", HELD, BACK_OFF))
        for plan in plans:
            if plan.kind is not GITLAB:  # it holds its lock as long as the request
                await plan.finished_is_shown(HELD)
            plan.gate.set()
        await asyncio.to_thread(server.wait_for_rest)

        shown = [
            states(plan.host, plan.base + commit)
            for plan in plans
            for commit in (HELD, BACK_OFF, FINISHED_IN_BACK_OFF, CUT_OFF, FINISHED_WHILE_HELD)
        ]
        true = [{CONTEXT: plan.kind.states["completed"]} for plan in plans for _ in range(5)]
        assert shown == true
        assert server.rows("SELECT DISTINCT status FROM delivery WHERE rank = 2") == [("delivered",)]
        assert server.rows("SELECT count(*) FROM attempt WHERE closed_by = 'rescue'") == [(12,)]
        assert server.rows("SELECT count(*) FROM delivery WHERE repair_of IS NOT NULL")[0][0] >= 4


async def test_the_time_of_the_next_attempt_survives_a_restart(tmp_path: Path) -> None:
    github, clock = simulator(GITHUB), Clock(FAR)
    github.fail_next(503)
    async with serve([github]) as (address,):
        config = a_config(*GITHUB.three_hooks(address, retry={"waits": ["1h"], "jitter": 0}))

        async with opened(tmp_path, config, clock) as engine:
            (delivery,) = await engine.accept(event("completed", 1))
            await engine.tried(delivery)
            before = await engine.delivery(delivery)
        clock.advance(seconds=3599)
        async with opened(tmp_path, config, clock) as engine:
            after = await engine.delivery(delivery)
            sent_by_then = len(github.received)
            engine.later(seconds=1)
            ended = await engine.ended(delivery)

    assert before["next_attempt_at"] == as_text(FAR + 3_600_000)
    assert after == before
    assert sent_by_then == 1
    assert (ended["status"], ended["attempts_made"]) == ("delivered", 2)
    assert len({received.headers["webhook-id"] for received in github.received}) == 1


async def test_sigterm_lets_what_is_in_flight_end_and_leaves_no_lease(start_server: StartServer) -> None:
    github = simulator(GITHUB)
    gate = asyncio.Event()
    github.delay_next(gate)
    async with serve([github]) as (address,):
        one_after_another = a_hook(
            f"{address}{GITHUB.path.format(sha=sha_of(9))}",
            body={"state": "pending", "context": "{{ event.id }}"},
            headers={"Authorization": "Bearer {{ secrets.host }}"},
            lane={"policy": "ordered", "key": "one after another"},
        )
        server = await asyncio.to_thread(start_server, a_config(one_after_another))
        events = [event("started", number, id=f"evt{number}") for number in (1, 2, 3)]
        idle = await asyncio.open_connection(*server.address)

        await asyncio.to_thread(server.accept, *events)
        async with asyncio.timeout(PATIENCE):
            await github.wait_for(lambda it: it.body["context"] == "evt1")
            stopping = asyncio.create_task(asyncio.to_thread(server.stop))
            await idle[0].read()  # the server hangs up on those who are silent when it begins to stop
            gate.set()
            code = await stopping
        idle[1].close()

    outcomes = server.rows("SELECT outcome FROM attempt")
    assert code == 0
    assert server.rows("SELECT status, attempts FROM delivery WHERE event_id = '1:evt1'") == [
        ("delivered", 1)
    ]
    assert outcomes == [("Answered",)] * len(github.received)
    assert server.rows("SELECT count(*) FROM delivery WHERE status NOT IN ('delivered', 'queued')") == [(0,)]
    assert server.rows("SELECT count(*) FROM lane WHERE token IS NOT NULL") == [(0,)]
