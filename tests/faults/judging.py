"""Short ways to ask the judge about a run of the model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.faults.history import Received, check
from tests.faults.model import MutableRow, Run


def broken(run: Run, **changes: Any) -> set[str]:
    """The invariants that the judge finds broken."""
    return {violation.invariant for violation in check(run.history(**changes))}


def said(run: Run, **changes: Any) -> list[str]:
    """All that the judge has to say, in a line each."""
    return [f"{one.invariant}: {one.text}" for one in check(run.history(**changes))]


def change(run: Run, received: Received, **changes: Any) -> Received:
    """Have it received otherwise."""
    index = run.received.index(received)
    run.received[index] = replace(received, **changes)
    return run.received[index]


def attempt(run: Run, delivery_id: str, number: int = 1) -> MutableRow:
    return next(row for row in run.attempts if row["delivery_id"] == delivery_id and row["number"] == number)


def sent(run: Run, how: str = "taken", lane: str = "main") -> Received:
    received = run.send(lane, how)
    assert received is not None, "nothing was received"
    return received
