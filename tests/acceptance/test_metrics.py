"""What /metrics tells, over HTTP and in the words of Prometheus' own parser."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hookengine.domain.clock import SystemClock
from hookengine.simulators import GitHub, serve
from hookengine.web.server import answering, listening
from tests.acceptance.configs import API_TOKEN, PATIENCE, TOKEN, a_config, a_hook, event
from tests.acceptance.engines import Opened, opened
from tests.acceptance.hosts import GITHUB
from tests.acceptance.server import Server, StartServer

pytestmark = pytest.mark.anyio

Figures = Mapping[str, float]
Read = Callable[[], Awaitable[Figures]]

HEARTBEAT = "hookengine_worker_heartbeat_age_seconds"


def figures_in(text: str) -> Figures:
    """By name and labels as they are written: `hookengine_events_total{result="accepted"}`."""
    return {
        f"{sample.name}{_labels(sample.labels)}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _labels(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return f"{{{pairs}}}" if pairs else ""


@asynccontextmanager
async def read_from(engine: Opened) -> AsyncIterator[Read]:
    with listening("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with answering(engine.engine.web(), listener), httpx.AsyncClient(base_url=url) as client:

            async def read() -> Figures:
                answer = await client.get("/metrics")
                assert answer.status_code == 200, answer.text
                return figures_in(answer.text)

            yield read


IN_THE_OPEN = {"Authorization": "Bearer {{ secrets.plain }}"}
"""That secret goes to 127.0.0.1 only."""


def a_call(target: str, *events: str, **changes: Any) -> dict[str, Any]:
    return a_hook(f"{target}/repos/acme/shop/statuses/{'0' * 40}", *events, **changes)


async def test_the_figures_say_what_was_delivered_and_what_was_not(tmp_path: Path) -> None:
    github = GitHub(tokens={TOKEN})
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"127.0.0.1:{closed.getsockname()[1]}"
    async with serve([github]) as (address,):
        host = address.removeprefix("http://")
        config = a_config(
            GITHUB.preset_hook(address),
            a_call("http://away.example", "action.failed", name="blocked", headers=IN_THE_OPEN),
            a_call(f"http://{nobody}", "action.failed", name="unreachable", lane="none"),
        )
        config["secrets"]["plain"] = {"env": "TOKEN_OF_HOSTS", "hosts": ["away.example"]}
        async with opened(tmp_path, config) as engine, read_from(engine) as read:
            before = await read()
            (delivered,) = await engine.accept(event("completed", 1, id="once"))
            await engine.accept(event("completed", 1, id="once"))
            await engine.ended(delivered)
            github.fail_next(404)
            (refused,) = await engine.accept(event("completed", 2))
            await engine.ended(refused)
            github.fail_next(503)
            (retried,) = await engine.accept(event("completed", 3))
            await engine.tried(retried)
            await engine.accept(event("failed", 4))
            await engine.ears.wait_for("attempt.finished", times=6)
            await engine.ears.wait_for("delivery.ended", times=4)
            after = await read()

    told = {name: after[name] - before.get(name, 0) for name in after}
    assert told['hookengine_events_total{result="accepted"}'] == 4
    assert told['hookengine_events_total{result="repeated"}'] == 1
    assert told['hookengine_deliveries_ended_total{status="delivered"}'] == 2
    assert told['hookengine_deliveries_ended_total{status="failed"}'] == 2
    assert {name: value for name, value in told.items() if name.startswith("hookengine_attempts_total")} == {
        f'hookengine_attempts_total{{host="{host}",outcome="2xx"}}': 2,
        f'hookengine_attempts_total{{host="{host}",outcome="4xx"}}': 1,
        f'hookengine_attempts_total{{host="{host}",outcome="5xx"}}': 1,
        f'hookengine_attempts_total{{host="{nobody}",outcome="unreachable"}}': 1,
        'hookengine_attempts_total{host="other",outcome="blocked"}': 1,
    }
    assert told["hookengine_attempt_duration_seconds_count"] == 5
    assert told["hookengine_first_attempt_delay_seconds_count"] == 6
    assert told["hookengine_commit_duration_seconds_count"] > 0
    assert told["hookengine_commit_duration_seconds_sum"] > 0
    assert told["hookengine_commit_batch_size_sum"] >= told["hookengine_commit_batch_size_count"]
    assert after["hookengine_store_up"] == 1
    assert after["hookengine_deliveries_waiting"] == 2
    assert after["hookengine_lanes_leased"] == after["hookengine_requests_in_flight"] == 0
    assert after["hookengine_sqlite_wal_bytes"] > 0
    for name in ("attempts_late", "leases_rescued", "repairs", "sweep_mended", "lanes_contested"):
        assert after[f"hookengine_{name}_total"] == 0


async def test_the_figures_say_what_is_under_way(tmp_path: Path) -> None:
    github, gate = GitHub(tokens={TOKEN}), asyncio.Event()
    async with (
        serve([github]) as (address,),
        opened(tmp_path, a_config(GITHUB.preset_hook(address))) as engine,
        read_from(engine) as read,
    ):
        github.delay_next(gate)
        (held,) = await engine.accept(event("completed", 1))
        await github.wait_for(lambda received: True)
        sending = await read()
        gate.set()
        await engine.ended(held)
        rest = await read()

    assert sending["hookengine_requests_in_flight"] == sending["hookengine_lanes_leased"] == 1
    assert rest["hookengine_requests_in_flight"] == rest["hookengine_lanes_leased"] == 0
    assert sending["hookengine_oldest_due_age_seconds"] == rest["hookengine_oldest_due_age_seconds"] == 0
    assert HEARTBEAT in sending


async def test_the_worker_goes_round_now_and_then_though_nothing_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookengine.app.engine.ROUND_EVERY", 0.05)
    async with opened(tmp_path, a_config()) as engine, read_from(engine) as read:
        for _ in range(3):
            engine.clock.advance(seconds=90)
            async with asyncio.timeout(PATIENCE):
                while (await read())[HEARTBEAT] > 0:
                    pass


async def test_the_figures_say_how_late_it_is(tmp_path: Path) -> None:
    config = a_config(a_call("https://target.example", "action.started", lane="none"))
    async with opened(tmp_path, config, deliver=False) as engine, read_from(engine) as read:
        await engine.accept(event("started", 1))
        engine.clock.advance(seconds=60)
        await engine.accept(event("started", 2))
        engine.clock.advance(seconds=30)
        told = await read()

    assert told["hookengine_deliveries_waiting"] == 2
    assert told["hookengine_oldest_due_age_seconds"] == 90
    assert HEARTBEAT not in told


async def test_a_host_that_does_nothing_but_fail_has_an_open_circuit(tmp_path: Path) -> None:
    github = GitHub(tokens={TOKEN})
    async with serve([github]) as (address,):
        host = address.removeprefix("http://")
        config = a_config(a_call(address, "action.started", lane="none"))
        async with opened(tmp_path, config) as engine, read_from(engine) as read:
            github.fail_next(503, times=10)
            for number in range(10):
                (delivery,) = await engine.accept(event("started", number + 1))
                await engine.tried(delivery)
            told = await read()

    assert told[f'hookengine_circuit_open{{host="{host}",state="open"}}'] == 1
    assert told[f'hookengine_circuits_opened_total{{host="{host}"}}'] == 1


async def test_an_attempt_takes_as_long_as_its_answer(tmp_path: Path) -> None:
    github = GitHub(tokens={TOKEN})
    async with (
        serve([github]) as (address,),
        opened(tmp_path, a_config(GITHUB.preset_hook(address)), SystemClock()) as engine,  # type: ignore[arg-type]
        read_from(engine) as read,
    ):
        github.delay_next(0.2)
        (delivered,) = await engine.accept(event("completed", 1))
        finished = await engine.tried(delivered)
        await engine.ended(delivered)
        told = await read()

    assert finished["seconds"] >= 0.2
    assert told["hookengine_attempt_duration_seconds_sum"] == finished["seconds"]
    assert told['hookengine_attempt_duration_seconds_bucket{le="0.1"}'] == 0
    assert 0 < told["hookengine_first_attempt_delay_seconds_sum"] < 5


async def test_two_engines_in_one_process_count_each_for_itself(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    async with (
        opened(folders[0], a_config()) as one,
        opened(folders[1], a_config()) as two,
        read_from(one) as read_one,
        read_from(two) as read_two,
    ):
        await one.accept(event("started", 1))
        told = [await read_one(), await read_two()]

    assert [figures['hookengine_events_total{result="accepted"}'] for figures in told] == [1, 0]


def answers(server: Server) -> list[int]:
    """Without a token, and with one."""
    return [server.get("/metrics", headers={}).status_code, server.get("/metrics").status_code]


@pytest.mark.parametrize(("public", "expected"), [(False, [401, 200]), (True, [200, 200])])
def test_the_figures_are_for_who_has_a_token_unless_they_are_public(
    start_server: StartServer, public: bool, expected: list[int]
) -> None:
    auth = {"enabled": True, "tokens": {"prometheus": {"env": "TOKEN_OF_PROMETHEUS"}}}
    server = start_server(a_config(auth=auth, metrics={"public": public}), {"TOKEN_OF_PROMETHEUS": API_TOKEN})

    assert answers(server) == expected
    assert server.get("/api/deliveries", headers={}).status_code == 401
