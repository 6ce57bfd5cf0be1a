"""Histories of one lane in memory: whatever happens, the order stays true and the target ends right.

All short histories of a few kinds of steps are walked through, longer ones of more kinds are drawn at random.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hookengine.domain.attempt import Accept, Certainty, GiveUp, TryAgain, Verdict
from hookengine.domain.delivery import BORN, ENDED, TRANSITIONS, Delivery, DeliveryStatus
from hookengine.domain.event import Rank
from hookengine.domain.hook import LanePolicy
from hookengine.domain.lane import Lane, Position, Terms
from hookengine.domain.lane_book import LaneBook
from tests.conftest import NOW, Receiver, make_delivery, make_lane

SECOND = 1000
LEASE = 50 * SECOND
SETTLE = 60 * SECOND
LAST_WRITE = 20 * SECOND  # after the lease began; what is written later is written by mistake

DELIVERED = Accept(because="200")
REFUSED = GiveUp(because="422")
OPENED = "opened"  # what the first of two requests tells the second
UNOPENED = "nothing was opened"
UNDONE = {DeliveryStatus.FAILED, DeliveryStatus.CANCELLED}
OUT_OF_TIME = GiveUp(because="timed out; out of time")


@dataclass(slots=True)
class Try:
    """An attempt, with what its node knows of it. `closed`: its lease is over."""

    delivery_id: str
    token: int
    number: int
    started_at: int
    sent: bool = False
    closed: bool = False
    reported: bool = False


class LaneRun:
    """One lane, the nodes that work for it, and a receiver; every step takes a millisecond.

    `opens`: every event owes two requests, of which the first opens something once for its action, and the second
    needs to know what that was.
    """

    def __init__(self, policy: LanePolicy, *, opens: bool = False) -> None:
        self.opens = opens
        self.captured: set[tuple[int, str]] = set()
        self.now = NOW
        self.made = 0
        self.lane: Lane = make_lane(policy)
        self.deliveries: dict[str, Delivery] = {}
        self.tries: list[Try] = []
        self.receiver = Receiver()
        self.first_seqs: dict[tuple[str | None, int], int] = {}
        self.ended: dict[str, DeliveryStatus] = {}
        self.highest_leased: Position | None = None
        self.doubts = 0
        self.mixed = False  # the order was changed on the way
        self.births: set[DeliveryStatus] = set()  # of this history and its forks

    def fork(self) -> LaneRun:
        fork = copy.copy(self)
        fork.lane = replace(self.lane)
        fork.deliveries = {key: copy.copy(row) for key, row in self.deliveries.items()}
        fork.tries = [copy.copy(tried) for tried in self.tries]
        fork.receiver = copy.deepcopy(self.receiver)
        fork.captured = set(self.captured)
        fork.first_seqs, fork.ended = dict(self.first_seqs), dict(self.ended)
        return fork

    # Steps

    def arrive(self, action: int, rank: Rank, state: str, scope: str | None = "pipeline:1") -> None:
        self.wait()
        self.mixed = self.mixed or (self.lane.newest is not None and scope != self.lane.scope)
        first_seq = self.first_seqs.setdefault((scope, action), len(self.first_seqs) + 1)
        arrival = make_delivery(
            self._name(),
            digest=state,
            number=None if scope is None else action,
            first_seq=first_seq,
            rank=rank,
            accepted_at=self.now,
            part=int(self.opens),
        )
        book = self._book()
        if self.opens:
            opening = replace(arrival, id=self._name(), digest="opened", part=0, provides=OPENED)
            book.accept(opening, scope)
        book.accept(arrival, scope)
        self.births.add(arrival.status)
        self._lease(book)

    def claim(self) -> None:
        self.wait()
        book = self._book()
        if self.lane.due_at <= self.now and self.lane.token is not None:
            self._by_token(self.lane.token).closed = True
            self.doubts += 1
            book.rescue()
        self._lease(book)

    def report(self, tried: Try, verdict: Verdict, certainty: Certainty, *, goes_on: bool = True) -> None:
        """With `goes_on` the node takes the lane's next delivery at once."""
        self.wait()
        tried.reported = True
        book = self._book()
        self.doubts += certainty is not Certainty.REFUSED
        delivery = self.deliveries[tried.delivery_id]
        if delivery.provides and isinstance(verdict, Accept):
            self.captured.add((delivery.first_seq, OPENED))
        if tried.token != self.lane.token:
            book.late(self.deliveries[tried.delivery_id], certainty)
            return self._keep(book)
        tried.closed = True
        book.finish(verdict, certainty, tried.started_at)
        return self._lease(book) if goes_on else self._keep(book)

    def release(self, tried: Try) -> None:
        self.wait()
        if tried.token == self.lane.token:
            self.tries.remove(tried)
            book = self._book()
            book.release()
            self._keep(book)

    def cancel(self, delivery_id: str) -> None:
        self.wait()
        book = self._book()
        book.cancel(self.deliveries[delivery_id], "a person said so")
        self._keep(book)

    def wait(self, millis: int = 1) -> None:
        self.now += millis
        self.receiver.tick(self.now)

    def wait_until_due(self) -> None:
        self.wait(max(self.lane.due_at - self.now, 1))

    def rest(self) -> None:
        """From now on the receiver takes everything at once."""
        for _ in range(50):
            if self.lane.head_id is None:
                break
            self.wait_until_due()
            self.claim()
            while (tried := self.in_flight()) is not None and not tried.sent:
                self.show(tried)
                self.report(tried, DELIVERED, Certainty.APPLIED)
        self.wait(2 * SETTLE)

    def show(self, tried: Try, *, after: int = 0) -> None:
        """The request reaches the receiver, which shows it now or `after` some time."""
        state = self.state_of(tried)
        tried.sent = True
        if self.deliveries[tried.delivery_id].provides:
            return
        if after:
            self.receiver.apply_later(state, self.now + after)
        else:
            self.receiver.apply(state)

    def in_flight(self) -> Try | None:
        return next((tried for tried in self.tries if tried.token == self.lane.token), None)

    def unsent(self) -> list[Try]:
        """What may still be sent: its lease lasts long enough."""
        return [t for t in self.tries if not t.sent and not t.closed and self.now < t.started_at + LAST_WRITE]

    def woken(self) -> list[Try]:
        return [t for t in self.tries if t.closed and not t.sent and not t.reported]

    def state_of(self, tried: Try) -> str:
        return self.deliveries[tried.delivery_id].digest

    # What must be true

    def check(self) -> None:
        rows = self.deliveries.values()
        sending = [row.id for row in rows if row.status is DeliveryStatus.SENDING]
        open_tokens = [tried.token for tried in self.tries if not tried.closed]
        leased = self.lane.token is not None

        assert self.lane.head_id is not None or not any(row.waiting for row in rows), "a stuck lane"
        assert self.lane.head_id is None or self.deliveries[self.lane.head_id].status not in ENDED
        assert sending == ([self.lane.head_id] if leased else []), "only the head of a leased lane is sent"
        assert open_tokens == ([self.lane.token] if leased else []), "one lease, one open attempt"
        for row in rows:
            numbers = [tried.number for tried in self.tries if tried.delivery_id == row.id]
            assert numbers == list(range(1, row.attempts + 1)), "attempts are numbered without gaps"
            assert (row.status in ENDED) == (row.ended_at is not None)
            if row.id in self.ended or row.status in ENDED:
                assert self.ended.setdefault(row.id, row.status) is row.status, "an end is an end"
        if self.lane.policy is LanePolicy.LATEST:
            self._check_latest()

    def check_at_rest(self) -> None:
        assert self.lane.head_id is None, "the lane never comes to rest"
        assert sum(row.repair_of is not None for row in self.deliveries.values()) <= self.doubts
        if self.lane.policy is LanePolicy.LATEST and (newest := self._newest_that_was_taken()) is not None:
            assert self.receiver.shown == newest.digest

    def _check_latest(self) -> None:
        rows = list(self.deliveries.values())
        waiting = [row for row in rows if row.waiting]
        assert len(waiting) <= 1 + self.opens, "no more than the newest waits"
        assert len({row.event_key for row in waiting}) <= 1, "no more than the newest waits"
        if self.mixed:
            return
        place = self._book().position
        newest = max(rows, key=place, default=None)
        for row in rows:
            if row.status is DeliveryStatus.SUPERSEDED and not row.because.startswith(
                ("unchanged", "not needed")
            ):
                assert newest is not None
                assert row.event_key != newest.event_key or row.repair_of is not None, (
                    "the newest was superseded"
                )

    def _newest_that_was_taken(self) -> Delivery | None:
        """None if the target has a right to show something else: it, or its repair, was not deliverable."""
        if self.lane.newest is None:
            return None
        same = [row for row in self.deliveries.values() if row.seq == self.lane.newest[-1]]
        if any(row.status in UNDONE for row in same):
            if same[0].because == UNOPENED:
                opening = [row for row in self.deliveries.values() if row.event_key == same[0].event_key]
                assert any(row.provides and row.status in UNDONE for row in opening), "it was never opened"
            return None
        return same[0]

    # How it is done

    def _name(self) -> str:
        self.made += 1
        return f"dlv_{self.made}"

    def _token(self) -> int:
        self.made += 1
        return self.made

    def _book(self) -> LaneBook:
        terms = Terms(
            now=self.now, settle=SETTLE, lease=LEASE, new_token=self._token, new_id=lambda: self._name()
        )
        return LaneBook(self.lane, self.deliveries, terms, captured=self.captured)

    def _keep(self, book: LaneBook) -> None:
        self.deliveries = book.deliveries

    def _lease(self, book: LaneBook) -> None:
        head = book.lease()
        self._keep(book)
        if head is None or self.lane.token is None:
            return
        if self.lane.policy is LanePolicy.LATEST and not self.mixed:
            place = book.position(head)
            assert self.highest_leased is None or place >= self.highest_leased, "older started after newer"
            self.highest_leased = place
        tried = Try(delivery_id=head.id, token=self.lane.token, number=head.attempts, started_at=self.now)
        self.tries.append(tried)
        if head.part and (head.first_seq, OPENED) not in self.captured:
            tried.sent = tried.reported = tried.closed = True
            book.finish(GiveUp(because=UNOPENED), Certainty.REFUSED, self.now)
            self._lease(book)

    def _by_token(self, token: int) -> Try:
        return next(tried for tried in self.tries if tried.token == token)


