"""The conversation of a transaction: what a group of calls looks at, decides and writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from typing import Any

from hookengine.domain.attempt import Certainty
from hookengine.domain.delivery import Delivery
from hookengine.domain.gate import account_key, host_key
from hookengine.domain.hook import LanePolicy
from hookengine.errors import NotFound
from hookengine.store.books import accepting, capturing, working
from hookengine.store.books.accepting import Arrivals
from hookengine.store.books.asks import KINDS, Accept, Ask, Cancel, Claim, Finish, Release, Replay
from hookengine.store.books.claiming import Claims
from hookengine.store.books.desk import Desk
from hookengine.store.books.outcome import Outcome
from hookengine.store.books.page import Page, loading, put_in
from hookengine.store.books.replaying import Replays
from hookengine.store.books.steps import (
    Answer,
    AttemptFacts,
    Known,
    Lanes,
    LoadDeliveries,
    LoadHooks,
    LoadRequests,
    LoadWaitingBesides,
    LockActions,
    LockGates,
    LockLanes,
    Look,
    Step,
)
from hookengine.store.calls import OwedDelivery

Conversation = Generator[Step, Answer, list[Any]]
"""Yields what it asks of the database; returns a result or an exception for each call."""


def converse(asks: Sequence[Ask], desk: Desk) -> Conversation:
    """Everything happens at `desk.now`; if this raises, nothing may be written and `desk.give_back` is due."""
    group = _Group(asks, desk)
    yield from group.look()
    yield from group.open_pages()
    yield from group.load()
    for index, ask in enumerate(asks):
        if group.outcomes[index].failure is None:
            group.decide(index, ask)
    yield from group.hand_out()
    yield from group.claims.put_off()
    for page in desk.pages.values():
        page.write_into(desk.write, desk.now)
    yield desk.write
    desk.clear()
    return [outcome.result(ask) for ask, outcome in zip(asks, group.outcomes, strict=True)]


class _Group:
    """`_of` are the calls of each kind, with their indexes."""

    def __init__(self, asks: Sequence[Ask], desk: Desk) -> None:
        self.asks = asks
        self.desk = desk
        self.outcomes = [Outcome() for _ in asks]
        self._of: dict[type[Any], list[tuple[int, Any]]] = {kind: [] for kind in KINDS}
        for index, ask in enumerate(asks):
            self._of[type(ask)].append((index, ask))
        self._known = Known({}, {}, {})
        self._arrivals = Arrivals.of(desk.now, self._of[Accept])
        self.claims = Claims(desk, self.outcomes)
        self.replays = Replays(asks, self.outcomes)
        self._by_key: dict[str, Page] = {}
        self._settled: set[int] = set()  # tokens of attempts that were reported about, or given back

    def look(self) -> Generator[Step, Answer, None]:
        """What the calls are about; new events and their actions."""
        arrivals, of = self._arrivals, self._of
        look = Look(
            events=arrivals.keys(),
            tokens={ask.report.token for _, ask in of[Finish]} | {ask.token for _, ask in of[Release]},
            deliveries={ask.delivery_id for _, ask in of[Cancel]},
        )
        if look.events or look.tokens or look.deliveries:
            self._known = yield look
        yield from self.replays.look()
        if not arrivals.told:
            return
        arrivals.know(self._known.events, (yield LockActions(arrivals.of_actions())))
        for index in arrivals.told:
            taken = arrivals.take(index)
            if isinstance(taken, Exception):
                self.outcomes[index].failure = taken
            else:
                self.outcomes[index].accepted = taken
        if any(arrivals.fresh.values()):
            arrivals.written((yield arrivals.write_actions()))

    def open_pages(self) -> Generator[Step, Answer, None]:
        keys, about = self._arrivals.lanes() | self.replays.lanes(), list(self._about())
        if keys or about:
            ids = {lane_id: None for _, lane_id, _ in about}
            lanes: Lanes = yield LockLanes(keys, list(ids))
            for lane in (*lanes.known, *lanes.new):
                self._by_key[lane.key] = self.desk.open(lane)
            for lane in lanes.new:
                self._by_key[lane.key].new = True
            for index, lane_id, delivery_id in about:
                if lane_id in self.desk.pages:
                    self._expect(self.desk.pages[lane_id], index, delivery_id)
        for index, delivery in self._arrivals.owed:
            if delivery.request is not None:
                self.desk.touch(self._by_key[delivery.lane_key], index)
        for index, key in self.replays.by_key():
            self.desk.touch(self._by_key[key], index)
        for index, ask in self._of[Claim]:
            yield from self.claims.find(index, ask)

    def load(self) -> Generator[Step, Answer, None]:
        pages = self.desk.pages
        wanted = loading(pages, self._cancels())
        if wanted.ids or wanted.waiting_in:
            put_in(pages, (yield wanted), wanted.first)
        following = {lane_id for lane_id, page in pages.items() if page.goes_before_more()}
        if following:
            put_in(pages, (yield LoadDeliveries(waiting_in=following)))
        hooks = {row.hook_id for row in self._everything()}
        if hooks:
            self.desk.hooks.update((yield LoadHooks(hooks)))
        yield from self._load_besides()
        reports = [(index, ask.report) for index, ask in self._of[Finish]]
        yield from capturing.load(self.desk, reports, self._arrivals.owed, self._by_key)
        yield from self._lock_gates()

    def decide(self, index: int, ask: Ask) -> None:
        outcome, desk = self.outcomes[index], self.desk
        desk.terms = ask.terms
        if isinstance(ask, Accept):
            for arrival in self._arrivals.fresh.get(index, ()):
                accepting.owe(desk, self._arrivals, arrival, self._by_key)
        elif isinstance(ask, Finish):
            self._finish(outcome, ask)
        elif isinstance(ask, Claim):
            self.claims.rescue(index)
        elif isinstance(ask, Release):
            attempt = self._known.attempts.get(ask.token)
            page = None if attempt is None else self._held(attempt, ask.token)
            if page is not None:
                self._settled.add(ask.token)
                working.release(desk, page, ask)
        elif isinstance(ask, Replay):
            self.replays.enter(desk, index, ask, desk.pages_of.get(index, ()))
        else:
            self._cancel(outcome, ask)
        for page in desk.pages_of.get(index, ()):
            outcome.gather(page)

    def hand_out(self) -> Generator[Step, Answer, None]:
        """Each lane's head goes to the last call that has to do with the lane and can take it."""
        desk, given = self.desk, []
        for page in desk.pages.values():
            if not page.may_be_leased(desk.now):
                continue
            for index in sorted(page.touched, reverse=True):
                ask = self.asks[index]
                if self.outcomes[index].failure is not None or isinstance(ask, (Release, Cancel)):
                    continue
                desk.terms = ask.terms
                head = self.claims.hand_out(page, index) if page.claimed else desk.hand_out(page)
                self.outcomes[index].gather(page)
                if head is not None:
                    given.append((index, page, head))
                    break
        missing = {head.request_id for _, _, head in given} - desk.requests.keys()
        if missing:
            desk.requests.update((yield LoadRequests(missing)))
        yield from capturing.load_for(desk, given)
        for index, page, head in given:
            self.outcomes[index].leased += (desk.leased(page, head, capturing.known_to(desk, page, head)),)
        self._tell()

    def _tell(self) -> None:
        """What is left for later."""
        for index, _ in self._of[Claim]:
            self.claims.tell(index)
        for index, _ in self._of[Finish]:
            for page in self.desk.pages_of.get(index, ()):
                self.outcomes[index].waits |= page.lane.head_id is not None and page.lane.token is None

    def _everything(self) -> list[Delivery | OwedDelivery]:
        """All deliveries that may have to do with what is decided."""
        return [
            *[row for page in self.desk.pages.values() for row in page.rows.values()],
            *[delivery for _, delivery in self._arrivals.owed],
            *self.replays.deliveries(),
        ]

    def _cancels(self) -> int:
        """The most in one lane: each may take away what would be next."""
        known = self._known.deliveries
        of_lanes = Counter(
            known[ask.delivery_id][0] for _, ask in self._of[Cancel] if ask.delivery_id in known
        )
        return max(of_lanes.values(), default=0)

    def _lock_gates(self) -> Generator[Step, Answer, None]:
        everything = self._everything()
        keys = {host_key(host) for host in {row.host for row in everything}}
        keys |= {account_key(account) for account in {row.account for row in everything}}
        if keys:
            made = {account_key(account) for account in {row.account for row in everything if row.rate}}
            self.desk.gates.update((yield LockGates(keys, made)))

    def _load_besides(self) -> Generator[Step, Answer, None]:
        """What may go on although the head of its lane may not, whose hook is paused."""
        held_up = [
            lane_id
            for lane_id, page in self.desk.pages.items()
            if page.lane.policy is LanePolicy.ORDERED
            and any(self.desk.hook(row.hook_id).paused for row in page.rows.values())
        ]
        if held_up:
            put_in(self.desk.pages, (yield LoadWaitingBesides(held_up)))

    def _about(self) -> Iterator[tuple[int, int, str | None]]:
        """Calls about a lane that is known: their indexes, the lane, and the delivery that must be seen for it."""
        attempts, deliveries = self._known.attempts, self._known.deliveries
        for index, ask in self._of[Finish]:
            if ask.report.token in attempts:
                attempt = attempts[ask.report.token]
                yield index, attempt.lane_id, attempt.delivery_id
        for index, ask in self._of[Release]:
            if ask.token in attempts:
                yield index, attempts[ask.token].lane_id, None
        for index, ask in self._of[Cancel]:
            lane_id, _ = deliveries.get(ask.delivery_id, (None, ""))
            if lane_id is not None:
                yield index, lane_id, ask.delivery_id
        for index, ask in self._of[Replay]:
            lane_id = self.replays.lane_of(ask)
            if lane_id is not None:
                yield index, lane_id, None

    def _expect(self, page: Page, index: int, delivery_id: str | None) -> None:
        """What this call may bring about in the lane."""
        ask = self.asks[index]
        self.desk.touch(page, index)
        if delivery_id is not None:
            page.wanted.append(delivery_id)
        if isinstance(ask, Finish):
            report = ask.report
            started_at = self._known.attempts[report.token].started_at
            page.since = started_at if page.since is None else min(started_at, page.since)
            if page.lane.token != report.token or report.certainty is Certainty.DOUBTFUL or report.finding:
                page.doubts = True
        elif isinstance(ask, Cancel):
            page.doubts = True

    def _finish(self, outcome: Outcome, ask: Finish) -> None:
        report, desk = ask.report, self.desk
        attempt = self._known.attempts.get(report.token)
        if attempt is None or report.token in self._settled:
            outcome.late = True
            return
        self._settled.add(report.token)
        page = self._held(attempt, report.token)
        if page is None:
            outcome.late = True
            working.late(desk, desk.pages[attempt.lane_id], report, attempt)
            return
        head, notices = working.finish(desk, page, report, attempt)
        outcome.notices += notices
        outcome.finished, outcome.status, outcome.because = head.id, head.status, head.because

    def _cancel(self, outcome: Outcome, ask: Cancel) -> None:
        known = self._known.deliveries.get(ask.delivery_id)
        if known is None:
            outcome.failure = NotFound("delivery", ask.delivery_id)
        elif known[0] is None:
            outcome.status = known[1]
        else:
            outcome.status = working.cancel(self.desk, self.desk.pages[known[0]], ask)

    def _held(self, attempt: AttemptFacts, token: int) -> Page | None:
        """The page of the lane this token still holds."""
        page = self.desk.pages.get(attempt.lane_id)
        return page if page is not None and page.lane.token == token else None
