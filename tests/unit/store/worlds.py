"""A database in use, with what a node knows of it, and calls to it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from hookengine.domain.event import Lifecycle
from hookengine.domain.hook import LanePolicy
from hookengine.store.books.asks import Accept, Ask, Cancel, Claim, Finish, Release
from hookengine.store.calls import Claimed, Finished, Intake, Leased, LeaseTerms, OwedEvent, Report
from hookengine.store.sqlite.connection import SharedConnection, connect
from hookengine.store.sqlite.transactions import run_group
from tests.conftest import NOW
from tests.contract.conftest import (
    LEASE,
    NO_LEASE,
    SECOND,
    Seats,
    delivered,
    owed,
    refused,
    terms,
    timed_out,
    try_again,
)

TYPES = (Lifecycle.QUEUED, Lifecycle.STARTED, Lifecycle.COMPLETED)
LANES = {"status": LanePolicy.LATEST, "deploy": LanePolicy.LATEST, "chat": LanePolicy.ORDERED}
HOOKS = ("hook_1", "hook_2", "paused", "off")
PATIENCE = 40 * SECOND

ARRIVAL = st.fixed_dictionaries(
    {
        "lane_key": st.sampled_from(sorted(LANES)),
        "number": st.sampled_from([1, 2, 3, None]),
        "rank": st.integers(0, 2),
        "state": st.sampled_from("ab"),
        "hook_id": st.sampled_from(HOOKS),
        "rate": st.sampled_from(["", "2/min"]),
        "host": st.sampled_from(["a.example", "b.example"]),
    }
)
RESULT = st.sampled_from(["delivered", "refused", "gone", "try again", "pause", "timed out", "out of time"])
BEFORE = st.lists(
    st.one_of(
        st.tuples(st.just("accept"), ARRIVAL),
        st.tuples(st.just("accept"), ARRIVAL),
        st.tuples(st.just("finish"), st.integers(0, 5), RESULT),
        st.tuples(st.just("claim"), st.sampled_from([SECOND, 30 * SECOND, LEASE])),
    ),
    max_size=14,
)
TOGETHER = st.lists(
    st.one_of(
        st.tuples(st.just("accept"), ARRIVAL),
        st.tuples(st.just("accept"), ARRIVAL),
        st.tuples(st.just("repeat"), st.integers(0, 20), st.booleans()),
        st.tuples(st.just("finish"), st.integers(0, 5), RESULT),
        st.tuples(st.sampled_from(["finish late", "finish twice"]), st.integers(0, 5), RESULT),
        st.tuples(st.sampled_from(["release", "release and finish"]), st.integers(0, 5)),
        st.tuples(st.just("cancel"), st.integers(0, 20)),
    ),
    min_size=2,
    max_size=10,
)


@dataclass
class World:
    """A database with what a node knows of it. `held` are leases, `lost` those that were rescued."""

    path: Path
    now: int = NOW
    held: dict[int, Leased] = field(default_factory=dict)
    lost: list[Leased] = field(default_factory=list)
    sent: list[OwedEvent] = field(default_factory=list)
    room: Seats = field(default_factory=lambda: Seats(3))

    def __post_init__(self) -> None:
        self.connection: SharedConnection = connect(self.path)
        self.connection.execute("PRAGMA synchronous = OFF")  # nothing here is about power cuts

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        cursor = self.connection.execute(query, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def copy(self) -> World:
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return World(Path(shutil.copy(self.path, self.path.with_suffix(".copy"))), now=self.now)

    # What happens before, one after the other

    def accept(self, arrival: dict[str, Any]) -> None:
        self._run(Accept([self.event(arrival)], self.now, terms(room=self.room)))

    def finish(self, index: int, how: str) -> None:
        if self.held:
            leased = list(self.held.values())[index % len(self.held)]
            self.room.give(self.held.pop(leased.token).seat)
            self._run(
                Finish(_report(leased, how, self.now), self.now, terms(room=self.room, patience=PATIENCE))
            )

    def claim(self, later: int) -> None:
        self.now += later
        rescued = self._run(Claim(self.now, terms(room=self.room))).rescued
        for leased in [leased for leased in self.held.values() if leased.delivery_id in rescued]:
            if leased.started_at + LEASE <= self.now:
                self.lost.append(self.held.pop(leased.token))
                self.room.give(leased.seat)

    def _run(self, ask: Ask) -> Any:
        (result,) = run_group(self.connection, [ask])
        if isinstance(result, Intake | Claimed):
            self.held |= {leased.token: leased for leased in result.leased}
        elif isinstance(result, Finished) and result.following is not None:
            self.held[result.following.token] = result.following
        return result

    def event(self, arrival: dict[str, Any]) -> OwedEvent:
        rank, changes = arrival["rank"], {key: value for key, value in arrival.items() if key != "rank"}
        name = f"{len(self.sent):03}"
        action = changes["number"] or 9
        event = owed(name, type=TYPES[rank], action_id=action, policy=LANES[changes["lane_key"]], **changes)
        known = self.rows("SELECT revision FROM action WHERE action_id = :id", id=event.action[1])
        event = replace(event, known_revision=known[0]["revision"] if known else 0)
        self.sent.append(event)
        return event

    # What is asked together

    def asks(self, together: Sequence[tuple[Any, ...]], room: Seats | None = None) -> list[Ask]:
        """Each lease is reported about or given back once."""
        node = NO_LEASE if room is None else terms(room=room)
        node = replace(node, patience=PATIENCE)
        leases = list(self.held.values()), list(self.lost)
        known = sorted(row["id"] for row in self.rows("SELECT id FROM delivery"))
        return [ask for call in together for ask in self._asks(call, *leases, known, node)]

    def _asks(
        self,
        call: tuple[Any, ...],
        held: list[Leased],
        lost: list[Leased],
        known: Sequence[str],
        node: LeaseTerms,
    ) -> Iterator[Ask]:
        match call:
            case ("accept", arrival):
                yield Accept([self.event(arrival)], self.now, node)
            case ("repeat", index, same) if self.sent:
                event = self.sent[index % len(self.sent)]
                yield Accept([event if same else replace(event, digest="another body")], self.now, node)
            case ("finish", index, how) if held:
                yield Finish(_report(held.pop(index % len(held)), how, self.now), self.now, node)
            case ("finish twice", index, how) if held:
                report = _report(held.pop(index % len(held)), how, self.now)
                yield from (Finish(report, self.now, node), Finish(report, self.now, node))
            case ("finish late", index, how) if lost:
                yield Finish(_report(lost.pop(index % len(lost)), how, self.now), self.now, node)
            case ("release and finish", index) if held:
                leased = held.pop(index % len(held))
                yield Release(leased.token, self.now, node)
                yield Finish(timed_out(leased, self.now), self.now, node)
            case ("release", index) if held:
                yield Release(held.pop(index % len(held)).token, self.now, node)
            case ("cancel", index) if known:
                yield Cancel(known[index % len(known)], "a person said so", self.now, node)

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """All there is, without the names that are made up: tokens, and ids of repairs."""
        connection = self.connection
        names = {None: None}
        repairs = "SELECT id, repair_of, seq, rowid FROM delivery WHERE repair_of IS NOT NULL ORDER BY rowid"
        for place, (row_id, repair_of, seq, _) in enumerate(connection.execute(repairs)):
            names[row_id] = f"repair {place} of {names.get(repair_of, repair_of)} at {seq}"
        return {
            table: sorted(
                [
                    tuple(names.get(value, value) if isinstance(value, str) else value for value in row)
                    for row in connection.execute(f"SELECT {columns} FROM {table}")
                ],
                key=repr,
            )
            for table, columns in _columns(connection).items()
        }


def _columns(connection: sqlite3.Connection) -> dict[str, str]:
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    columns = {}
    for (table,) in tables.fetchall():
        told = {"token": "token IS NULL", "lane_id": "(SELECT key FROM lane WHERE id = lane_id)"}
        if table == "lane":
            told["id"] = "key"  # its number may leave some out
        of_table = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        columns[table] = ", ".join(told.get(column, column) for column in of_table)
    return columns


def _report(leased: Leased, how: str, now: int) -> Report:
    match how:
        case "delivered":
            return delivered(leased, now)
        case "refused" | "gone":
            return refused(leased, now, gone=how == "gone")
        case "try again":
            return try_again(leased, now)
        case "pause":
            return try_again(leased, now, pause=30 * SECOND)
        case _:
            return timed_out(leased, now, out_of_time=how == "out of time")


def new_world(defined: Path, folder: Path, before: Sequence[tuple[Any, ...]]) -> World:
    world = World(Path(shutil.copy(defined, folder / "hookengine.db")))
    for name, *arguments in before:
        getattr(world, name)(*arguments)
    return world