# All short histories


def _steps(run: LaneRun) -> Iterator[str]:
    """What can happen now; the cases are few, so that all of them can be tried."""
    if not run.deliveries:
        yield "newer, other state"
        return
    yield from ("newer, other state", "newer, same state", "older")
    tried = run.in_flight()
    if tried is not None and not tried.sent:
        yield from ("taken", "refused", "lost, applied late", "lost at the end", "dies, applied late", "dies")
        yield "released"
    if run.woken():
        yield "wakes"
    if run.lane.head_id is not None:
        yield from ("due", "cancelled")


def _step(run: LaneRun, step: str) -> None:  # noqa: C901  a table
    tried = run.in_flight()
    newest = max(run.deliveries.values(), key=lambda row: row.seq, default=None)
    action, state = (newest.number or 0, newest.digest) if newest else (0, "")
    other = "b" if state == "a" else "a"
    match step, tried:
        case "newer, other state", _:
            run.arrive(action + 1, Rank.STARTED, other)
        case "newer, same state", _:
            run.arrive(action + 1, Rank.STARTED, state)
        case "older", _:
            run.arrive(action, Rank.QUEUED, other)
        case "taken", Try():
            run.show(tried)
            run.report(tried, DELIVERED, Certainty.APPLIED)
        case "refused", Try():
            tried.sent = True
            run.report(tried, REFUSED, Certainty.REFUSED)
        case "lost, applied late", Try():
            run.show(tried, after=SETTLE - SECOND)
            run.report(tried, TryAgain(at=run.now + 5 * SECOND, because="timed out"), Certainty.DOUBTFUL)
        case "lost at the end", Try():
            run.show(tried, after=SETTLE - SECOND)
            run.report(tried, OUT_OF_TIME, Certainty.DOUBTFUL)
        case "dies, applied late", Try():
            run.show(tried, after=LEASE + SETTLE - SECOND)
            tried.reported = True
        case "dies", Try():
            tried.sent = tried.reported = True
        case "released", Try():
            run.release(tried)
        case "cancelled", _:
            run.cancel(run.lane.head_id or "")
        case "wakes", _:
            woken = run.woken()[0]
            run.show(woken)
            run.report(woken, DELIVERED, Certainty.APPLIED)
        case "due", _:
            run.wait_until_due()
            run.claim()


