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
from hookengine.store.books.asks import Accept, Ask, Cancel, Claim, Finish, Release, Replay
from hookengine.store.books.claiming import Claims
from hookengine.store.books.desk import Desk
from hookengine.store.books.outcome import Outcome
from hookengine.store.books.page import Page, loading, put_in
from hookengine.store.books.replaying import Replays
from hookengine.store.books.steps import (
    Answer,
    Known,
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
    return [outcome.result(ask) for ask, outcome in zip(asks, group.outcomes, strict=True)]


class _Group:
    def __init__(self, asks: Sequence[Ask], desk: Desk) -> None:
        self.asks = asks
        self.desk = desk
        self.outcomes = [Outcome() for _ in asks]
        self._known = Known({}, {}, {})
        self._arrivals = Arrivals.of(desk.now, {}, {})
        self.claims = Claims(desk, self.outcomes)
        self.replays = Replays(asks, self.outcomes)
        self._by_key: dict[str, Page] = {}
        self._settled: set[int] = set()  # tokens of attempts that were reported about, or given back

    def look(self) -> Generator[Step, Answer, None]:
        """What the calls are about; new events and their actions."""
        accepts = [(index, ask) for index, ask in enumerate(self.asks) if isinstance(ask, Accept)]
        look = Look(
            events={owed.key for _, ask in accepts for owed in ask.events},
            tokens={_token(ask) for ask in self.asks if isinstance(ask, (Finish, Release))},
            deliveries={ask.delivery_id for ask in self.asks if isinstance(ask, Cancel)},
        )
        if look.events or look.tokens or look.deliveries:
            self._known = yield look
        yield from self.replays.look()
        if not accepts:
            return
        known = yield LockActions({owed.action for _, ask in accepts for owed in ask.events})
        arrivals = self._arrivals = Arrivals.of(self.desk.now, self._known.events, known)
        for index, ask in accepts:
            taken = arrivals.take(index, ask)
            if isinstance(taken, Exception):
                self.outcomes[index].failure = taken
            else:
                self.outcomes[index].accepted = tuple(taken)
        if any(arrivals.fresh.values()):
            arrivals.written((yield arrivals.write_actions()))

    def open_pages(self) -> Generator[Step, Answer, None]:
        keys, ids = self._arrivals.lanes() | self.replays.lanes(), dict[int, list[int]]()
        for index, ask in enumerate(self.asks):
            lane_id = self._lane_of(ask)
            if lane_id is not None:
                ids.setdefault(lane_id, []).append(index)
        if keys or ids:
            for lane in (yield LockLanes(keys, list(ids))):
                page = self.desk.open(lane)
                self._by_key[lane.key] = page
                for index in ids.get(lane.id, ()):
                    self._expect(page, index)
        self._expect_arrivals()
        for index, ask in enumerate(self.asks):
            if isinstance(ask, Claim):
                yield from self.claims.find(index, ask)

    def _expect_arrivals(self) -> None:
        for index, delivery in self._arrivals.owed():
            if delivery.request is not None:
                self.desk.touch(self._by_key[delivery.lane_key], index)
        for index, key in self.replays.by_key():
            self.desk.touch(self._by_key[key], index)

    def load(self) -> Generator[Step, Answer, None]:
        pages = self.desk.pages
        about = {
            delivery_id: lane_id
            for ask in self.asks
            if (lane_id := self._lane_of(ask)) in pages and (delivery_id := self._delivery_of(ask))
        }
        wanted = loading(pages, about, self._cancels())
        if wanted.ids or wanted.waiting_in:
            put_in(pages, (yield wanted), wanted.first)
        yield from self._load_hooks()
        yield from self._load_besides()
        arrivals = [delivery for _, delivery in self._arrivals.owed()]
        yield from capturing.load(self.desk, self.asks, arrivals, self._by_key)
        yield from self._lock_gates()

    def decide(self, index: int, ask: Ask) -> None:
        outcome, desk = self.outcomes[index], self.desk
        desk.terms = ask.terms
        if isinstance(ask, Accept):
            for owed in self._arrivals.fresh.get(index, ()):
                accepting.owe(desk, self._arrivals, owed, self._by_key)
        elif isinstance(ask, Claim):
            self.claims.rescue(index)
        elif isinstance(ask, Finish):
            self._finish(outcome, ask)
        elif isinstance(ask, Release):
            page = self._held(ask.token)
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
        for page in list(desk.pages.values()):
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
            self.outcomes[index].leased.append(desk.leased(page, head, capturing.known_to(desk, page, head)))
        self._tell()

    def _tell(self) -> None:
        """What is left for later."""
        for index, ask in enumerate(self.asks):
            if isinstance(ask, Claim):
                self.claims.tell(index)
            elif isinstance(ask, Finish):
                lanes = [page.lane for page in self.desk.pages_of.get(index, ())]
                self.outcomes[index].waits = any(lane.head_id and lane.token is None for lane in lanes)

    def _everything(self) -> Iterator[Delivery | OwedDelivery]:
        """All deliveries that may have to do with what is decided."""
        for page in self.desk.pages.values():
            yield from page.rows.values()
        for _, delivery in self._arrivals.owed():
            yield delivery
        yield from self.replays.deliveries()

    def _cancels(self) -> int:
        """The most in one lane: each may take away what would be next."""
        of_lanes = Counter(self._lane_of(ask) for ask in self.asks if isinstance(ask, Cancel))
        return max(of_lanes.values(), default=0)

    def _load_hooks(self) -> Generator[Step, Answer, None]:
        hooks = {row.hook_id for row in self._everything()}
        if hooks:
            self.desk.hooks.update((yield LoadHooks(hooks)))

    def _lock_gates(self) -> Generator[Step, Answer, None]:
        hosts, accounts, made = set[str](), set[str](), set[str]()
        for row in self._everything():
            hosts.add(host_key(row.host))
            (made if row.rate else accounts).add(account_key(row.account))
        if hosts:
            self.desk.gates.update((yield LockGates(hosts | accounts | made, made)))

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

    def _expect(self, page: Page, index: int) -> None:
        """What this call may bring about in the lane."""
        ask = self.asks[index]
        self.desk.touch(page, index)
        if isinstance(ask, Cancel):
            page.doubts = True
        elif isinstance(ask, Finish):
            attempt = self._known.attempts[ask.report.token]
            held = page.lane.token == ask.report.token
            page.doubts |= not held or ask.report.certainty is Certainty.DOUBTFUL or bool(ask.report.finding)
            page.since = min(attempt.started_at, attempt.started_at if page.since is None else page.since)

    def _finish(self, outcome: Outcome, ask: Finish) -> None:
        report, desk = ask.report, self.desk
        attempt = self._known.attempts.get(report.token)
        page = self._held(report.token)
        if attempt is None or report.token in self._settled:
            outcome.late = True
            return
        self._settled.add(report.token)
        if page is None:
            outcome.late = True
            working.late(desk, desk.pages[attempt.lane_id], report, attempt)
            return
        outcome.notices += working.finish(desk, page, ask, attempt)
        head = desk.book(page).deliveries[attempt.delivery_id]  # as it is now: what comes later may end it
        outcome.finished, outcome.status, outcome.because = head.id, head.status, head.because

    def _cancel(self, outcome: Outcome, ask: Cancel) -> None:
        known = self._known.deliveries.get(ask.delivery_id)
        if known is None:
            outcome.failure = NotFound("delivery", ask.delivery_id)
        elif known[0] is None:
            outcome.status = known[1]
        else:
            outcome.status = working.cancel(self.desk, self.desk.pages[known[0]], ask)

    def _held(self, token: int) -> Page | None:
        """The page of the lane this token still holds."""
        attempt = self._known.attempts.get(token)
        page = None if attempt is None else self.desk.pages.get(attempt.lane_id)
        return page if page is not None and page.lane.token == token else None

    def _lane_of(self, ask: Ask) -> int | None:
        if isinstance(ask, Replay):
            return self.replays.lane_of(ask)
        if isinstance(ask, (Finish, Release)):
            attempt = self._known.attempts.get(_token(ask))
            return None if attempt is None else attempt.lane_id
        known = self._known.deliveries.get(ask.delivery_id) if isinstance(ask, Cancel) else None
        return None if known is None else known[0]

    def _delivery_of(self, ask: Ask) -> str | None:
        if isinstance(ask, Cancel):
            return ask.delivery_id
        if isinstance(ask, Finish):
            return self._known.attempts[ask.report.token].delivery_id
        return None


def _token(ask: Finish | Release) -> int:
    return ask.report.token if isinstance(ask, Finish) else ask.token
