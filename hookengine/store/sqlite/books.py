"""Loading a lane with the deliveries a decision needs, and writing down what was decided."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hookengine.domain.clock import Millis
from hookengine.domain.delivery import ENDED, Delivery, DeliveryStatus
from hookengine.domain.event import Rank
from hookengine.domain.hook import LanePolicy
from hookengine.domain.identity import new_id, new_token
from hookengine.domain.lane import Lane, Terms
from hookengine.domain.lane_book import LaneBook
from hookengine.domain.request import RenderedRequest
from hookengine.store.contract import Ending, Leased, LeaseTerms

_LANE = (
    "id, key, policy, head_id, due_at, token, not_before, next_seq, scope,"
    " newest_number, newest_first, newest_rank, newest_seq, shown_id, shown_digest, cleared_to, doubt_until"
)
_DELIVERY = (
    "id, event_id, hook_id, hook_revision, lane_id, request_id, digest, number, first_seq, rank, seq, status,"
    " attempts, strikes, cancel_asked, doubt_until, superseded_by, because, replay_of, repair_of,"
    " accepted_at, ended_at"
)
_KNOWN_WAITING = 3  # the head, the next one, and one more to know whether that is all

_SAVE_DELIVERY = f"""
INSERT INTO delivery ({_DELIVERY}) VALUES ({", ".join("?" * len(_DELIVERY.split(",")))})
ON CONFLICT (id) DO UPDATE SET
    status = excluded.status, attempts = excluded.attempts, strikes = excluded.strikes,
    cancel_asked = excluded.cancel_asked, doubt_until = excluded.doubt_until,
    superseded_by = excluded.superseded_by, because = excluded.because, ended_at = excluded.ended_at
"""
_SAVE_LANE = """
UPDATE lane SET head_id = ?, due_at = ?, token = ?, not_before = ?, next_seq = ?, scope = ?,
    newest_number = ?, newest_first = ?, newest_rank = ?, newest_seq = ?,
    shown_id = ?, shown_digest = ?, cleared_to = ?, doubt_until = ?