def _walk(run: LaneRun, past: tuple[str, ...], depth: int) -> int:
    """How many histories there were."""
    end = run.fork()
    end.rest()
    end.check()
    try:
        end.check_at_rest()
    except AssertionError as error:
        raise AssertionError(f"{error} after: {' / '.join(past)}") from error
    if depth == 0:
        return 1
    walked = 1
    for step in _steps(run):
        following = run.fork()
        _step(following, step)
        try:
            following.check()
        except AssertionError as error:
            raise AssertionError(f"{error} after: {' / '.join((*past, step))}") from error
        walked += _walk(following, (*past, step), depth - 1)
    return walked


Move = tuple[DeliveryStatus, DeliveryStatus]

MOVES = {(before, after) for before, following in TRANSITIONS.items() for after in following}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> set[Move]:
    """Every move that any delivery makes."""
    moves: set[Move] = set()
    move = Delivery.move

    def recorded(delivery: Delivery, status: DeliveryStatus, because: str = "") -> None:
        before = delivery.status
        move(delivery, status, because)
        moves.add((before, status))

    monkeypatch.setattr(Delivery, "move", recorded)
    return moves


@pytest.mark.parametrize(
    ("policy", "depth", "never"),
    [(LanePolicy.LATEST, 5, None), (LanePolicy.ORDERED, 4, DeliveryStatus.SUPERSEDED)],
)
def test_every_short_history_keeps_the_order_and_ends_right(
    policy: LanePolicy, depth: int, never: DeliveryStatus | None, made: set[Move]
) -> None:
    run = LaneRun(policy)

    walked = _walk(run, (), depth)

    assert walked > 500
    assert made == {move for move in MOVES if never not in move}, "the table of moves says what happens"
    assert run.births == BORN - {DeliveryStatus.FAILED, never}, "what failed at birth is in no lane"


