"""Accepting events: everything an event owes is written in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from hookengine.domain.clock import Millis
from hookengine.domain.delivery import Delivery, DeliveryStatus
from hookengine.domain.documents import digest
from hookengine.domain.lane_book import LaneBook
from hookengine.errors import EventConflict, StaleContext
from hookengine.store.contract import (
    Accepted,
    ActionKey,
    Intake,
    LeaseTerms,
    OwedDelivery,
    OwedEvent,
    Remembered,
)
from hookengine.store.sqlite.books import Desk, save_without_lane

FIRST_OWN_ACTION = 1_000_000_000
"""Added to the ids of actions that incoming hooks start, so that they are no ids of the platform's own."""


def remember(
    connection: sqlite3.Connection, events: Sequence[str], actions: Sequence[ActionKey]
) -> Remembered:
    known = {
        event_id: row
        for event_id in events
        if (
            row := connection.execute("SELECT digest, answer FROM event WHERE id = ?", (event_id,)).fetchone()
        )
    }
    remembered = {key: row for key in dict.fromkeys(actions) if (row := _action(connection, key))}
    return Remembered(events=known, actions={key: (row[1], row[2]) for key, row in remembered.items()})


def new_action(connection: sqlite3.Connection, pipeline_id: int, now: Millis) -> int:
    """Ids count up over all pipelines, from where platforms rarely are; one that is used already is skipped."""
    while True:
        (first_seq,) = connection.execute(
            "INSERT INTO action (pipeline_id, action_id, revision, context, updated_at)"
            " VALUES (?, '?' || random(), 0, '{}', ?) RETURNING first_seq",
            (pipeline_id, now),
        ).fetchone()
        action_id = FIRST_OWN_ACTION + int(first_seq)
        taken = connection.execute(
            "UPDATE OR IGNORE action SET action_id = ? WHERE first_seq = ?", (str(action_id), first_seq)
        )
        if taken.rowcount == 1:
            return action_id
        connection.execute("DELETE FROM action WHERE first_seq = ?", (first_seq,))  # its number is spent


def accept(
    connection: sqlite3.Connection, events: Sequence[OwedEvent], now: Millis, terms: LeaseTerms
) -> Intake:
    desk = Desk(connection, now, terms)
    books: dict[str, LaneBook] = {}
    accepted = tuple(_accept_one(desk, books, event) for event in events)
    for book in books.values():  # only what is head at the end is leased
        desk.lease(book)
        desk.save(book)
    return Intake(accepted=accepted, leased=tuple(desk.leased), endings=tuple(desk.endings))


def _accept_one(desk: Desk, books: dict[str, LaneBook], owed: OwedEvent) -> Accepted:
    known = desk.connection.execute("SELECT digest, answer FROM event WHERE id = ?", (owed.id,)).fetchone()
    if known is not None:
        if known[0] != owed.digest:
            raise EventConflict(owed.id)
        return Accepted(answer=known[1], fresh=False)
    first_seq = _advance_action(desk, owed)
    desk.connection.execute(
        "INSERT INTO event (id, type, action_seq, digest, document, answer, accepted_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (owed.id, owed.event.type, first_seq, owed.digest, owed.document, owed.answer, desk.now),
    )
    desk.connection.executemany(
        "INSERT INTO context_secret (pipeline_id, path, sealed, updated_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (pipeline_id, path) DO UPDATE SET sealed = excluded.sealed, updated_at = excluded.updated_at",
        [(owed.pipeline_id, path, sealed, desk.now) for path, sealed in owed.secrets.items()],
    )
    for delivery in sorted(owed.deliveries, key=lambda delivery: delivery.lane_key):
        _owe(desk, books, owed, delivery, first_seq)
    return Accepted(answer=owed.answer, fresh=True)


def _action(connection: sqlite3.Connection, key: ActionKey) -> tuple[int, int, str] | None:
    row: tuple[int, int, str] | None = connection.execute(
        "SELECT first_seq, revision, context FROM action WHERE pipeline_id = ? AND action_id = ?", key
    ).fetchone()
    return row


def _advance_action(desk: Desk, owed: OwedEvent) -> int:
    """The action's place in the order of actions, after it was given its new context."""
    known = _action(desk.connection, owed.action)
    if (known[1] if known else 0) != owed.known_revision:
        raise StaleContext(f"action {owed.action} changed meanwhile")
    if known is None:
        (first_seq,) = desk.connection.execute(
            "INSERT INTO action (pipeline_id, action_id, revision, context, updated_at)"
            " VALUES (?, ?, 1, ?, ?) RETURNING first_seq",
            (*owed.action, owed.context, desk.now),
        ).fetchone()
        return int(first_seq)
    desk.connection.execute(
        "UPDATE action SET revision = revision + 1, context = ?, updated_at = ? WHERE first_seq = ?",
        (owed.context, desk.now, known[0]),
    )
    return known[0]


def _owe(
    desk: Desk, books: dict[str, LaneBook], owed: OwedEvent, delivery: OwedDelivery, first_seq: int
) -> None:
    document = delivery.request.to_json() if delivery.request else ""
    row = Delivery(
        id=delivery.id,
        event_id=owed.id,
        hook_id=delivery.hook_id,
        hook_revision=delivery.hook_revision,
        request_id=delivery.id,
        digest=digest(document) if document else "",
        number=owed.event.number,
        first_seq=first_seq,
        rank=owed.event.rank,
        accepted_at=desk.now,
    )
    if delivery.request is None:
        row.status, row.because, row.ended_at = DeliveryStatus.FAILED, delivery.unrenderable, desk.now
        save_without_lane(desk.connection, row)
        return
    desk.connection.execute("INSERT INTO request (id, document) VALUES (?, ?)", (delivery.id, document))
    desk.requests[delivery.id] = delivery.request
    book = books.get(delivery.lane_key)
    if book is None:
        book = books[delivery.lane_key] = desk.lane_for(delivery.lane_key, delivery.policy)
    scope = None if owed.event.number is None else f"pipeline:{owed.pipeline_id}"
    book.accept(row, scope)
