"""Named moments inside the engine. Log lines, the demo and tests all listen here, so each is told once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from hookengine.store.contract import Ending

Facts = dict[str, Any]
Listener = Callable[[str, Facts], None]

EVENT_ACCEPTED = "event.accepted"
EVENT_REPEATED = "event.repeated"
ATTEMPT_STARTED = "attempt.started"
ATTEMPT_FINISHED = "attempt.finished"
ATTEMPT_LATE = "attempt.late"
ATTEMPT_RESCUED = "attempt.rescued"
DELIVERY_ENDED = "delivery.ended"
REPAIR_OWED = "repair.owed"
HOOK_SWITCHED_OFF = "hook.switched_off"
SECRET_MISSING = "secret.missing"  # noqa: S105  a name, not a secret
STORE_FAILED = "store.failed"
WORKER_FAILED = "worker.failed"
UPKEEP_DONE = "upkeep.done"
SERVER_LISTENING = "server.listening"
WORKER_STARTED = "worker.started"
WORKER_STOPPED = "worker.stopped"


class Signals:
    """Facts never hold a secret's value. A listener must not block, and one that raises is a bug."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def announce(self, name: str, /, **facts: Any) -> None:
        for listener in tuple(self._listeners):
            listener(name, facts)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Calling what it returns ends the listening."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def announce_endings(self, endings: Iterable[Ending]) -> None:
        for ending in endings:
            self.announce(
                DELIVERY_ENDED, delivery=ending.delivery_id, status=ending.status, because=ending.because
            )

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
