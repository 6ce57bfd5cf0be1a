"""Targets to test against: one in a thread of this process, one in a process of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Coroutine
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.request import urlopen

from tests.faults.history import Received
from tests.faults.targets.behaviour import Behaviour, Rule
from tests.faults.targets.journal import Journal, read, shown
from tests.faults.targets.server import CONTROL, TargetServer

T = TypeVar("T")

PATIENCE = 60.0  # seconds
Holds = Callable[[Collection[Received]], bool]


class AnyTarget(ABC):
    """A receiver that takes what it gets until something else is planned, and remembers all of it."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    @abstractmethod
    def received(self) -> list[Received]: ...

    @abstractmethod
    def plan_rule(self, rule: Rule) -> None: ...

    @abstractmethod
    def clear(self) -> None:
        """Forget all plans; what is under way goes on as planned."""

    @abstractmethod
    def release(self) -> None:
        """Answer what was made to hang."""

    @abstractmethod
    def go_down(self) -> None:
        """Hang up on everybody and refuse whoever comes."""

    @abstractmethod
    def come_back(self) -> None:
        """On the same port."""

    @abstractmethod
    def wait_for(self, holds: Holds, seconds: float = PATIENCE) -> list[Received]:
        """All that was received, once it holds. Raises TimeoutError."""

    def plan(self, behaviour: Behaviour, **where: Any) -> None:
        """For the requests that Rule's other fields say. Of several plans that fit, one that does not read the
        body comes first, and then the one made first."""
        self.plan_rule(Rule(behaviour=behaviour, **where))

    def wait_for_requests(self, count: int, path: str = "", seconds: float = PATIENCE) -> list[Received]:
        """The requests to paths that begin with this one, once there are so many."""

        def there(received: Collection[Received]) -> bool:
            return sum(one.path.startswith(path) for one in received) >= count

        return [one for one in self.wait_for(there, seconds) if one.path.startswith(path)]

    def shown(self) -> dict[str, Received]:
        """By lane, what had its effect last."""
        return shown(self.received)

    def overlapping(self) -> list[Received]:
        """Requests that came while others of their lane were under way."""
        return [one for one in self.received if one.beside]


class Target(AnyTarget):
    """In a thread of this process; a context manager. Outlives the engine if that runs in another process."""

    def __init__(self, name: str = "target", journal: Path | None = None, seed: int = 0) -> None:
        self.journal = Journal(name, journal)
        self._server = TargetServer(self.journal, seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._do(self._server.open())
        return self

    def __exit__(self, *_: object) -> None:
        self.go_down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()
        self.journal.close()

    @property
    def received(self) -> list[Received]:
        return self.journal.received

    def plan_rule(self, rule: Rule) -> None:
        self._loop.call_soon_threadsafe(self._server.rules.append, rule)

    def clear(self) -> None:
        self._loop.call_soon_threadsafe(self._server.rules.clear)

    def release(self) -> None:
        self._loop.call_soon_threadsafe(self._server.release)

    def go_down(self) -> None:
        self._do(self._server.close())

    def come_back(self) -> None:
        self._do(self._server.open(self.port))

    def wait_for(self, holds: Holds, seconds: float = PATIENCE) -> list[Received]:
        return self.journal.wait_for(holds, seconds)

    def _do(self, order: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(order, self._loop).result(PATIENCE)


class TargetProcess(AnyTarget):
    """In a process of its own, which ends with this one; a context manager. Ordered about over HTTP, on a
    second port, and read from its journal."""

    def __init__(self, journal: Path, name: str = "target", seed: int = 0) -> None:
        self.journal = journal
        self._command = [sys.executable, "-m", "tests.faults.targets", name, str(journal), str(seed)]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.port, control = json.loads(self._process.stdout.readline())
        self._control = f"http://127.0.0.1:{control}{CONTROL}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=PATIENCE)  # it ends when its input does

    @property
    def received(self) -> list[Received]:
        return read(self.journal)

    def plan_rule(self, rule: Rule) -> None:
        self._order("plan", rule.as_json())

    def clear(self) -> None:
        self._order("clear")

    def release(self) -> None:
        self._order("release")

    def go_down(self) -> None:
        self._order("go_down")

    def come_back(self) -> None:
        self._order("come_back")

    def wait_for(self, holds: Holds, seconds: float = PATIENCE) -> list[Received]:
        end, changes = time.monotonic() + seconds, -1
        while (left := end - time.monotonic()) > 0:
            changes = self._order("wait_for_change", {"after": changes, "seconds": left})["changes"]
            if holds(received := self.received):
                return received
        raise TimeoutError(f"waited in vain; it received {len(self.received)} requests")

    def _order(self, name: str, arguments: object = None) -> Any:
        body = json.dumps(arguments).encode()
        with urlopen(self._control + name, body, timeout=2 * PATIENCE) as answer:  # noqa: S310  our own
            return json.load(answer)
