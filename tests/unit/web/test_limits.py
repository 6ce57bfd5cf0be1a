from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as some

from hookengine.domain.token import Scope, Token
from hookengine.guard.tokens import TokenRing, digest_of
from hookengine.web.access import AccessMiddleware
from hookengine.web.limits import AT_ONCE, MOST_KEYS, Allowance, Bounds

pytestmark = pytest.mark.anyio

BOUNDS = Bounds(largest_body=1000, requests_per_second=2, failures_per_minute=3)
SAVED = 2 * AT_ONCE


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Door:
    """Behind it everything is answered with 204."""

    def __init__(self, bounds: Bounds = BOUNDS) -> None:
        self.clock = Seconds()
        ring = TokenRing([a_token("right"), a_token("other")])
        self._app = AccessMiddleware(self._inside, callers=ring, bounds=bounds, clock=self.clock)

    async def _inside(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def ask(
        self, token: str, path: str = "/api/hooks", method: str = "GET", *, address: str = "192.0.2.1"
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self._app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
            return await client.request(method, path, headers={"Authorization": f"Bearer {token}"})

    async def statuses(self, times: int, token: str, *where: str, address: str = "192.0.2.1") -> list[int]:
        return [(await self.ask(token, *where, address=address)).status_code for _ in range(times)]


def a_token(text: str) -> Token:
    return Token(id=text, name=text, scopes=frozenset({Scope.ADMIN}), digest=digest_of(text))


async def test_a_token_that_asks_too_much_is_told_how_long_to_wait() -> None:
    door = Door()
    assert set(await door.statuses(SAVED, "right")) == {204}

    refused = await door.ask("right")

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json() == {"message": "A token may make 2 requests a second."}
    assert (await door.ask("other")).status_code == 204
    door.clock.now += 1
    assert await door.statuses(3, "right") == [204, 204, 429]


async def test_events_come_in_however_many_there_are() -> None:
    for path in ("/api/events", "/api/sources/github", "/v1/custom-cicd"):
        assert set(await Door().statuses(3 * SAVED, "right", path, "POST")) == {204}


async def test_tokens_cannot_be_tried_out_at_speed() -> None:
    door = Door()
    assert await door.statuses(4, "wrong") == [401, 401, 401, 429]

    refused = await door.ask("wrong")

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "20")
    assert refused.json() == {"message": "Too many wrong tokens came from 192.0.2.1."}
    assert (await door.ask("right")).status_code == 429, "a right one would have been found out"
    assert (await door.ask("right", address="192.0.2.2")).status_code == 204
    door.clock.now += 21
    assert await door.statuses(2, "wrong") == [401, 429]


async def test_a_stranger_shuts_nobody_out_whose_token_was_right_at_that_address() -> None:
    door = Door()
    await door.ask("right")
    await door.statuses(10, "wrong")

    assert set(await door.statuses(5, "right")) == {204}
    assert await door.statuses(1, "other") == [429]


async def test_without_limits_there_are_none() -> None:
    door = Door(Bounds(largest_body=1000))

    assert set(await door.statuses(200, "wrong")) == {401}
    assert set(await door.statuses(200, "right")) == {204}


@given(some.lists(some.tuples(some.floats(0, 5), some.sampled_from("ab")), max_size=200))
def test_no_key_is_ever_given_more_than_its_share(asked: list[tuple[float, str]]) -> None:
    clock = Seconds()
    allowance, given, began = Allowance(2.0, 10.0, clock), {"a": 0, "b": 0}, clock.now
    for pause, key in asked:
        clock.now += pause
        wait = allowance.wait(key)
        if not wait:
            allowance.take(key)
            given[key] += 1
        assert given[key] <= 10 + 2 * (clock.now - began) + 1e-6
        assert 0 <= wait <= 0.5


def test_only_so_many_keys_are_remembered() -> None:
    clock = Seconds()
    allowance = Allowance(1.0, 1.0, clock)
    for number in range(MOST_KEYS + 1):
        allowance.take(str(number))

    assert allowance.wait("0") == 0, "the one longest quiet is forgotten"
    assert allowance.wait("1") == 1
