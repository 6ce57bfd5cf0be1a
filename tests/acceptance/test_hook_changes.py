"""What people change while deliveries wait or are under way. Row 48 of the fault matrix; see tests/faults/MATRIX.md."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hookengine.simulators import GitHub, serve
from tests.acceptance.configs import a_config, a_hook, event, sha_of
from tests.acceptance.engines import Opened, opened

pytestmark = pytest.mark.anyio

OLD, NEW = "tok-of-before-1c77", "tok-of-after-9d02"


class Stage:
    """An engine whose hook was made over the API, with a secret of its own; the host it calls; an admin."""

    def __init__(self, engine: Opened, host: GitHub, admin: httpx.AsyncClient) -> None:
        self.engine, self.host, self.admin = engine, host, admin
        self.hook = ""

    async def define(self, address: str) -> None:
        hook = a_hook(
            f"{address}/repos/acme/shop/statuses/{sha_of(1)}",
            body={"state": "pending", "context": "ci", "description": "as it was"},
            headers={"Authorization": "Bearer {{ secrets.kept }}"},
        )
        self.hook = (await self.done("POST", "/api/hooks", {"pipeline": 1, **hook}))["id"]
        await self.engine.engine.secrets.set("kept", OLD, owner=f"hook:{self.hook}")

    async def done(self, method: str, path: str, document: Any = None) -> Any:
        answer = await self.admin.request(method, path, json=document)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def waiting(self) -> str:
        """The id of a delivery that has failed once and waits for its next try."""
        self.host.fail_next(503)
        (delivery,) = await self.engine.accept(event("started", 1))
        await self.engine.tried(delivery)
        return delivery

    def sent(self) -> list[tuple[str, str]]:
        """Whose token came with what, request by request."""
        return [
            (one.headers["authorization"].removeprefix("Bearer "), one.body["description"])
            for one in self.host.received
        ]


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    host = GitHub(tokens={OLD, NEW})
    config = a_config()
    config["secrets"]["kept"] = {"stored": True}
    async with serve([host]) as (address,), opened(folder, config) as engine:
        inside = httpx.ASGITransport(app=engine.engine.web())
        async with httpx.AsyncClient(transport=inside, base_url="http://engine") as admin:
            stage = Stage(engine, host, admin)
            await stage.define(address)
            yield stage


async def test_what_was_rendered_before_a_hook_is_edited_goes_out_as_it_was(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        delivery = await stage.waiting()
        body = {"state": "pending", "context": "ci", "description": "as it is"}
        await stage.done("PATCH", f"/api/hooks/{stage.hook}", {"settings": {"request_body": body}})
        stage.engine.later(seconds=61)
        ended = await stage.engine.ended(delivery)
        (newer,) = await stage.engine.accept(event("completed", 1))
        await stage.engine.ended(newer)

    assert ended["status"] == "delivered"
    assert [said for _, said in stage.sent()] == ["as it was", "as it was", "as it is"]


@pytest.mark.parametrize(
    ("method", "action"), [("POST", "/disable"), ("DELETE", "")], ids=["disabled", "deleted"]
)
async def test_what_waits_for_a_hook_that_is_switched_off_is_cancelled(
    tmp_path: Path, method: str, action: str
) -> None:
    async with staged(tmp_path) as stage:
        delivery = await stage.waiting()
        await stage.done(method, f"/api/hooks/{stage.hook}{action}", {"reason": "noise"} if action else None)
        stage.engine.later(seconds=61)
        ended = await stage.engine.ended(delivery)
        later = await stage.engine.accept(event("completed", 1))

    assert (ended["status"], ended["because"]) == ("cancelled", "its hook was switched off")
    assert later == []
    assert len(stage.sent()) == 1


async def test_what_waits_for_a_paused_hook_goes_out_once_it_is_enabled(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        delivery = await stage.waiting()
        await stage.done("POST", f"/api/hooks/{stage.hook}/pause", {"reason": "the host is being moved"})
        stage.engine.later(seconds=61)
        (other,) = await stage.engine.accept(event("started", 2, action={"number": 2}))
        paused = (await stage.engine.delivery(other))["status"], len(stage.sent())
        await stage.done("POST", f"/api/hooks/{stage.hook}/enable")
        stage.engine.later(seconds=61)
        ended = [await stage.engine.ended(each) for each in (delivery, other)]

    assert paused == ("queued", 1)
    assert [each["status"] for each in ended] == ["superseded", "delivered"]
    assert len(stage.sent()) == 2


async def test_a_secret_that_was_replaced_goes_with_the_next_attempt(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        delivery = await stage.waiting()
        await stage.engine.engine.secrets.set("kept", NEW, owner=f"hook:{stage.hook}")
        stage.engine.later(seconds=61)
        ended = await stage.engine.ended(delivery)

    assert ended["status"] == "delivered"
    assert stage.sent() == [(OLD, "as it was"), (NEW, "as it was")]


@pytest.mark.parametrize(
    ("method", "action"), [("POST", "/disable"), ("DELETE", "")], ids=["disabled", "deleted"]
)
async def test_what_is_under_way_when_its_hook_is_switched_off_counts_if_the_host_takes_it(
    tmp_path: Path, method: str, action: str
) -> None:
    gate = asyncio.Event()
    async with staged(tmp_path) as stage:
        stage.host.delay_next(gate)
        (delivery,) = await stage.engine.accept(event("started", 1))
        await stage.host.wait_for(lambda received: True)
        await stage.done(method, f"/api/hooks/{stage.hook}{action}", {"reason": "noise"} if action else None)
        gate.set()
        ended = await stage.engine.ended(delivery)

    assert ended["status"] == "delivered"
    assert len(stage.sent()) == 1
