"""A database per test, opened as a store, and looked into with plain SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from hookengine.domain.attempt import (
    Accept,
    Answered,
    Certainty,
    GiveUp,
    TimedOut,
    TryAgain,
    Unreachable,
    Verdict,
    host_failed,
)
from hookengine.domain.clock import Millis
from hookengine.domain.event import Lifecycle
from hookengine.domain.hook import LanePolicy
from hookengine.domain.lane import Wait
from hookengine.store.calls import Intake, Leased, LeaseTerms, OwedDelivery, OwedEvent, Report, Seat
from hookengine.store.contract import Store
from hookengine.store.sqlite import SqliteStore
from tests.conftest import make_event, make_request
from tests.sqlite import empty_database

if TYPE_CHECKING:  # SQLite needs none of it
    from tests.postgres import SharedDatabase

SECOND = 1000
LEASE = 50 * SECOND
SETTLE = 60 * SECOND


class Database(Protocol):
    """Where a store lives; each kind of store has one."""

    async def open(self) -> Store: ...

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """What a query with `:name` parameters finds, beside the store."""
        ...

    def close(self) -> None: ...


class SqliteDatabase:
    def __init__(self, folder: Path) -> None:
        self._path = empty_database(folder / "hookengine.db")
        self._beside: sqlite3.Connection | None = None

    async def open(self) -> Store:
        return await SqliteStore.open(self._path)

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        if self._beside is None:
            self._beside = sqlite3.connect(self._path, isolation_level=None)
            self._beside.row_factory = sqlite3.Row
        return [dict(row) for row in self._beside.execute(query, values)]

    def close(self) -> None:
        if self._beside is not None:
            self._beside.close()


class PostgresDatabase:
    """The one that all tests share, emptied. Time is what the tests say it is."""

    def __init__(self, shared: SharedDatabase) -> None:
        self._shared = shared
        shared.restore()

    async def open(self) -> Store:
        from hookengine.store.postgres import PostgresStore

        return await PostgresStore.open(self._shared.url, own_clock=False)

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        return self._shared.rows(query, **values)

    def close(self) -> None: ...


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def new_database(kind: str, request: pytest.FixtureRequest) -> Callable[[Path], Database]:
    """Databases in folders; of PostgreSQL there is one at a time."""
    if kind == "postgres":
        shared = request.getfixturevalue("postgres_shared")
        return lambda folder: PostgresDatabase(shared)
    return SqliteDatabase


@pytest.fixture
def database(new_database: Callable[[Path], Database], tmp_path: Path) -> Iterator[Database]:
    database = new_database(tmp_path)
    yield database
    database.close()


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    store = await database.open()
    yield store
    await store.close()


class Seats:
    """Room for so many, whatever they are for. `refuse` says why one is not taken all the same."""

    def __init__(self, free: int, refuse: Callable[[Seat], Wait | None] = lambda seat: None) -> None:
        self.free = free
        self.refuse = refuse
        self.taken: list[Seat] = []

    def take(self, seat: Seat) -> Wait | None:
        wait = self.refuse(seat) if self.free else Wait()
        if wait is None:
            self.free -= 1
            self.taken.append(seat)
        return wait

    def give(self, seat: Seat) -> None:
        self.free += 1
        self.taken.remove(seat)

    def for_what_waits(self, key: str) -> int:
        kind, _, name = key.partition(":")
        seat = Seat(*((name, "") if kind == "host" else ("", name)), suspect=False)
        return 0 if self.refuse(seat) else self.free


def terms(capacity: int = 10, **changes: Any) -> LeaseTerms:
    return LeaseTerms(**{"room": Seats(capacity), "lease": LEASE, "settle": SETTLE, "node": "a", **changes})


NO_LEASE = terms(0)
"""Of a node that takes nothing on."""


def owed_delivery(delivery_id: str, **changes: Any) -> OwedDelivery:
    """`state` is what its request says."""
    state = changes.pop("state", delivery_id)
    values: dict[str, Any] = {
        "id": delivery_id,
        "hook_id": "hook_1",
        "hook_revision": 1,
        "lane_key": "a commit",
        "policy": LanePolicy.LATEST,
        "request": make_request(state),
        "host": "target.example",
        "account": "target.example token",
    }
    return OwedDelivery(**{**values, **changes})


def owed(name: str, *deliveries: OwedDelivery, **changes: Any) -> OwedEvent:
    """The event `evt_NAME`. Without deliveries it owes one, `dlv_NAME`; changes go to wherever they belong."""
    of_event = {
        key: changes.pop(key) for key in ("type", "action_id", "number", "pipeline") if key in changes
    }
    of_delivery = {
        key: changes.pop(key)
        for key in ("state", "hook_id", "lane_key", "policy", "host", "account", "rate")
        if key in changes
    }
    event = make_event(id=f"evt_{name}", **{"type": Lifecycle.STARTED, **of_event})
    values: dict[str, Any] = {
        "id": f"evt_{name}",
        "event": event,
        "pipeline_id": 1,
        "digest": f"digest of {name}",
        "document": "{}",
        "answer": f'{{"event":"{name}"}}',
        "context": "{}",
        "known_revision": 0,
        "deliveries": deliveries or (owed_delivery(f"dlv_{name}", **of_delivery),),
    }
    return OwedEvent(**{**values, **changes})


async def accept(store: Store, *events: OwedEvent, now: Millis, terms: LeaseTerms = NO_LEASE) -> Intake:
    """As the engine does it: each event is laid over what its action is remembered by."""
    remembered = await store.remember([], [event.action for event in events])
    revisions = {action: revision for action, (revision, _) in remembered.actions.items()}
    current = []
    for event in events:
        current.append(replace(event, known_revision=revisions.get(event.action, 0)))
        revisions[event.action] = revisions.get(event.action, 0) + 1
    return await store.accept(current, now, terms)


def delivered(leased: Leased, now: Millis) -> Report:
    return _report(leased, Answered(status=200), Certainty.APPLIED, Accept(because="200"), now)


def refused(leased: Leased, now: Millis, *, gone: bool = False) -> Report:
    outcome = Answered(status=410 if gone else 422)
    return _report(leased, outcome, Certainty.REFUSED, GiveUp(because="no", gone=gone), now)


def try_again(
    leased: Leased, now: Millis, *, after: Millis = 5 * SECOND, pause: Millis | None = None
) -> Report:
    """Without effect: no connection came about, or, with a `pause`, the target asked for one."""
    verdict = TryAgain(
        at=now + max(after, pause or 0),
        because="later",
        pause_until=None if pause is None else now + pause,
    )
    if pause is not None:
        return _report(leased, Answered(status=429), Certainty.REFUSED, verdict, now)
    return _report(leased, Unreachable(reason="refused"), Certainty.UNSENT, verdict, now)


def timed_out(leased: Leased, now: Millis, *, out_of_time: bool = False) -> Report:
    verdict: Verdict = TryAgain(at=now + 5 * SECOND, because="timed out")
    if out_of_time:
        verdict = GiveUp(because="timed out; out of time")
    outcome = TimedOut(phase="read", seconds=30.0, written=True)
    return _report(leased, outcome, Certainty.DOUBTFUL, verdict, now)


def _report(leased: Leased, outcome: Any, certainty: Certainty, verdict: Verdict, now: Millis) -> Report:
    return Report(
        token=leased.token,
        outcome=outcome,
        certainty=certainty,
        verdict=verdict,
        finished_at=now,
        host_failed=host_failed(outcome),
    )


class Look:
    """What the tables say."""

    def __init__(self, database: Database) -> None:
        self._rows = database.rows

    def statuses(self) -> dict[str, str]:
        return {row["id"]: row["status"] for row in self._rows("SELECT id, status FROM delivery ORDER BY id")}

    def delivery(self, delivery_id: str) -> dict[str, Any]:
        (row,) = self._rows("SELECT * FROM delivery WHERE id = :id", id=delivery_id)
        return row

    def repairs(self) -> list[dict[str, Any]]:
        return self._rows("SELECT * FROM delivery WHERE repair_of IS NOT NULL ORDER BY id")

    def same_position(self, seq: int) -> list[dict[str, Any]]:
        """A delivery and its repairs."""
        return self._rows("SELECT * FROM delivery WHERE seq = :seq AND lane_id IS NOT NULL", seq=seq)

    def attempts(self, delivery_id: str) -> list[dict[str, Any]]:
        return self._rows("SELECT * FROM attempt WHERE delivery_id = :id ORDER BY number", id=delivery_id)

    def lane(self, key: str = "a commit") -> dict[str, Any]:
        (row,) = self._rows("SELECT * FROM lane WHERE key = :key", key=key)
        return row

    def hook(self, hook_id: str) -> dict[str, Any]:
        (row,) = self._rows("SELECT * FROM hook WHERE id = :id", id=hook_id)
        return row

    def gate(self, key: str) -> dict[str, Any]:
        (row,) = self._rows("SELECT * FROM gate WHERE key = :key", key=key)
        return row

    def lane_exists(self, key: str = "a commit") -> bool:
        return bool(self._rows("SELECT 1 FROM lane WHERE key = :key", key=key))

    def count(self, table: str) -> int:
        (row,) = self._rows(f"SELECT count(*) AS n FROM {table}")
        return int(row["n"])

    def check(self) -> None:
        """What is true after every transaction."""
        for reason, query in _NEVER:
            assert self._rows(query) == [], reason


_NEVER = (
    (
        "a row waits in a lane without a head",
        (
            "SELECT d.id FROM delivery d JOIN lane l ON l.id = d.lane_id"
            " WHERE d.status IN ('queued','retrying') AND l.head_id IS NULL"
        ),
    ),
    (
        "a row is sending that is not the head of a leased lane",
        (
            "SELECT d.id FROM delivery d LEFT JOIN lane l ON l.head_id = d.id AND l.token IS NOT NULL"
            " WHERE d.status = 'sending' AND l.id IS NULL"
        ),
    ),
    (
        "a leased lane's head is not sending",
        (
            "SELECT l.id FROM lane l LEFT JOIN delivery d ON d.id = l.head_id"
            " WHERE l.token IS NOT NULL AND (d.id IS NULL OR d.status <> 'sending')"
        ),
    ),
    (
        "a head is in another lane, or has ended",
        (
            "SELECT l.id FROM lane l LEFT JOIN delivery d ON d.id = l.head_id"
            " WHERE l.head_id IS NOT NULL AND (d.id IS NULL OR d.lane_id <> l.id OR d.ended_at IS NOT NULL)"
        ),
    ),
    (
        "a lease without its open attempt",
        (
            "SELECT l.id FROM lane l LEFT JOIN attempt a ON a.token = l.token AND a.finished_at IS NULL"
            " WHERE l.token IS NOT NULL AND (a.token IS NULL OR a.delivery_id <> l.head_id)"
        ),
    ),
    (
        "an open attempt without a lease",
        (
            "SELECT a.token FROM attempt a LEFT JOIN lane l ON l.token = a.token"
            " WHERE a.finished_at IS NULL AND l.id IS NULL"
        ),
    ),
    (
        "more than one event waits in a lane where only the newest counts",
        (
            "SELECT d.lane_id FROM delivery d JOIN lane l ON l.id = d.lane_id WHERE l.policy = 'latest'"
            " AND d.status IN ('queued','retrying') GROUP BY d.lane_id HAVING count(DISTINCT d.event_id) > 1"
        ),
    ),
    (
        "attempts are not numbered from 1 without gaps",
        (
            "SELECT d.id FROM delivery d LEFT JOIN attempt a ON a.delivery_id = d.id"
            " GROUP BY d.id, d.attempts"
            " HAVING count(a.number) <> d.attempts OR coalesce(max(a.number), 0) <> d.attempts"
        ),
    ),
)


@pytest.fixture
def look(database: Database) -> Look:
    return Look(database)
