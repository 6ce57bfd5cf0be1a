from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hookengine.domain.attempt import Answered
from hookengine.engine.preview import Preview
from hookengine.engine.trials import MOST_AT_ONCE, Trials
from hookengine.errors import TooManyTrials
from hookengine.guard.permissions import Permissions
from tests.conftest import Clock, make_hook, make_request

pytestmark = pytest.mark.anyio


class Hanging:
    """A target that answers when it is told to."""

    def __init__(self) -> None:
        self.asked = asyncio.Semaphore(0)
        self.answer = asyncio.Event()

    async def send(self, *_: Any, **__: Any) -> Answered:
        self.asked.release()
        await self.answer.wait()
        return Answered(status=204)


async def test_so_many_hooks_are_tried_out_at_once_and_no_more(clock: Clock) -> None:
    nothing: Any = None
    target = Hanging()
    trials = Trials(nothing, nothing, nothing, target, clock, Permissions())
    hook = make_hook()
    shown = Preview(hook=hook, why_not=None, request=make_request())

    async with asyncio.TaskGroup() as tasks:
        under_way = [tasks.create_task(trials.send(hook, shown)) for _ in range(MOST_AT_ONCE)]
        for _ in under_way:
            await target.asked.acquire()
        with pytest.raises(TooManyTrials):
            await trials.send(hook, shown)
        target.answer.set()

    assert (await trials.send(hook, shown))["outcome"] == "answered"
