"""Leases and results: claim, finish, release, cancel."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from hookengine.domain.attempt import Certainty, GiveUp, TryAgain
from hookengine.domain.clock import Millis
from hookengine.domain.lane_book import LaneBook
from hookengine.domain.retry import HOUR
from hookengine.errors import NotFound
from hookengine.store.contract import Claimed, Ending, Finished, LeaseTerms, Report
from hookengine.store.sqlite.books import Desk, close_attempt

_MISTAKES = (AttributeError, LookupError, TypeError, ValueError, sqlite3.IntegrityError)
"""What rows that contradict each other lead to, as opposed to a database that fails."""


def claim(
    connection: sqlite3.Connection, now: Millis, terms: LeaseTerms, held: Collection[int] = frozenset()
) -> Claimed:
    desk = Desk(connection, now, terms)
    rescued: list[str] = []
    stuck: list[int] = []
    for lane_id, token in _due(connection, now, terms, held):
        before = desk.told()
        connection.execute("SAVEPOINT lane")
        try:
            delivery_id = _claim_one(desk, lane_id, expired=token is not None)
        except _MISTAKES:
            connection.execute("ROLLBACK TO lane")
            connection.execute("UPDATE lane SET due_at = ? WHERE id = ?", (now + HOUR, lane_id))
            desk.take_back(before)
            stuck.append(lane_id)
        else:
            rescued += [delivery_id] if delivery_id is not None else []
        connection.execute("RELEASE lane")
    return Claimed(
        leased=tuple(desk.leased),
        endings=tuple(desk.endings),
        rescued=tuple(rescued),
        stuck=tuple(stuck),
    )


def _due(
    connection: sqlite3.Connection, now: Millis, terms: LeaseTerms, held: Collection[int]
) -> list[tuple[int, int | None]]:
    """Lanes that may be claimed, with their expired token; those of `held` tokens are put off first."""
    while True:
        due = connection.execute(
            "SELECT id, token FROM lane WHERE head_id IS NOT NULL AND due_at <= ? ORDER BY due_at LIMIT ?",
            (now, terms.capacity),
        ).fetchall()
        mine = [lane_id for lane_id, token in due if token in held]
        if not mine:
            return due
        connection.executemany(
            "UPDATE lane SET due_at = ? WHERE id = ?", [(now + terms.lease, lane_id) for lane_id in mine]
        )


def _claim_one(desk: Desk, lane_id: int, *, expired: bool) -> str | None:
    book = desk.lane(lane_id, doubts=expired)
    rescued = None
    if book.lane.token is not None:
        rescued = book.lane.head_id
        values = {
            "outcome": "Unknown",
            "detail": json.dumps({"reason": "the node went away while sending"}),
            "certainty": Certainty.DOUBTFUL,
            "finished_at": desk.now,
            "closed_by": "rescue",
        }
        close_attempt(desk.connection, book.lane.token, values)
        book.rescue()
    desk.lease(book)
    desk.save(book)
    return rescued


def finish(connection: sqlite3.Connection, report: Report, now: Millis, terms: LeaseTerms) -> Finished:
    desk = Desk(connection, now, terms)
    row = connection.execute(
        "SELECT d.id, d.lane_id, a.started_at FROM attempt a JOIN delivery d ON d.id = a.delivery_id"
        " WHERE a.token = ?",
        (report.token,),
    ).fetchone()
    if row is None:
        return Finished(late=True)
    delivery_id, lane_id, started_at = row
    book = desk.lane(lane_id, doubts=report.certainty is Certainty.DOUBTFUL, since=started_at)
    if book.lane.token != report.token:
        return _late(desk, report, delivery_id, lane_id)
    head = book.deliveries[delivery_id]
    close_attempt(connection, report.token, _closing(report))
    book.finish(report.verdict, report.certainty, started_at)
    if isinstance(report.verdict, GiveUp) and report.verdict.gone:
        desk.switch_off(head.hook_id, report.verdict.because)
    desk.lease(book)
    desk.save(book)
    return Finished(
        status=head.status,
        because=head.because,
        following=desk.leased[0] if desk.leased else None,
        endings=tuple(ending for ending in desk.endings if ending.delivery_id != delivery_id),
        repair_id=desk.repairs[0] if desk.repairs else None,
    )


def _closing(report: Report) -> dict[str, Any]:
    verdict = report.verdict
    return {
        "outcome": type(report.outcome).__name__,
        "detail": json.dumps(asdict(report.outcome)),
        "certainty": report.certainty,
        "verdict": type(verdict).__name__,
        "because": verdict.because,
        "next_at": verdict.at if isinstance(verdict, TryAgain) else None,
        "finished_at": report.finished_at,
        "closed_by": "holder",
    }


def _late(desk: Desk, report: Report, delivery_id: str, lane_id: int) -> Finished:
    """Nothing is thrown away: the result stays on its attempt, and what it says about the effect counts."""
    outcome = type(report.outcome).__name__
    (closed_by, recorded) = desk.connection.execute(
        "SELECT closed_by, outcome FROM attempt WHERE token = ?", (report.token,)
    ).fetchone()
    if closed_by == "holder" and recorded == outcome:
        return Finished(late=True)  # the commit whose answer was lost
    desk.connection.execute(
        "UPDATE attempt SET late_outcome = ?, late_at = ? WHERE token = ?", (outcome, desk.now, report.token)
    )
    book = _with(desk.lane(lane_id, doubts=True), desk, delivery_id)
    book.late(book.deliveries[delivery_id], report.certainty)
    desk.save(book)
    return Finished(late=True, repair_id=desk.repairs[0] if desk.repairs else None)


def release(
    connection: sqlite3.Connection, token: int, now: Millis, terms: LeaseTerms, at: Millis = 0
) -> tuple[Ending, ...]:
    desk = Desk(connection, now, terms)
    row = connection.execute(
        "SELECT d.lane_id FROM attempt a JOIN delivery d ON d.id = a.delivery_id WHERE a.token = ?", (token,)
    ).fetchone()
    if row is None:
        return ()
    book = desk.lane(row[0])
    if book.lane.token != token:
        return ()  # the lease was gone
    connection.execute("DELETE FROM attempt WHERE token = ? AND finished_at IS NULL", (token,))
    book.release(at)
    desk.save(book)
    return tuple(desk.endings)


def cancel(
    connection: sqlite3.Connection, delivery_id: str, because: str, now: Millis, terms: LeaseTerms
) -> str:
    desk = Desk(connection, now, terms)
    row = connection.execute("SELECT lane_id, status FROM delivery WHERE id = ?", (delivery_id,)).fetchone()
    if row is None:
        raise NotFound("delivery", delivery_id)
    lane_id, status = row
    if lane_id is None:
        return str(status)
    book = _with(desk.lane(lane_id, doubts=True), desk, delivery_id)
    delivery = book.deliveries[delivery_id]
    book.cancel(delivery, because)
    desk.save(book)
    return delivery.status


def _with(book: LaneBook, desk: Desk, delivery_id: str) -> LaneBook:
    if delivery_id not in book.deliveries:
        book.deliveries[delivery_id] = desk.delivery(delivery_id)
    return book
