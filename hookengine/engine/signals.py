"""Named moments inside the engine. Log lines, the demo and tests all listen here, so each is told once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from hookengine.store.calls import Ending, Notice, NoticeKind

Facts = dict[str, Any]
Listener = Callable[[str, Facts], None]

EVENT_ACCEPTED = "event.accepted"
EVENT_REPEATED = "event.repeated"
ATTEMPT_STARTED = "attempt.started"
ATTEMPT_FINISHED = "attempt.finished"
ATTEMPT_LATE = "attempt.late"
ATTEMPT_RESCUED = "attempt.rescued"
DELIVERY_GIVEN_BACK = "delivery.given_back"
DELIVERY_ENDED = "delivery.ended"
DELIVERY_REPLAYED = "delivery.replayed"
REPLAY_FINISHED = "replay.finished"
REPAIR_OWED = "repair.owed"
HOOK_SWITCHED_OFF = "hook.switched_off"
HOOK_PAUSED = "hook.paused"
HOOK_UNFIT = "hook.unfit"
CIRCUIT_OPENED = "circuit.opened"
CIRCUIT_CLOSED = "circuit.closed"
LANE_CONTESTED = "lane.contested"
ACTION_TIMED_OUT = "action.timed_out"
SECRET_MISSING = "secret.missing"  # noqa: S105  a name, not a secret
STORE_FAILED = "store.failed"
WORKER_FAILED = "worker.failed"
UPKEEP_DONE = "upkeep.done"
SERVER_LISTENING = "server.listening"
WORKER_STARTED = "worker.started"
WORKER_STOPPED = "worker.stopped"


_NOTICES = {
    NoticeKind.HOOK_GONE: (HOOK_SWITCHED_OFF, "hook"),
    NoticeKind.HOOK_PAUSED: (HOOK_PAUSED, "hook"),
    NoticeKind.CIRCUIT_OPENED: (CIRCUIT_OPENED, "host"),
    NoticeKind.CIRCUIT_CLOSED: (CIRCUIT_CLOSED, "host"),
    NoticeKind.LANE_CONTESTED: (LANE_CONTESTED, "lane"),
}


class Signals:
    """Facts never hold a secret's value. A listener must not block, and one that raises is a bug."""

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()

    def announce(self, name: str, /, **facts: Any) -> None:
        for listener in self._listeners:
            listener(name, facts)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Calling what it returns ends the listening."""
        self._listeners = (*self._listeners, listener)
        return lambda: self._forget(listener)

    def _forget(self, listener: Listener) -> None:
        left = list(self._listeners)
        left.remove(listener)
        self._listeners = tuple(left)

    def announce_endings(self, endings: Iterable[Ending]) -> None:
        for ending in endings:
            self.announce(
                DELIVERY_ENDED, delivery=ending.delivery_id, status=ending.status, because=ending.because
            )

    def announce_notices(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            name, subject = _NOTICES[notice.kind]
            self.announce(name, **{subject: notice.subject}, because=notice.because)

    async def wait_for(self, name: str, holds: Callable[[Facts], bool] = lambda facts: True) -> Facts:
        """The facts of the next signal of this name for which `holds` is true."""
        heard: asyncio.Future[Facts] = asyncio.get_running_loop().create_future()

        def hear(told: str, facts: Facts) -> None:
            if told == name and not heard.done() and holds(facts):
                heard.set_result(facts)

        stop = self.listen(hear)
        try:
            return await heard
        finally:
            stop()