WHERE id = ?
"""


class _HooksOff(Mapping[str, Millis]):
    """When hooks were switched off (-1: never), asked for those alone that a decision is about."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[str, Millis] = {}

    def switch_off(self, hook_id: str, because: str, now: Millis) -> None:
        self._known[hook_id] = now
        self._connection.execute(
            "UPDATE hook SET state = 'disabled', because = ?, off_at = ? WHERE id = ?",
            (because, now, hook_id),
        )

    def __getitem__(self, hook_id: str) -> Millis:
        if hook_id not in self._known:
            row = self._connection.execute("SELECT off_at FROM hook WHERE id = ?", (hook_id,)).fetchone()
            self._known[hook_id] = -1 if row is None else row[0]
        return self._known[hook_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


class Desk:
    """One transaction's view: decides lane by lane, and keeps what is to be told afterwards."""

    def __init__(self, connection: sqlite3.Connection, now: Millis, terms: LeaseTerms) -> None:
        self.connection = connection
        self.now = now
        self.leased: list[Leased] = []
        self.endings: list[Ending] = []
        self.repairs: list[str] = []
        self.requests: dict[str, RenderedRequest] = {}  # written by this transaction: not read back
        self._capacity = terms.capacity
        self._hooks_off = _HooksOff(connection)
        self._terms = Terms(
            now=now,
            settle=terms.settle,
            lease=terms.lease,
            new_token=new_token,
            new_id=lambda: new_id("dlv", now),
            hooks_off=self._hooks_off,
        )

    @property
    def has_capacity(self) -> bool:
        return len(self.leased) < self._capacity

    def lane_for(self, key: str, policy: LanePolicy) -> LaneBook:
        self.connection.execute(
            "INSERT INTO lane (key, policy) VALUES (?, ?) ON CONFLICT (key) DO NOTHING", (key, policy)
        )
        return self._book("key = ?", key)

    def lane(self, lane_id: int, *, doubts: bool = False, since: Millis | None = None) -> LaneBook:
        """With what is in doubt if `doubts` may open now, or answered ones open again from `since` on."""
        return self._book("id = ?", lane_id, doubts=doubts, since=since)

    def switch_off(self, hook_id: str, because: str) -> None:
        self._hooks_off.switch_off(hook_id, because, self.now)

    def told(self) -> tuple[int, int, int]:
        return len(self.leased), len(self.endings), len(self.repairs)

    def take_back(self, told: tuple[int, int, int]) -> None:
        """Forget what was to be told since: its rows were rolled back."""
        leased, endings, repairs = told
        del self.leased[leased:], self.endings[endings:], self.repairs[repairs:]

    def delivery(self, delivery_id: str) -> Delivery:
        (row,) = self._deliveries("id = ?", delivery_id)
        return row

    def lease(self, book: LaneBook) -> None:
        """Hand out the head of the lane if it is due and this node can take it, and open its attempt."""
        if not self.has_capacity:
            return
        head = book.lease()
        if head is None or book.lane.token is None:
            return
        self.connection.execute(
            "INSERT INTO attempt (delivery_id, number, token, started_at) VALUES (?, ?, ?, ?)",
            (head.id, head.attempts, book.lane.token, self.now),
        )
        self.leased.append(self._leased(book, head, book.lane.token))

    def save(self, book: LaneBook) -> None:
        lane = book.lane
        if lane.head_id is None:
            lane.due_at = self.now  # it came to rest
        newest = lane.newest or (None, None, None, None)
        self.connection.executemany(
            _SAVE_DELIVERY, [_delivery_values(row, lane.id) for row in book.changed.values()]
        )
        self.connection.execute(
            _SAVE_LANE,
            (
                *(lane.head_id, lane.due_at, lane.token, lane.not_before, lane.next_seq, lane.scope, *newest),
                *(lane.shown_id, lane.shown_digest, lane.cleared_to, lane.doubt_until, lane.id),
            ),
        )
        for row in book.changed.values():
            if row.status in ENDED:
                self.endings.append(Ending(delivery_id=row.id, status=row.status, because=row.because))
            elif row.repair_of is not None and row.attempts == 0:
                self.repairs.append(row.id)

    def _book(self, where: str, value: Any, *, doubts: bool = False, since: Millis | None = None) -> LaneBook:
        lane = _lane(self.connection.execute(f"SELECT {_LANE} FROM lane WHERE {where}", (value,)).fetchone())
        waiting = self._deliveries(
            "lane_id = ? AND status IN ('queued','retrying') ORDER BY seq LIMIT ?", lane.id, _KNOWN_WAITING
        )
        rows = {row.id: row for row in waiting}
        needed = [lane.head_id]
        answered = lane.cleared_to if since is None else min(lane.cleared_to, since)
        if doubts or lane.doubt_until > answered:
            needed.append(lane.shown_id)
            in_doubt = self._deliveries("lane_id = ? AND doubt_until > ?", lane.id, answered)
            rows.update((row.id, row) for row in in_doubt if row.id not in rows)
        for delivery_id in needed:
            if delivery_id is not None and delivery_id not in rows:
                rows.update((row.id, row) for row in self._deliveries("id = ?", delivery_id))
        return LaneBook(lane, rows, self._terms, complete=len(waiting) < _KNOWN_WAITING)

    def _deliveries(self, where: str, *values: Any) -> list[Delivery]:
        return [
            _delivery(row)
            for row in self.connection.execute(f"SELECT {_DELIVERY} FROM delivery WHERE {where}", values)
        ]

    def _leased(self, book: LaneBook, head: Delivery, token: int) -> Leased:
        return Leased(
            token=token,
            delivery_id=head.id,
            event_id=head.event_id,
            hook_id=head.hook_id,
            hook_revision=head.hook_revision,
            attempt=head.attempts,
            rank=head.rank,
            accepted_at=head.accepted_at,
            started_at=self.now,
            lane_key=book.lane.key,
            position=book.position(head),
            request=self._request(head.request_id),
        )

    def _request(self, request_id: str) -> RenderedRequest:
        if request_id not in self.requests:
            (document,) = self.connection.execute(
                "SELECT document FROM request WHERE id = ?", (request_id,)
            ).fetchone()
            self.requests[request_id] = RenderedRequest.from_json(document)
        return self.requests[request_id]


def close_attempt(connection: sqlite3.Connection, token: int, values: dict[str, Any]) -> bool:
    """Whether the attempt was still open."""
    columns = ", ".join(f"{name} = :{name}" for name in values)
    changed = connection.execute(
        f"UPDATE attempt SET {columns} WHERE token = :token AND finished_at IS NULL",
        {**values, "token": token},
    )
    return changed.rowcount == 1


def _lane(row: Iterable[Any]) -> Lane:
    (*plain, number, first, rank, seq, shown_id, shown_digest, cleared_to, doubt_until) = row
    lane_id, key, policy, head_id, due_at, token, not_before, next_seq, scope = plain
    return Lane(
        id=lane_id,
        key=key,
        policy=LanePolicy(policy),
        head_id=head_id,
        due_at=due_at,
        token=token,
        not_before=not_before,
        next_seq=next_seq,
        scope=scope,
        newest=None if seq is None else (number, first, rank, seq),
        shown_id=shown_id,
        shown_digest=shown_digest,
        cleared_to=cleared_to,
        doubt_until=doubt_until,
    )


def _delivery(row: tuple[Any, ...]) -> Delivery:
    values = dict(zip((name.strip() for name in _DELIVERY.split(",")), row, strict=True))
    del values["lane_id"]
    values["status"] = DeliveryStatus(values["status"])
    values["rank"] = Rank(values["rank"])
    values["cancel_asked"] = bool(values["cancel_asked"])
    return Delivery(**values)


def _delivery_values(row: Delivery, lane_id: int | None) -> tuple[Any, ...]:
    return (
        *(row.id, row.event_id, row.hook_id, row.hook_revision, lane_id, row.request_id, row.digest),
        *(row.number, row.first_seq, int(row.rank), row.seq, row.status, row.attempts, row.strikes),
        *(row.cancel_asked, row.doubt_until, row.superseded_by, row.because, row.replay_of, row.repair_of),
        *(row.accepted_at, row.ended_at),
    )


def save_without_lane(connection: sqlite3.Connection, row: Delivery) -> None:
    connection.execute(_SAVE_DELIVERY, _delivery_values(row, None))
