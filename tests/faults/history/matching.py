"""Which attempt sent which request. Requests do not say so; times and answers do."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from tests.faults.history.words import Limits, Received, Row

StoodStill = Callable[[Row, float], bool]
"""Whether an attempt's node stood still, or had just gone on, at that time."""


def match(
    received: Sequence[Received], attempts: Sequence[Row], limits: Limits, stood_still: StoodStill
) -> list[int | None]:
    """For each request of one delivery the index of the attempt that sent it; no attempt sends two.

    None: no attempt can have sent it.
    """
    grades = [[_grade(one, row, limits, stood_still) for row in attempts] for one in received]
    senders: dict[int, int] = {}  # attempt -> request
    for worst in range(_UNFIT):
        options = [_options(grade, worst) for grade in grades]
        for request in range(len(received)):
            if request not in senders.values():
                _give(request, options, senders, set())
    found = {request: attempt for attempt, request in senders.items()}
    return [found.get(request) for request in range(len(received))]


_UNFIT = 4


def _grade(received: Received, attempt: Row, limits: Limits, stood_still: StoodStill) -> int:
    """How well they fit, 0 is best: the attempt was open; it had been closed by a rescue while its node stood
    still; it had been open just before; it had been closed by a rescue.
    """
    came, began = received.started_at, attempt["started_at"]
    ended = float("inf") if attempt["finished_at"] is None else attempt["finished_at"]
    if came < began - limits.clock or attempt["certainty"] == "unsent" or not _agree(received, attempt):
        return _UNFIT
    if began <= came <= ended:
        return 0
    rescued = attempt["closed_by"] == "rescue"
    if rescued and came > ended and stood_still(attempt, came):
        return 1
    if came <= ended + limits.lag:
        return 2
    return 3 if rescued else _UNFIT


def _agree(received: Received, attempt: Row) -> bool:
    status = recorded_status(attempt)
    return status is None or received.status is None or status == received.status


def recorded_status(attempt: Row) -> int | None:
    """What the attempt was answered, as far as its sender knows."""
    if attempt["outcome"] != "Answered" or not attempt["detail"]:
        return None
    status = json.loads(attempt["detail"]).get("status")
    return status if isinstance(status, int) else None


def _options(grades: Sequence[int], worst: int) -> list[int]:
    """The best first, and of equals the latest."""
    fitting = [index for index, grade in enumerate(grades) if grade <= worst]
    return sorted(fitting, key=lambda index: (grades[index], -index))


def _give(request: int, options: Sequence[Sequence[int]], senders: dict[int, int], tried: set[int]) -> bool:
    """Give the request an attempt, if need be by moving other requests to others (an augmenting path)."""
    for attempt in options[request]:
        if attempt in tried:
            continue
        tried.add(attempt)
        if attempt not in senders or _give(senders[attempt], options, senders, tried):
            senders[attempt] = request
            return True
    return False
