from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.faults.emitting import Emitter
from tests.faults.history import Fate
from tests.faults.targets import APPLY_THEN_DROP, Target, answer

EVENT = {"id": "evt_1", "type": "action.started"}
TAKEN = answer(202, body=json.dumps([{"id": "evt_1", "hooks": [{"id": "hook_1", "delivery": "dlv_1"}]}]))


@pytest.fixture
def engine() -> Iterator[Target]:
    """It stands in for one."""
    with Target("engine") as target:
        yield target


@pytest.fixture
def emitter(engine: Target) -> Iterator[Emitter]:
    with closing(Emitter(lambda: engine.url, {"authorization": "Bearer x"})) as emitter:
        yield emitter


def test_what_was_promised_is_remembered(engine: Target, emitter: Emitter) -> None:
    engine.plan(TAKEN)

    (told,) = emitter.emit(EVENT)

    assert (told.event_id, told.fate, told.deliveries) == ("evt_1", Fate.ACKNOWLEDGED, {"hook_1": "dlv_1"})
    assert json.loads(engine.received[0].body) == [EVENT]
    assert emitter.emitted == [told]


@pytest.mark.parametrize(
    ("status", "fate"),
    [(409, Fate.REFUSED), (422, Fate.REFUSED), (500, Fate.UNKNOWN), (503, Fate.UNKNOWN)],
)
def test_an_error_of_the_engine_leaves_it_open(
    engine: Target, emitter: Emitter, status: int, fate: Fate
) -> None:
    engine.plan(answer(status))

    assert [told.fate for told in emitter.emit(EVENT)] == [fate]


def test_no_answer_leaves_it_open(engine: Target, emitter: Emitter) -> None:
    engine.plan(APPLY_THEN_DROP)

    assert [told.fate for told in emitter.emit(EVENT, {"id": "evt_2"})] == [Fate.UNKNOWN, Fate.UNKNOWN]


def test_whoever_insists_asks_until_there_is_an_answer(engine: Target, emitter: Emitter) -> None:
    engine.plan(APPLY_THEN_DROP, times=1)
    engine.plan(answer(503), times=1)
    engine.plan(TAKEN)

    told = emitter.insist(EVENT, pause=0)

    assert [one.fate for one in told] == [Fate.ACKNOWLEDGED]
    assert [one.fate for one in emitter.emitted] == [Fate.UNKNOWN, Fate.UNKNOWN, Fate.ACKNOWLEDGED]
    assert len({one.digest for one in emitter.emitted}) == 1


def test_insisting_ends(engine: Target, emitter: Emitter) -> None:
    engine.plan(answer(503))

    with pytest.raises(TimeoutError, match="no answer to evt_1"):
        emitter.insist(EVENT, seconds=0.01, pause=0)
