from __future__ import annotations

import asyncio

import pytest

from hookengine.engine.turns import Turns

pytestmark = pytest.mark.anyio

ONE, OTHER = (1, "7"), (1, "8")


async def test_those_who_share_an_action_go_one_after_another() -> None:
    turns, at_once, most = Turns(), 0, 0

    async def go() -> None:
        nonlocal at_once, most
        async with turns.take([ONE]):
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0)
            at_once -= 1

    await asyncio.gather(*[go() for _ in range(10)])

    assert most == 1


async def test_those_who_share_none_do_not_wait() -> None:
    turns = Turns()

    async with turns.take([ONE]), turns.take([OTHER]):
        pass


async def test_nobody_waits_for_each_other_in_a_circle() -> None:
    turns = Turns()

    async def go(*actions: tuple[int, str]) -> None:
        async with turns.take(actions):
            await asyncio.sleep(0)

    async with asyncio.timeout(60):
        await asyncio.gather(*[go(ONE, OTHER, ONE) if odd % 2 else go(OTHER, ONE) for odd in range(10)])


async def test_a_turn_ends_with_whoever_had_it() -> None:
    turns = Turns()

    with pytest.raises(ValueError, match="gone"):
        async with turns.take([ONE]):
            raise ValueError("gone")

    async with asyncio.timeout(60), turns.take([ONE]):
        pass


async def test_an_action_is_forgotten_when_nobody_writes_about_it() -> None:
    turns = Turns()

    async with turns.take([ONE, OTHER]):
        assert len(turns._locks) == 2

    assert len(turns._locks) == 0
