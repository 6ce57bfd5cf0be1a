from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from hookengine.domain.attempt import Answered
from hookengine.domain.hook import Hook
from hookengine.domain.pipeline import Pipeline
from hookengine.domain.trial_views import SentTest
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.preview import Preview
from hookengine.engine.trial_places import MOST_AT_ONCE, MOST_OF_A_TEAM
from hookengine.engine.trials import Trials
from hookengine.errors import TooManyTrials
from hookengine.guard.permissions import Permissions
from hookengine.store.care import Definitions
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


SHOWN = make_request()


def make_trials(clock: Clock, target: Hanging) -> Trials:
    """With one pipeline of each of two teams, and one that nobody owns."""
    nothing: Any = None
    pipelines = [
        Pipeline(id=number, name=f"p{number}", team=team)
        for number, team in enumerate(("red", "blue", ""), 1)
    ]
    return Trials(
        Catalogue(Definitions(pipelines=tuple(pipelines))), nothing, nothing, target, clock, Permissions()
    )


async def test_so_many_hooks_are_tried_out_at_once_and_no_more(clock: Clock) -> None:
    target = Hanging()
    trials = make_trials(clock, target)
    hook = make_hook(pipeline_id=3)
    shown = Preview(hook=hook, why_not=None, request=SHOWN)

    async with asyncio.TaskGroup() as tasks:
        under_way = [tasks.create_task(trials.send(hook, shown)) for _ in range(MOST_AT_ONCE)]
        for _ in under_way:
            await target.asked.acquire()
        with pytest.raises(TooManyTrials, match=f"{MOST_AT_ONCE} hooks are"):
            await trials.send(hook, shown)
        target.answer.set()

    assert (await trials.send(hook, shown))["outcome"] == "answered"


async def test_a_team_whose_targets_hang_leaves_places_to_the_others(clock: Clock) -> None:
    target = Hanging()
    trials = make_trials(clock, target)
    red, blue = make_hook(pipeline_id=1), make_hook(pipeline_id=2)

    def trying(hook: Hook) -> Coroutine[Any, Any, SentTest]:
        return trials.send(hook, Preview(hook=hook, why_not=None, request=SHOWN))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(MOST_OF_A_TEAM):
            tasks.create_task(trying(red))
            await target.asked.acquire()
        with pytest.raises(TooManyTrials, match="of this team"):
            await trying(red)
        tasks.create_task(trying(blue))
        await target.asked.acquire()
        target.answer.set()

    assert (await trying(red))["outcome"] == "answered"
