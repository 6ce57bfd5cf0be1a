"""One lane within a transaction: its book, and what the transaction will write about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hookengine.domain.clock import Millis
from hookengine.domain.delivery import Delivery
from hookengine.domain.hook import LanePolicy
from hookengine.domain.lane import Lane
from hookengine.domain.lane_book import LaneBook
from hookengine.store.books.columns import lane_changes
from hookengine.store.books.steps import (
    WAITING,
    ClosedAttempt,
    LateResult,
    LoadDeliveries,
    OpenedAttempt,
    Write,
)
from hookengine.store.calls import Seat


@dataclass(slots=True)
class Page:
    """`doubts`: some may open in this transaction; `since`: answered ones may open again from then on.

    `touched` are the calls that have to do with it, by index, `wanted` the deliveries they are about.
    `claimed`: a claim opened it.
    `stuck`: its rows contradict each other; nothing is written about it. `new`: the lane is still to be written.
    """

    lane: Lane
    before: tuple[Any, ...]
    touched: list[int] = field(default_factory=list)
    wanted: list[str] = field(default_factory=list)
    doubts: bool = False
    since: Millis | None = None
    claimed: bool = False
    stuck: bool = False
    new: bool = False
    rows: dict[str, Delivery] = field(default_factory=dict)
    complete: bool = True  # all that wait are in `rows`
    captured: dict[tuple[int, str], str] = field(default_factory=dict)  # by action and name
    knows_captures: bool = False  # all of the lane are in `captured`
    opened: OpenedAttempt | None = None
    seat: Seat | None = None  # that was taken for it
    closed: tuple[ClosedAttempt, ...] = ()
    late: tuple[LateResult, ...] = ()
    taken_back: tuple[int, ...] = ()
    book: LaneBook | None = None  # once it was needed

    @classmethod
    def of(cls, lane: Lane) -> Page:
        return cls(lane=lane, before=lane_changes(lane))

    def needs(self) -> tuple[list[str], bool, Millis | None]:
        """(deliveries by id, whether those that wait, since when those in doubt or None)."""
        lane = self.lane
        ids = self.wanted if lane.head_id is None else [lane.head_id, *self.wanted]
        answered = lane.cleared_to if self.since is None else min(lane.cleared_to, self.since)
        doubted = answered if self.doubts or lane.doubt_until > answered else None
        if doubted is not None and lane.shown_id is not None:
            ids = [*ids, lane.shown_id]
        return ids, self._may_have_more(), doubted

    def _may_have_more(self) -> bool:
        """Where only the newest counts, nothing waits behind a head that waits itself, but what it goes before."""
        if self.lane.policy is LanePolicy.LATEST:
            return self.lane.token is not None
        return self.lane.policy is LanePolicy.ORDERED and self.lane.head_id is not None

    def goes_before_more(self) -> bool:
        """As far as can be told from its deliveries."""
        lane = self.lane
        if lane.policy is not LanePolicy.LATEST or lane.token is not None:
            return False
        head = self.rows.get(lane.head_id or "")
        return head is not None and head.provides != ""

    def may_be_leased(self, now: Millis) -> bool:
        """As far as can be told without its deliveries."""
        lane = self.lane
        return lane.head_id is not None and lane.token is None and lane.due_at <= now

    def write_into(self, write: Write, now: Millis) -> None:
        if self.stuck:
            return
        lane = self.lane
        if lane.head_id is None and self._came_to_rest():
            lane.due_at = now
        for row in self.book.changed.values() if self.book else ():
            if row.id in self.rows:
                write.changed_deliveries[row.id] = row
            else:
                write.new_deliveries[row.id] = (lane.id, row)
        changes = lane_changes(lane)
        if changes == self.before:
            pass
        elif self.new:
            write.new_lanes.append((lane.key, lane.policy.value, *changes))
        else:
            write.lanes.append(changes)
        if self.opened is not None:
            write.opened.append(self.opened)
        write.closed += self.closed
        write.late += self.late
        write.taken_back += self.taken_back

    def _came_to_rest(self) -> bool:
        head_id, next_seq = self.before[0], self.before[5]
        return head_id is not None or next_seq != self.lane.next_seq


def loading(pages: dict[int, Page], cancels: int) -> LoadDeliveries:
    """What all pages need to see; `cancels`: how many of one lane may go before its next one is asked for."""
    ids, waiting, doubted = set[str](), set[int](), {}
    for lane_id, page in pages.items():
        of_page, more, since = page.needs()
        ids.update(of_page)
        if more:
            waiting.add(lane_id)
        if since is not None:
            doubted[lane_id] = since
    return LoadDeliveries(ids=ids, waiting_in=waiting, doubted_in=doubted, first=WAITING + cancels)


def put_in(pages: dict[int, Page], found: list[tuple[int, Delivery]], first: int | None = None) -> None:
    """`first`: how many waiting ones of each lane were asked for; a lane with fewer has no others."""
    for lane_id, row in found:
        page = pages[lane_id]
        if row.id not in page.rows:
            page.rows[row.id] = row
    if first is not None:
        for page in pages.values():
            rows = page.rows
            page.complete = len(rows) < first or sum(row.waiting for row in rows.values()) < first
