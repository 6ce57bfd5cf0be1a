"""Where a transaction's lanes are decided: who is admitted, what is handed out, what will be written."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from hookengine.domain.capture import Captured
from hookengine.domain.clock import Millis
from hookengine.domain.delivery import Delivery
from hookengine.domain.event import id_in
from hookengine.domain.gate import Gate, account_key, host_key
from hookengine.domain.identity import new_id, new_token
from hookengine.domain.lane import HookFacts, Lane, Terms, Wait
from hookengine.domain.lane_book import LaneBook
from hookengine.domain.rate import Rate
from hookengine.domain.request import RenderedRequest
from hookengine.store.books.page import Page
from hookengine.store.books.steps import HookChange, OpenedAttempt, Write
from hookengine.store.calls import Leased, LeaseTerms, Room, Seat

_NO_HOOK = HookFacts()


class Desk:
    """`terms` are those of the call that is being decided; all calls of a transaction come from one node."""

    def __init__(self, now: Millis, terms: LeaseTerms, new_token: Callable[[], int] = new_token) -> None:
        self.now = now
        self.terms = terms
        self.pages: dict[int, Page] = {}
        self.pages_of: dict[int, list[Page]] = {}  # by the index of a call
        self.hooks: dict[str, HookFacts] = {}
        self.gates: dict[str, Gate] = {}
        self.requests: dict[str, RenderedRequest] = {}
        self.write = Write(now=now)
        self._taken: list[tuple[Room, Seat]] = []
        self._lane_terms = Terms(
            now=now,
            settle=terms.settle,
            lease=terms.lease,
            new_token=new_token,
            new_id=lambda: new_id("dlv", self.now),
            hooks=self.hooks,
            admit=self._admit,
        )

    def turn_clock(self, now: Millis) -> None:
        """Locking the lanes took long: what others did to them meanwhile came before what is decided here.
        To be called before their pages are opened."""
        self.now = self.write.now = max(now, self.now)
        self._lane_terms = replace(self._lane_terms, now=self.now)

    def open(self, lane: Lane) -> Page:
        """The page of this lane; the first one loaded counts."""
        page = self.pages.get(lane.id)
        if page is None:
            page = self.pages[lane.id] = Page.of(lane)
        return page

    def touch(self, page: Page, index: int) -> None:
        """The page is a matter of the call of this index."""
        if index not in page.touched:
            page.touched.append(index)
            self.pages_of.setdefault(index, []).append(page)

    def book(self, page: Page) -> LaneBook:
        book = page.book
        if book is None:
            book = page.book = LaneBook(
                page.lane, page.rows, self._lane_terms, complete=page.complete, captured=page.captured
            )
        return book

    def hook(self, hook_id: str) -> HookFacts:
        return self.hooks.get(hook_id, _NO_HOOK)

    def gate(self, key: str) -> Gate:
        """Known or new; whoever changes it says so with `changed`."""
        if key not in self.gates:
            self.gates[key] = Gate(key=key)
        return self.gates[key]

    def changed(self, gate: Gate) -> None:
        self.write.gates[gate.key] = gate

    def change_hook(
        self, hook_id: str, facts: HookFacts, state: str | None = None, because: str = ""
    ) -> None:
        off_at = facts.off_at if state == "disabled" else None
        self.hooks[hook_id] = facts
        self.write.hooks.append(HookChange(hook_id, state, because, off_at, facts.failing_since))

    def hand_out(self, page: Page) -> Delivery | None:
        """The head of this lane with its attempt opened, if it is due and this call's node takes it."""
        if not self.terms.room.free:
            return None
        book = self.book(page)
        head = book.lease()
        if head is None or page.lane.token is None:
            return None
        page.seat = self._taken[-1][1]
        page.opened = OpenedAttempt(head.id, head.attempts, page.lane.token, self.terms.node, self.now)
        return head

    def leased(self, page: Page, head: Delivery, captured: Captured) -> Leased:
        book, opened, seat = self.book(page), page.opened, page.seat
        if opened is None or seat is None:
            raise ValueError(f"lane {page.lane.key!r} was not handed out")
        return Leased(
            token=opened.token,
            delivery_id=head.id,
            event_id=id_in(head.event_key),
            hook_id=head.hook_id,
            hook_revision=head.hook_revision,
            attempt=head.attempts,
            rank=head.rank,
            accepted_at=head.accepted_at,
            started_at=self.now,
            lane_key=page.lane.key,
            position=book.position(head),
            request=self.requests[head.request_id],
            seat=seat,
            part=head.part,
            captured=captured,
        )

    def clear(self) -> None:
        """All is decided and written: nobody opens a page any more. Pages and desk know each other: all that was
        made for the transaction would stay in memory until the collector looks for it."""
        self.pages.clear()
        self.pages_of.clear()
        del self._lane_terms

    @property
    def taken(self) -> int:
        """How many seats were taken so far."""
        return len(self._taken)

    def give_back(self, since: int = 0) -> None:
        """The transaction failed, or a part of it: so did what it took on."""
        for room, seat in self._taken[since:]:
            room.give(seat)
        del self._taken[since:]

    def _admit(self, head: Delivery) -> Wait | None:
        gates = self._gates_before(head)
        for gate, limit in gates:
            opens = gate.open_at
            if not gate.admits(self.now, limit):
                if gate.open_at != opens:
                    self.changed(gate)
                return Wait(behind=gate.key)
        seat = Seat(head.host, head.hook_id, head.strikes > 0)
        wait = self.terms.room.take(seat)
        if wait is not None:
            return wait
        self._taken.append((self.terms.room, seat))
        for gate, limit in gates:
            if gate.pass_through(self.now, self.terms.lease, limit):
                self.changed(gate)
        return None

    def _gates_before(self, head: Delivery) -> Sequence[tuple[Gate, Rate | None]]:
        """Of its host, which most often has none, and of its credential."""
        if not (self.gates or head.rate):
            return ()
        rate = Rate.parse(head.rate) if head.rate else None
        if rate is not None:
            self.gate(account_key(head.account))
        of_host, of_account = self.gates.get(host_key(head.host)), self.gates.get(account_key(head.account))
        return [(gate, limit) for gate, limit in ((of_host, None), (of_account, rate)) if gate is not None]


def heard_from(desk: Desk, head: Delivery, *, failed: bool) -> bool:
    """Keep the circuit of its host; whether it opened or closed."""
    key = host_key(head.host)
    if failed:
        gate = desk.gate(key)
        moved = gate.fail(desk.now, random.random())  # noqa: S311  it spreads probes
        desk.changed(gate)
        return moved
    known = desk.gates.get(key)
    if known is None or not (known.failures or known.trips):
        return False
    desk.changed(known)
    return known.succeed(desk.now)


def works(desk: Desk, hook_id: str) -> None:
    facts = desk.hook(hook_id)
    if facts.failing_since >= 0:
        desk.change_hook(hook_id, replace(facts, failing_since=-1))


def fails(desk: Desk, hook_id: str) -> bool:
    """Whether it has done nothing else for longer than anybody's patience: then it is paused."""
    facts = desk.hook(hook_id)
    if facts.failing_since < 0:
        desk.change_hook(hook_id, replace(facts, failing_since=desk.now))
        return False
    return not facts.paused and desk.now - facts.failing_since >= desk.terms.patience
