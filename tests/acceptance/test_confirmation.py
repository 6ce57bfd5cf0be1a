"""Hosts are asked what they show once an action has ended: over real sockets, against their stand-ins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hookengine.simulators import SIMULATORS, Host, serve
from hookengine.store.records.wanted import Page, Wanted
from tests.acceptance.configs import event, sha_of
from tests.acceptance.engines import Opened, opened
from tests.acceptance.test_recipes import SECRET, STATUSES, pointed_at, recipe_of

pytestmark = pytest.mark.anyio


class Stage:
    def __init__(self, engine: Opened, host: Host, address: str) -> None:
        self.engine, self.host, self.address = engine, host, address

    async def told(self, kind: str) -> str:
        (delivery,) = await self.engine.accept(event(kind, 1))
        await self.engine.ended(delivery)
        return delivery

    async def settle(self) -> dict[str, Any]:
        """The check, once it has come to an end."""
        (check,) = [item for item in await self.deliveries() if item["check"]]
        self.engine.later(seconds=61)
        return await self.engine.ended(check["id"])

    async def somebody_repeats(self, number: int) -> None:
        """The request of this number, as it was: a proxy, or a person."""
        request = self.host.received[number]
        async with httpx.AsyncClient() as somebody:
            await somebody.request(
                request.method,
                f"{self.address}{request.path}?{request.query}",
                content=request.content,
                headers={
                    name: request.headers[name] for name in ("authorization", "content-type", "user-agent")
                },
            )

    async def deliveries(self) -> list[dict[str, Any]]:
        """The oldest first."""
        return (await self.engine.engine.parts.records.deliveries(Wanted(), Page()))[::-1]

    async def status(self) -> dict[str, Any]:
        (status,) = (await self.engine.engine.parts.records.commit(sha_of(1)))["statuses"]
        return status

    @property
    def states(self) -> list[str]:
        return [entry.state for entry in self.host.contexts().values()]

    @property
    def asked(self) -> int:
        return sum(request.method == "GET" for request in self.host.received)


@asynccontextmanager
async def played(
    service: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **hook: Any
) -> AsyncIterator[Stage]:
    monkeypatch.setenv("SECRET_OF_RECIPES", SECRET)
    host = SIMULATORS[service](tokens=[SECRET])
    async with serve([host]) as (address,):
        config = pointed_at(address + host.api, recipe_of(service).config)
        config["hooks"][0] |= {"confirm": True, **hook}
        async with opened(folder, config) as engine:
            host.clock = engine.clock.now
            yield Stage(engine, host, address)


@pytest.mark.parametrize("service", STATUSES)
async def test_what_is_shown_as_it_should_be_is_left_alone(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with played(service, tmp_path, monkeypatch) as stage:
        await stage.told("started")
        await stage.told("completed")
        sent = len(stage.host.received)
        check = await stage.settle()
        status = await stage.status()

    expected = recipe_of(service).states["completed"]
    assert (check["status"], check["because"]) == ("delivered", f"the target shows {expected}")
    assert check["request"]["method"] == "GET"
    assert (stage.states, len(stage.host.received)) == ([expected], sent + 1)
    assert status["confirmed"]["because"] == f"the target shows {expected}"
    assert [item["check"] for item in status["sent"]] == [False, False]


@pytest.mark.parametrize("service", STATUSES)
async def test_what_is_shown_wrong_is_told_once_more_and_not_asked_for_again(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with played(service, tmp_path, monkeypatch) as stage:
        await stage.told("started")
        completed = await stage.told("completed")
        await stage.somebody_repeats(0)
        wrong = list(stage.states)
        check = await stage.settle()
        cure = (await stage.deliveries())[-1]
        ended = await stage.engine.ended(cure["id"])
        await stage.somebody_repeats(0)
        stage.engine.later(seconds=3600)
        due = await stage.engine.engine.parts.store.next_due(stage.engine.clock.now())
        status = await stage.status()

    states = recipe_of(service).states
    assert wrong == [states["started"]]
    because = (
        f"the target shows {states['started']} in the place of {states['completed']}: it is told once more"
    )
    assert check["because"] == because
    assert (ended["status"], ended["repair_of"], ended["check"]) == ("delivered", completed, False)
    assert [request.status for request in stage.host.received][-2] in (200, 201, 204)
    assert (stage.asked, due) == (1, None)
    assert status["confirmed"]["because"] == because
    assert status["shown"]["id"] == cure["id"]


async def test_nobody_is_asked_once_something_newer_was_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = {"triggered_from": {"hook_parsed_variables": {"commit_hash": sha_of(1)}}}
    async with played("github", tmp_path, monkeypatch) as stage:
        await stage.told("completed")
        (newer,) = await stage.engine.accept(event("started", 2, action=commit))
        await stage.engine.ended(newer)
        stage.engine.later(seconds=3600)
        (check,) = [item for item in await stage.deliveries() if item["check"]]

    assert (check["status"], stage.asked) == ("superseded", 0)


async def test_what_is_not_over_is_not_asked_for_and_neither_is_it_without_confirm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with played("github", tmp_path, monkeypatch) as stage:
        await stage.told("started")
        begun = await stage.deliveries()
    (tmp_path / "other").mkdir()
    async with played("github", tmp_path / "other", monkeypatch, confirm=False) as stage:
        await stage.told("completed")
        ended = await stage.deliveries()

    assert [item["check"] for item in (*begun, *ended)] == [False, False]


async def test_a_host_that_cannot_be_asked_now_is_asked_again_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with played("github", tmp_path, monkeypatch) as stage:
        await stage.told("completed")
        stage.host.fail_next(503)
        (check,) = [item for item in await stage.deliveries() if item["check"]]
        stage.engine.later(seconds=61)
        await stage.engine.tried(check["id"])
        stage.engine.later(seconds=61)
        ended = await stage.engine.ended(check["id"])
        repeated = await stage.deliveries()

    assert (ended["status"], ended["attempts_made"]) == ("delivered", 2)
    assert len(repeated) == 2
    assert stage.states == ["success"]


async def test_an_answer_that_tells_nothing_is_a_failed_check_and_no_reason_to_tell_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with played("github", tmp_path, monkeypatch) as stage:
        await stage.told("completed")
        stage.host.fail_next(200, body="a page to sign in")
        check = await stage.settle()

    assert (check["status"], check["because"]) == ("failed", "200, but the answer is no JSON, or too long")
    assert len(stage.host.received) == 2