def test_every_short_history_of_two_requests_keeps_the_order_and_ends_right(made: set[Move]) -> None:
    run = LaneRun(LanePolicy.LATEST, opens=True)

    walked = _walk(run, (), 5)

    assert walked > 500
    assert made == MOVES, "the table of moves says what happens"


# Longer histories, at random


class LaneHistory(RuleBasedStateMachine):
    """More kinds of steps: foreign numbers, pauses, reports after the lease, nodes that take nothing next."""

    run: LaneRun | None = None
    action = 1

    @initialize(
        kind=st.sampled_from(
            [(LanePolicy.LATEST, False), (LanePolicy.LATEST, True), (LanePolicy.ORDERED, False)]
        )
    )
    def begin(self, kind: tuple[LanePolicy, bool]) -> None:
        policy, opens = kind
        self.run = LaneRun(policy, opens=opens)

    @rule(
        step=st.sampled_from([1, 1, 0, -1]),
        rank=st.sampled_from(Rank),
        state=st.sampled_from("ab"),
        scope=st.sampled_from(["pipeline:1"] * 19 + [None]),
    )
    def arrive(self, step: int, rank: Rank, state: str, scope: str | None) -> None:
        self.action = max(self.action + step, 0)
        self.run.arrive(self.action, rank, state, scope)

    @precondition(lambda self: self.run.lane.head_id is not None)
    @rule()
    def claim_when_due(self) -> None:
        self.run.wait_until_due()
        self.run.claim()

    @precondition(lambda self: self.run.unsent())
    @rule(goes_on=st.booleans())
    def take(self, goes_on: bool) -> None:
        tried = self.run.unsent()[0]
        self.run.show(tried)
        self.run.report(tried, DELIVERED, Certainty.APPLIED, goes_on=goes_on)

    @precondition(lambda self: self.run.unsent())
    @rule(pause=st.sampled_from([0, 5, 20]), again=st.booleans())
    def refuse(self, pause: int, again: bool) -> None:
        tried = self.run.unsent()[0]
        tried.sent = True
        at = self.run.now + (pause or 5) * SECOND
        verdict = TryAgain(at=at, because="429", pause_until=at if pause else None) if again else REFUSED
        self.run.report(tried, verdict, Certainty.REFUSED)

    @precondition(lambda self: self.run.unsent())
    @rule(applied=st.sampled_from([0, 1, 30, 59]), says=st.sampled_from(["again", "give up", "nothing"]))
    def lose(self, applied: int, says: str) -> None:
        tried = self.run.unsent()[0]
        if applied:
            self.run.show(tried, after=applied * SECOND)
        tried.sent = True
        again = TryAgain(at=self.run.now + 5 * SECOND, because="timed out")
        if says == "nothing":
            tried.reported = True
        else:
            self.run.report(tried, again if says == "again" else OUT_OF_TIME, Certainty.DOUBTFUL)

    @precondition(lambda self: self.run.unsent())
    @rule()
    def release(self) -> None:
        self.run.release(self.run.unsent()[0])

    @precondition(lambda self: self.run.woken())
    @rule()
    def wake(self) -> None:
        """A node that was stopped right before writing writes now, its lease long gone, and reports."""
        woken = self.run.woken()[0]
        self.run.show(woken)
        self.run.report(woken, DELIVERED, Certainty.APPLIED)

    @precondition(lambda self: self.run.deliveries)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.run.cancel(data.draw(st.sampled_from(sorted(self.run.deliveries))))

    @rule(seconds=st.sampled_from([1, 20, 70]))
    def wait(self, seconds: int) -> None:
        self.run.wait(seconds * SECOND)

    @invariant()
    def the_lane_is_in_order(self) -> None:
        if self.run is not None:
            self.run.check()

    def teardown(self) -> None:
        if self.run is not None:
            self.run.rest()
            self.run.check()
            self.run.check_at_rest()


TestLaneHistory = LaneHistory.TestCase
TestLaneHistory.settings = settings(
    max_examples=150, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
