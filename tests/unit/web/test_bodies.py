"""How much may come in, how many at a time, and how long it may take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from hookengine.guard.tokens import TokenRing
from hookengine.web.access import AccessMiddleware
from hookengine.web.limits import Bounds
from tests.unit.web.standin import LARGEST, Engine, client_of

pytestmark = pytest.mark.anyio


async def chunks(count: int, size: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b" " * size


@pytest.mark.parametrize("path", ["/api/events", "/hooks/h-1/trigger", "/nowhere"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large_is_refused(
    engine: Engine, client: httpx.AsyncClient, path: str, chunked: bool
) -> None:
    content = chunks(LARGEST + 1, 1) if chunked else b" " * (LARGEST + 1)

    answer = await client.post(path, content=content)

    assert answer.status_code == 413
    assert answer.json() == {
        "message": f"The body may have {LARGEST} bytes at most; server.max_body says so."
    }
    assert (engine.accepted, engine.triggered) == ([], [])


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_of_just_the_largest_size_is_taken(
    engine: Engine, client: httpx.AsyncClient, chunked: bool
) -> None:
    content = chunks(4, LARGEST // 4) if chunked else b" " * LARGEST

    await client.post("/hooks/h-1/trigger", content=content)

    assert [len(body) for _, body, _ in engine.triggered] == [LARGEST]


async def test_files_that_are_applied_may_be_larger_than_all_else(
    engine: Engine,
) -> None:
    engine.bounds = Bounds(largest_body=LARGEST, larger={"/api/apply": (2 * LARGEST, "server.max_apply")})
    async with client_of(engine, "let-me-in") as client:
        larger = await client.post("/api/apply", content=b" " * 2 * LARGEST)
        too_large = await client.post("/api/apply", content=b" " * (2 * LARGEST + 1))
        elsewhere = await client.post("/api/events", content=b" " * 2 * LARGEST)

    assert (larger.status_code, too_large.status_code, elsewhere.status_code) == (422, 413, 413)
    assert too_large.json()["message"].endswith(f"{2 * LARGEST} bytes at most; server.max_apply says so.")


async def test_of_bodies_that_may_be_larger_only_one_is_held_at_a_time() -> None:
    """The second one's is not even read before the first is done with."""
    inside, go_on = asyncio.Event(), asyncio.Event()
    received: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        inside.set()
        await go_on.wait()

    bounds = Bounds(largest_body=1, larger={"/api/apply": (10, "server.max_apply")})
    door = AccessMiddleware(app, callers=TokenRing(None), bounds=bounds)

    async def ask(name: str) -> None:
        async def receive() -> Any:
            received.append(name)
            return {"type": "http.request", "body": b"{}"}

        scope = {"type": "http", "path": "/api/apply", "method": "POST", "headers": []}
        await door(scope, receive, receive)  # type: ignore[arg-type]

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ask("first"))
        await inside.wait()
        second = tasks.create_task(ask("second"))
        await asyncio.sleep(0)
        assert received == ["first"]
        go_on.set()
        await second
    assert received == ["first", "second"]


async def stubborn(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    """What is sent back when these messages come, and then nothing more."""
    queue, sent = list(messages), []

    async def receive() -> dict[str, Any]:
        if not queue:
            await asyncio.Event().wait()
        return queue.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("nothing may come through")

    door = AccessMiddleware(inside, callers=TokenRing(None), bounds=Bounds(largest_body=LARGEST))
    scope = {"type": "http", "path": "/hooks/h-1/trigger", "method": "POST", "headers": []}
    await door(scope, receive, send)
    return sent


async def test_a_body_that_does_not_arrive_in_time_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hookengine.web.access.SLOWEST_BODY", 0)

    sent = await stubborn({"type": "http.request", "body": b"{", "more_body": True})

    assert sent[0]["status"] == 408


async def test_half_a_body_is_not_taken_for_a_whole_one() -> None:
    sent = await stubborn(
        {"type": "http.request", "body": b"{}", "more_body": True}, {"type": "http.disconnect"}
    )

    assert sent == []
