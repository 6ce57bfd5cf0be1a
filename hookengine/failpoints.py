"""Fail-points: named places in the flow where tests of faults make this process die, stand still or fail.

The environment variable HOOKENGINE_FAILPOINTS holds orders, read once when this module is imported:

    orders  = order *(";" order)
    order   = point ":" action ["*" n | "#" n] ["@" text]
    point   = two or more words joined by dots, such as accept.before_commit
    action  = kill            SIGKILL to this process: nothing is cleaned up
            | stop            SIGSTOP to this process, until somebody sends SIGCONT
            | exit            end this process at once with code 86, without cleaning up
            | raise           the error that the point names, RuntimeError if it names none
            | sleep(seconds)  block the calling thread; in the event loop, everything
    *n      only the first n times
    #n      only the nth time
    @text   only when the point's subject holds this text as a word of its own: evt_7 is not in evt_70

    HOOKENGINE_FAILPOINTS="accept.before_commit:kill;finish.after_commit:raise*1;send.before_write:sleep(2)@evt_7"

Times are counted per order, and only those whose subject fits count. Several orders for one point are obeyed
in the order they are written in. Before an order is obeyed, a line of JSON on stderr says so. Text that is
no orders is a ValueError at import, so that no test passes because its fault never came.

Without the variable `reach` is a function that does nothing.
"""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

VARIABLE = "HOOKENGINE_FAILPOINTS"
EXIT_CODE = 86
_ACTIONS = "kill", "stop", "exit", "raise", "sleep(seconds)"
_ORDER = re.compile(
    r"(?P<point>[a-z_]+(?:\.[a-z_]+)+)"
    r":(?P<action>kill|stop|exit|raise|sleep\((?P<seconds>\d+(?:\.\d+)?)\))"
    r"(?:(?P<count>[*#])(?P<times>[1-9]\d{0,8}))?"
    r"(?:@(?P<text>.+))?"
)


class Reach(Protocol):
    """`subject` names what the point is about, such as an event's id; `error` makes what `raise` raises."""

    def __call__(
        self, point: str, subject: str = "", error: Callable[[str], BaseException] = RuntimeError
    ) -> None: ...


@dataclass(slots=True, kw_only=True)
class _Order:
    action: str
    seconds: float = 0.0
    first: int = 1
    last: float = float("inf")
    text: re.Pattern[str] | None = None
    hits: int = 0

    def strikes(self, subject: str) -> bool:
        """Counts this hit."""
        if self.text is not None and not self.text.search(subject):
            return False
        self.hits += 1
        return self.first <= self.hits <= self.last


@dataclass(slots=True)
class FailPoints:
    """Orders by their point. Points may be reached in several threads."""

    orders: dict[str, list[_Order]]
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def reach(
        self, point: str, subject: str = "", error: Callable[[str], BaseException] = RuntimeError
    ) -> None:
        """Obey what is ordered for this point."""
        for order in self._striking(point, subject):
            told = {
                "message": "failpoint.reached",
                "point": point,
                "action": order.action,
                "subject": subject,
            }
            os.write(2, json.dumps(told).encode() + b"\n")
            _obey(order, point, error)

    def _striking(self, point: str, subject: str) -> Iterator[_Order]:
        for order in self.orders.get(point, ()):
            with self._counting:
                strikes = order.strikes(subject)
            if strikes:
                yield order


def parse(text: str) -> FailPoints:
    """Raises ValueError, which quotes the order that is none."""
    orders: dict[str, list[_Order]] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        match = _ORDER.fullmatch(part)
        if match is None:
            raise ValueError(
                f"{VARIABLE}: {part!r} is no order; write point:action with *n, #n or @text behind it,"
                f" such as accept.before_commit:kill#2@evt_7; actions are {', '.join(_ACTIONS)}"
            )
        orders.setdefault(match["point"], []).append(_order(match))
    return FailPoints(orders)


def _order(match: re.Match[str]) -> _Order:
    order = _Order(action=match["action"], seconds=float(match["seconds"] or 0))
    if match["count"]:
        order.last = int(match["times"])
        order.first = int(order.last) if match["count"] == "#" else 1
    if match["text"]:
        order.text = re.compile(rf"(?<![\w-]){re.escape(match['text'])}(?![\w-])")
    return order


def _obey(order: _Order, point: str, error: Callable[[str], BaseException]) -> None:
    match order.action:
        # A signal to the process may reach another thread first, and this one would run on for a while.
        case "kill":
            signal.pthread_kill(threading.get_ident(), signal.SIGKILL)
        case "stop":
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        case "exit":
            os._exit(EXIT_CODE)
        case "raise":
            raise error(f"fail-point {point}")
        case _:
            time.sleep(order.seconds)


def _nothing(point: str, subject: str = "", error: Callable[[str], BaseException] = RuntimeError) -> None: ...


def _armed(text: str) -> Reach:
    return parse(text).reach if text.strip() else _nothing


reach: Reach = _armed(os.environ.get(VARIABLE, ""))
"""`reach("accept.before_commit", event_id)`, at the place of that name."""

ARMED = reach is not _nothing
"""Whether there are orders: what a point is about need not be found out otherwise."""
