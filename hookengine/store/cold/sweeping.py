"""Mending what the lane protocol never leaves behind: deliveries that are being sent by nobody, and lanes in
which something waits but nothing is head.

In two steps, as pruning: `find` reads much and locks nothing; `mend` locks the lanes and looks again.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import Connection, insert, or_, select, text, update

from hookengine.domain.attempt import Certainty
from hookengine.domain.clock import Millis
from hookengine.domain.delivery import ENDED, WAITING, Delivery, DeliveryStatus
from hookengine.domain.hook import LanePolicy
from hookengine.domain.identity import new_id, new_token
from hookengine.domain.lane import HookFacts, Lane, Terms
from hookengine.domain.lane_book import LaneBook
from hookengine.store.books import columns
from hookengine.store.cold.tables import ATTEMPT, DELIVERY, HOOK, LANE

MOST: Final = 500
"""Lanes of each kind that are mended at a time."""

_BECAUSE = "nobody was sending it any more"
_LANE_COLUMNS = columns.LANE.replace(" ", "").split(",")
_DELIVERY_COLUMNS = columns.DELIVERY.replace(" ", "").split(",")

_WITH_ORPHANS = text(
    "SELECT DISTINCT l.id FROM delivery d JOIN lane l ON l.id = d.lane_id"
    " WHERE d.status = 'sending' AND (l.head_id IS NULL OR l.head_id <> d.id OR l.token IS NULL) LIMIT :most"
)
_HEADLESS = text(
    "SELECT DISTINCT l.id FROM delivery d JOIN lane l ON l.id = d.lane_id"
    " WHERE d.status IN ('queued','retrying') AND l.head_id IS NULL LIMIT :most"
)


def sweep(connection: Connection, now: Millis, settle: Millis) -> int:
    return mend(connection, find(connection), now, settle)


def find(connection: Connection) -> Collection[int]:
    """Lanes in which something was left behind."""
    return {
        lane_id
        for query in (_WITH_ORPHANS, _HEADLESS)
        for lane_id in connection.execute(query, {"most": MOST}).scalars()
    }


def mend(connection: Connection, lanes: Collection[int], now: Millis, settle: Millis) -> int:
    """How many deliveries and heads there were to mend."""
    return sum(_mend(connection, lane, now, settle) for lane in _locked(connection, lanes))


def _mend(connection: Connection, lane: Lane, now: Millis, settle: Millis) -> int:
    rows = _deliveries(connection, lane)
    book = LaneBook(lane, rows, _terms(connection, rows, now, settle))
    orphans = [row for row in rows.values() if _is_orphan(lane, row)]
    for orphan in orphans:
        _end_or_wait(book, orphan, now)
    headless = _choose_head(book, now)
    for orphan in orphans:  # it may have taken effect, or still do
        book.late(orphan, Certainty.DOUBTFUL)
    if orphans or headless:
        _close_attempts(connection, orphans, now)
        _write(connection, lane, rows, {**book.changed, **{row.id: row for row in orphans}})
    return len(orphans) + headless


def _is_orphan(lane: Lane, row: Delivery) -> bool:
    return row.status is DeliveryStatus.SENDING and (lane.head_id != row.id or lane.token is None)


def _end_or_wait(book: LaneBook, orphan: Delivery, now: Millis) -> None:
    latest = book.lane.policy is LanePolicy.LATEST and not orphan.provides
    outdated = latest and book.position(orphan) < book.lane.newest_place()
    if orphan.cancel_asked:
        orphan.move(DeliveryStatus.CANCELLED, "cancelled while it was being sent")
    else:
        orphan.move(DeliveryStatus.SUPERSEDED if outdated else DeliveryStatus.RETRYING, _BECAUSE)
    orphan.ended_at = now if orphan.status in ENDED else None


def _choose_head(book: LaneBook, now: Millis) -> bool:
    """Whether something waited and nothing was head. A head that has ended just now is none."""
    lane, was_headless = book.lane, book.lane.head_id is None
    head = book.deliveries.get(lane.head_id or "")
    if head is not None and head.status not in ENDED:
        return False
    waiting = [row for row in book.deliveries.values() if row.waiting]
    newest_first = lane.policy is LanePolicy.LATEST
    following = sorted(waiting, key=book.position, reverse=newest_first)[:1]
    lane.head_id = following[0].id if following else None
    lane.waits_for = None
    lane.due_at = max(now, lane.not_before) if following else now
    return was_headless and bool(following)


def _locked(connection: Connection, ids: Collection[int]) -> list[Lane]:
    if not ids:
        return []
    query = (
        select(*(LANE.c[name] for name in _LANE_COLUMNS))
        .where(LANE.c.id.in_(ids))
        .order_by(LANE.c.id)
        .with_for_update(key_share=True)
    )
    return [columns.lane_from(row) for row in connection.execute(query)]


def _deliveries(connection: Connection, lane: Lane) -> dict[str, Delivery]:
    """Those being sent, the first that waits, those in doubt, the head and what the target shows."""
    wanted = select(*(DELIVERY.c[name] for name in _DELIVERY_COLUMNS)).where(DELIVERY.c.lane_id == lane.id)
    waiting = wanted.where(DELIVERY.c.status.in_([status.value for status in WAITING]))
    if lane.policy is not LanePolicy.LATEST:
        waiting = waiting.order_by(DELIVERY.c.seq).limit(1)
    besides = wanted.where(
        or_(
            DELIVERY.c.status == DeliveryStatus.SENDING.value,
            DELIVERY.c.doubt_until > lane.cleared_to,
            DELIVERY.c.id.in_([lane.head_id or "", lane.shown_id or ""]),
        )
    )
    found = [*connection.execute(waiting), *connection.execute(besides)]
    return {row.id: row for row in map(columns.delivery_from, found)}


def _terms(connection: Connection, rows: dict[str, Delivery], now: Millis, settle: Millis) -> Terms:
    hooks = connection.execute(
        select(HOOK.c.id, HOOK.c.off_at).where(HOOK.c.id.in_({row.hook_id for row in rows.values()}))
    )
    return Terms(
        now=now,
        settle=settle,
        lease=0,  # nothing is leased here
        new_token=new_token,
        new_id=lambda: new_id("dlv", now),
        hooks={hook_id: HookFacts(off_at=off_at) for hook_id, off_at in hooks},
    )


def _close_attempts(connection: Connection, orphans: Collection[Delivery], now: Millis) -> None:
    """A result that still comes is kept as late."""
    connection.execute(
        update(ATTEMPT)
        .where(
            ATTEMPT.c.delivery_id.in_([row.id for row in orphans]),
            ATTEMPT.c.finished_at.is_(None),
        )
        .values(
            outcome="Unknown",
            detail=json.dumps({"reason": _BECAUSE}),
            certainty=Certainty.DOUBTFUL.value,
            finished_at=now,
            closed_by="rescue",
        )
    )


def _write(connection: Connection, lane: Lane, known: Collection[str], changed: dict[str, Delivery]) -> None:
    for row in changed.values():
        if row.id in known:
            changes = dict(zip(columns.DELIVERY_CHANGES, columns.delivery_changes(row), strict=False))
            connection.execute(update(DELIVERY).where(DELIVERY.c.id == row.id).values(changes))
        else:
            names = (*_DELIVERY_COLUMNS, "lane_id")
            values: dict[str, Any] = dict(zip(names, columns.delivery_values(row, lane.id), strict=True))
            connection.execute(insert(DELIVERY).values(values))
    changes = dict(zip(columns.LANE_CHANGES, columns.lane_changes(lane), strict=False))
    connection.execute(update(LANE).where(LANE.c.id == lane.id).values(changes))
