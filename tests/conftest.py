"""The doubles all tests share: a clock that moves when told, a far end that remembers, a factory per noun."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hookengine.domain.clock import Millis
from hookengine.domain.delivery import Delivery
from hookengine.domain.event import Event, Lifecycle, Rank
from hookengine.domain.hook import Hook, LanePolicy
from hookengine.domain.lane import Lane
from hookengine.domain.pipeline import Pipeline
from hookengine.domain.request import RenderedRequest
from hookengine.guard.vault import ContextSecrets, PlainSeal, Shelf, Source, Vault

if TYPE_CHECKING:  # most tests want no database, and need not wait for what it takes
    from tests.faults.stage import Hatchery
    from tests.postgres import PostgresServer, SharedDatabase

ROOM = 2 << 30  # bytes free in memory, so that files of tests may lie there
NOW: Millis = 1_795_000_000_000
"""When tests begin, unless they say otherwise: 2026-11-18T11:06:40Z."""


def pytest_configure() -> None:
    """Files lie in memory, where there is enough: disks differ much in how long a commit takes."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))


class Clock:
    """Stands still until `advance`; `ticks` and `now` move together."""

    def __init__(self, now: Millis = NOW) -> None:
        self._now = now
        self._ticks = 0.0

    def now(self) -> Millis:
        return self._now

    def ticks(self) -> float:
        return self._ticks

    def advance(self, *, seconds: float = 0, millis: Millis = 0) -> None:
        self._now += round(seconds * 1000) + millis
        self._ticks += seconds + millis / 1000


class Receiver:
    """A far end that shows the state it applied last. It may apply one later than it was sent."""

    def __init__(self) -> None:
        self.shown: object = None
        self._coming: list[tuple[Millis, object]] = []

    def apply(self, state: object) -> None:
        self.shown = state

    def apply_later(self, state: object, at: Millis) -> None:
        self._coming.append((at, state))

    def tick(self, now: Millis) -> None:
        """Apply what was to come by `now`."""
        for at, state in sorted(self._coming, key=lambda coming: coming[0]):
            if at <= now:
                self.shown = state
        self._coming = [coming for coming in self._coming if coming[0] > now]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One for all tests of this process. Tests that stop or kill it make their own."""
    from tests.postgres import PostgresServer

    with PostgresServer(fsync=False) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """The name of a migrated database, to be copied by `create_database`."""
    from hookengine.store.migrations import upgrade

    upgrade(postgres_server.create_database("template_migrated"))
    return "template_migrated"


@pytest.fixture(scope="session")
def postgres_shared(postgres_server: PostgresServer, postgres_template: str) -> Iterator[SharedDatabase]:
    from tests.postgres import SharedDatabase

    shared = SharedDatabase(postgres_server, "shared", postgres_template)
    yield shared
    shared.close()


@pytest.fixture
def postgres_database(postgres_shared: SharedDatabase) -> SharedDatabase:
    """Migrated, with no rows but those of the migrations. Tests that change its tables make their own."""
    postgres_shared.restore()
    return postgres_shared


@pytest.fixture(scope="session")
def hatchery() -> Iterator[Hatchery]:
    from tests.faults.stage import Hatchery

    with Hatchery() as hatchery:
        yield hatchery


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def event_document(**changes: Any) -> dict[str, Any]:
    """What a platform sends. `action=` replaces keys of the action; a value of None takes a key away."""
    action = {"id": 7, "type": "deploy", "number": 1, "pipeline": 1, **changes.pop("action", {})}
    document = {"id": "evt_1", "type": "action.started", "action": _without_none(action), **changes}
    return _without_none(document)


def make_event(**changes: Any) -> Event:
    event_type = str(changes.pop("type", Lifecycle.STARTED))
    values: dict[str, Any] = {
        "id": "evt_1",
        "type": event_type,
        "occurred_at": NOW,
        "action_id": 7,
        "pipeline": 1,
        "number": 1,
        "data": {"action": {"id": 7, "type": "deploy", "pipeline": 1}},
    }
    return Event(**{**values, **changes})


def make_hook(**changes: Any) -> Hook:
    values: dict[str, Any] = {
        "id": "hook_1",
        "revision": 1,
        "name": "commit status",
        "target_url": "https://target.example/statuses",
        "events": ("action.status_changed",),
    }
    return Hook(**{**values, **changes})


def make_pipeline(**changes: Any) -> Pipeline:
    return Pipeline(**{"id": 1, "name": "deploy production", **changes})


def make_request(state: object = "pending", **changes: Any) -> RenderedRequest:
    values: dict[str, Any] = {
        "method": "POST",
        "url": "https://target.example/statuses",
        "headers": (("content-type", ("application/json",)),),
        "body": (f'{{"state":"{state}"}}',),
    }
    return RenderedRequest(**{**values, **changes})


async def _nothing_sealed(*place: object) -> str | None:
    return None


def make_vault(
    sources: Mapping[str, Source] | None = None,
    sealed: Callable[[int, str], Awaitable[str | None]] = _nothing_sealed,
    shelf: Shelf | None = None,
    **context: Iterable[str],
) -> Vault:
    """Without a seal. `context` is what ContextSecrets takes."""
    seal = PlainSeal()
    shelf = shelf or Shelf(seal, _nothing_sealed)
    return Vault(sources or {}, ContextSecrets(seal, sealed, **context), shelf)


def make_delivery(delivery_id: str = "dlv_1", **changes: Any) -> Delivery:
    values: dict[str, Any] = {
        "id": delivery_id,
        "event_key": f"1:evt_of_{delivery_id}",
        "hook_id": "hook_1",
        "hook_revision": 1,
        "request_id": delivery_id,
        "digest": f"digest of {delivery_id}",
        "number": 1,
        "first_seq": 1,
        "rank": Rank.STARTED,
        "accepted_at": NOW,
    }
    return Delivery(**{**values, **changes})


def make_lane(policy: LanePolicy = LanePolicy.LATEST, **changes: Any) -> Lane:
    return Lane(**{"id": 1, "key": "a commit", "policy": policy, **changes})


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


SLOWER = 4
"""A machine may be so many times slower than the one that bounds of CPU are written for, before a test fails."""


def least_cpu(work: Callable[[], object], enough: float) -> float:
    """Seconds of this process's time that `work` took, the least of three runs, or the first below `enough`.

    What neighbours on the machine do adds to a run, and never takes away from it.
    """
    least = float("inf")
    for _ in range(3):
        started = time.process_time()
        work()
        least = min(least, time.process_time() - started)
        if least < enough:
            break
    return least
