from __future__ import annotations

import asyncio

import pytest

from hookengine.engine.signals import Signals

pytestmark = pytest.mark.anyio


def test_every_listener_is_told_until_it_stops_listening() -> None:
    signals, first, second = Signals(), [], []
    stop = signals.listen(lambda name, facts: first.append((name, facts)))
    signals.listen(lambda name, facts: second.append((name, facts)))

    signals.announce("one", number=1)
    stop()
    signals.announce("two")

    assert first == [("one", {"number": 1})]
    assert second == [("one", {"number": 1}), ("two", {})]


def test_a_listener_may_stop_listening_while_it_is_told() -> None:
    signals, told = Signals(), []
    stop = signals.listen(lambda name, facts: stop())
    signals.listen(lambda name, facts: told.append(name))

    signals.announce("one")
    signals.announce("two")

    assert told == ["one", "two"]


async def test_waiting_ends_with_the_first_signal_that_fits() -> None:
    signals = Signals()
    waiting = asyncio.create_task(signals.wait_for("done", lambda facts: facts["number"] > 1))
    await asyncio.sleep(0)

    for name, number in (("other", 5), ("done", 1), ("done", 2), ("done", 3)):
        signals.announce(name, number=number)

    assert await waiting == {"number": 2}


async def test_who_gives_up_waiting_is_told_no_more() -> None:
    signals = Signals()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await signals.wait_for("never")

    assert signals._listeners == ()
