"""What happens to a lane: arrivals, leases, results, and what follows from them.

A `LaneBook` is one lane with the deliveries a decision needs, loaded under the lane's lock. Its methods
decide what happens to them; whoever loaded the book writes down what changed. No clock, no database.

Three facts keep the order true: a lane has at most one lease, whose holder alone may end the head;
in a lane of policy `latest` an arrival is compared with the newest position ever accepted, not with what
was sent; and an attempt whose effect is in doubt makes the newest state be sent once more after the doubt
has settled (a repair).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hookengine.domain.attempt import Accept, Certainty, GiveUp, TryAgain, Verdict
from hookengine.domain.clock import Millis
from hookengine.domain.delivery import CHECK, CURE, Delivery, DeliveryStatus, once_more
from hookengine.domain.event import Rank
from hookengine.domain.gate import hook_key
from hookengine.domain.hook import LanePolicy
from hookengine.domain.lane import Finding, HookFacts, Lane, Position, Terms, Wait
from hookengine.domain.retry import FINAL_BUDGET, HOUR

POISON_STRIKES = 3
_UNKNOWN_HOOK = HookFacts()


class LaneBook:
    """`deliveries` must hold the head, what waits (in an `ordered` lane at least the next one), and,
    while a doubt is open, the shown delivery and those in doubt. `complete`: all that wait are there.
    `captured` are the captures that are known, by action and name, if any delivery here provides some.
    """

    def __init__(
        self,
        lane: Lane,
        deliveries: Mapping[str, Delivery],
        terms: Terms,
        *,
        complete: bool = True,
        captured: Collection[tuple[int, str]] = (),
    ) -> None:
        self.lane = lane
        self.deliveries = dict(deliveries)
        self.changed: dict[str, Delivery] = {}
        self.news: list[Delivery] = []  # what ended, and repairs that came to be owed, in order
        self.contested = False  # numbers of another pipeline ended ordering by number just now
        self._terms = terms
        self._complete = complete
        self._captured = captured

    # What happens to a lane

    def accept(self, arrival: Delivery, scope: str | None) -> None:
        """`scope` names whose number the arrival carries; None if it has none."""
        lane = self.lane
        arrival.seq = lane.next_seq
        lane.next_seq += 1
        self.contested |= lane.agree_on_order(scope)
        if self._is_late(arrival):
            self.deliveries[arrival.id] = arrival
            self._end(arrival, DeliveryStatus.SUPERSEDED, "late: a newer state was accepted before it")
            return
        lane.newest = (arrival.number, arrival.first_seq, arrival.rank, arrival.seq)
        self._enter(arrival)

    def replay(self, again: Delivery, scope: str | None, *, known_here: bool) -> str | None:
        """A person asks for a delivery again, that has ended. Why that cannot be, or None: then it waits.

        It keeps its place: where only the newest counts, nothing newer may have been accepted since; where all
        count in order, it goes before what is newer, and its position says how old it is. `known_here`: its
        `seq` is one of this lane, else it is new to it.
        """
        lane, agreed = self.lane, self.lane.scope
        contested = lane.agree_on_order(scope)
        latest = lane.policy is LanePolicy.LATEST
        if not known_here:
            again.seq = lane.next_seq
        if self._is_late(again):
            lane.scope = agreed
            return "a newer state of the same thing was accepted after it"
        self.contested |= contested
        if latest or not known_here:
            again.seq = lane.next_seq
            lane.next_seq += 1
            if not again.provides:
                lane.newest = (again.number, again.first_seq, again.rank, again.seq)
        self._enter(again)
        return None

    def lease(self) -> Delivery | None:
        """Hand out the head if it is due, free and admitted; the caller opens attempt number `attempts`."""
        lane = self.lane
        while (head := self._head()) is not None and lane.token is None and lane.due_at <= self._terms.now:
            if self._skips(head):
                if not self._knows_next(head):
                    return None  # the next claim loads more
                self._skip(head)
                continue
            if self._facts(head).paused:
                head = self._going_on(head)
            wait = self._wait_of(head)
            if wait is None:
                return self._hand_out(head)
            lane.waits_for = wait.behind
            return None
        return None

    def rescue(self) -> None:
        """The lease has ended without a result: its attempt is unknown, and its effect in doubt."""
        head = self._leased_head()
        self._doubt(head, self._terms.now + self._terms.settle)
        head.strikes += 1
        self.lane.token = None
        self._touch(head)
        if self._drops(head):
            return
        if head.strikes >= POISON_STRIKES and not self._is_worth_more(head):
            self._end(head, DeliveryStatus.FAILED, f"the node died {head.strikes} times while sending it")
            self._advance()
            return
        slow = HOUR if head.strikes >= POISON_STRIKES else 0
        self._wait_again(head, self._terms.now + slow, "the node that was sending it went away")

    def finish(
        self, verdict: Verdict, certainty: Certainty, started_at: Millis, finding: Finding | None = None
    ) -> None:
        """The holder's own report about the head, whose attempt began at `started_at`."""
        head = self._leased_head()
        self.lane.token = None
        head.strikes = 0
        self._touch(head)
        if certainty is Certainty.DOUBTFUL:
            self._doubt(head, self._terms.now + self._terms.settle)
        if not isinstance(verdict, Accept):  # a pause counts for the lane, whatever becomes of the head
            self.lane.not_before = max(self.lane.not_before, verdict.pause_until or 0)
        match verdict:
            case Accept(because=because):
                self._end(head, DeliveryStatus.DELIVERED, because)
                if head.part != CHECK:
                    self._show(head, certainty, started_at)
                self._advance()
                self._follow_up(head, finding)
            case GiveUp(because=because):
                self._end(head, DeliveryStatus.FAILED, because)
                self._advance()
            case TryAgain(at=at, because=because):
                self._wait_again(head, at, because)

    def late(self, delivery: Delivery, certainty: Certainty) -> None:
        """A result whose lease was gone: it changes no status, but what it says about the effect counts."""
        if certainty is Certainty.APPLIED:
            self._doubt(delivery, self._terms.now)
        elif certainty is Certainty.DOUBTFUL:
            self._doubt(delivery, self._terms.now + self._terms.settle)
        if self.lane.head_id is None:
            self._settle()

    def release(self, at: Millis = 0) -> None:
        """The holder gives the lease back before any byte left, to be taken again from `at` on; the caller
        deletes the open attempt."""
        head = self._leased_head()
        self.lane.token = None
        head.attempts -= 1
        self._touch(head)
        self._wait_again(head, max(at, self._terms.now), head.because, tried=head.attempts > 0)

    def cancel(self, delivery: Delivery, because: str) -> None:
        """A person ends it. In flight it only asks: an answer that says success still counts."""
        if delivery.status is DeliveryStatus.SENDING:
            delivery.cancel_asked = True
            self._touch(delivery)
        elif delivery.waiting:
            self._end(delivery, DeliveryStatus.CANCELLED, because)
            if self.lane.head_id == delivery.id:
                self._advance()

    def position(self, delivery: Delivery) -> Position:
        return self.lane.place(delivery.number, delivery.first_seq, delivery.rank, delivery.seq)

    # How it is decided

    def _is_late(self, arrival: Delivery) -> bool:
        lane = self.lane
        if lane.newest is None or lane.policy is not LanePolicy.LATEST:
            return False
        if arrival.provides:  # it comes before the state of its own event, whenever it is asked for again
            return lane.newest_place()[:-1] > self.position(arrival)[:-1]
        return lane.newest_place() > self.position(arrival)

    def _enter(self, arrival: Delivery) -> None:
        """What counts from now on where only the newest does, else one more that waits its turn."""
        lane, latest = self.lane, self.lane.policy is LanePolicy.LATEST
        if latest and self.deliveries:
            for older in self._waiting(besides=arrival):
                if not _goes_before(older, arrival):
                    self._supersede(older, arrival)
        self.deliveries[arrival.id] = arrival
        self._touch(arrival)
        head = self._head()
        if head is None or (latest and lane.token is None and not head.waiting):
            self._set_head(arrival)

    def _head(self) -> Delivery | None:
        return self.deliveries[self.lane.head_id] if self.lane.head_id else None

    def _leased_head(self) -> Delivery:
        head = self._head()
        if head is None or self.lane.token is None:
            raise ValueError(f"lane {self.lane.key!r} has no lease")
        return head

    def _waiting(self, besides: Delivery) -> list[Delivery]:
        return [row for row in self.deliveries.values() if row.waiting and row.id != besides.id]

    def _next(self, after: Delivery) -> Delivery | None:
        waiting = self._waiting(besides=after)
        if not waiting:
            return None
        if self.lane.policy is LanePolicy.LATEST:
            newest = max(waiting, key=self.position)
            waiting = [row for row in waiting if row is newest or _goes_before(row, newest)]
        return min(waiting, key=lambda row: row.seq)

    def _knows_next(self, head: Delivery) -> bool:
        return self._complete or self._next(head) is not None

    def _hand_out(self, head: Delivery) -> Delivery:
        lane, terms = self.lane, self._terms
        head.move(DeliveryStatus.SENDING)
        head.attempts += 1
        self._touch(head)
        lane.token, lane.due_at, lane.waits_for = terms.new_token(), terms.now + terms.lease, None
        return head

    def _going_on(self, head: Delivery) -> Delivery:
        """A head whose hook is paused lets others go first, as long as there are any."""
        others = [
            row for row in self._waiting(besides=head) if not (self._facts(row).paused or self._is_off(row))
        ]
        if others:
            head = min(others, key=lambda row: row.seq)
            self.lane.head_id = head.id
        return head

    def _wait_of(self, head: Delivery) -> Wait | None:
        if self._facts(head).paused:
            return Wait(behind=hook_key(head.hook_id))
        return self._terms.admit(head)

    def _set_head(self, delivery: Delivery) -> None:
        self.lane.waits_for = None
        self.lane.head_id = delivery.id
        self.lane.due_at = max(self._terms.now, self.lane.not_before)

    def _advance(self) -> None:
        head = self._head()
        following = self._next(head) if head is not None else None
        if following is not None:
            self._set_head(following)
            return
        self.lane.head_id = self.lane.waits_for = None
        self._settle()

    def _skips(self, head: Delivery) -> bool:
        return self._is_off(head) or self._is_unchanged(head) or self._is_known(head)

    def _skip(self, head: Delivery) -> None:
        if self._is_off(head):
            self._end(head, DeliveryStatus.CANCELLED, "its hook was switched off")
        elif self._is_known(head):
            self._end(head, DeliveryStatus.SUPERSEDED, f"not needed: {head.provides} is known already")
        else:
            self._end(head, DeliveryStatus.SUPERSEDED, "unchanged: the target already shows this")
            self.lane.shown_id = head.id
        self._advance()

    def _facts(self, delivery: Delivery) -> HookFacts:
        return self._terms.hooks.get(delivery.hook_id, _UNKNOWN_HOOK)

    def _is_off(self, delivery: Delivery) -> bool:
        return delivery.accepted_at <= self._facts(delivery).off_at

    def _is_unchanged(self, head: Delivery) -> bool:
        """What a person asks for again, and a repair, go out even if they look the same."""
        return (
            self.lane.policy is LanePolicy.LATEST
            and head.digest == self.lane.shown_digest
            and head.attempts == 0
            and head.part == 0  # what is captured may be something else now
            and head.replay_of is None
            and head.repair_of is None
        )

    def _is_known(self, head: Delivery) -> bool:
        """What a person asks for again goes out all the same."""
        return (
            head.provides != ""
            and head.replay_of is None
            and all((head.first_seq, name) in self._captured for name in head.provides.split())
        )

    def _is_worth_more(self, head: Delivery) -> bool:
        """A final state is tried on though the node died of it again and again, but not for ever."""
        return head.rank is Rank.FINISHED and self._terms.now < head.accepted_at + FINAL_BUDGET

    def _drops(self, head: Delivery) -> bool:
        """End the head if it is not wanted any more."""
        newer = self._next(head) if self.lane.policy is LanePolicy.LATEST else None
        if head.cancel_asked:
            self._end(head, DeliveryStatus.CANCELLED, "cancelled while it was being sent")
        elif self._is_off(head):
            self._end(head, DeliveryStatus.CANCELLED, "its hook was switched off")
        elif newer is not None and not _goes_before(head, newer):
            self._supersede(head, newer)
        else:
            return False
        self._advance()
        return True

    def _wait_again(self, head: Delivery, at: Millis, because: str, *, tried: bool = True) -> None:
        """Unless it is not wanted any more, the head goes back to waiting."""
        if not self._drops(head):
            head.move(DeliveryStatus.RETRYING if tried else DeliveryStatus.QUEUED, because)
            self.lane.waits_for = None
            self.lane.due_at = max(at, self.lane.not_before)

    def _supersede(self, older: Delivery, newer: Delivery) -> None:
        self._end(older, DeliveryStatus.SUPERSEDED, "a newer state of the same thing was accepted")
        older.superseded_by = newer.id

    def _end(self, delivery: Delivery, status: DeliveryStatus, because: str) -> None:
        delivery.move(status, because)
        delivery.ended_at = self._terms.now
        self._touch(delivery)
        self.news.append(delivery)

    def _show(self, head: Delivery, certainty: Certainty, started_at: Millis) -> None:
        if self.lane.policy is LanePolicy.LATEST and not head.provides:
            self.lane.shown_id = head.id
            self.lane.shown_digest = head.digest if certainty is Certainty.APPLIED else None
            self.lane.cleared_to = started_at

    def _doubt(self, delivery: Delivery, until: Millis) -> None:
        """From now on the target may show this delivery, or start to, until `until`."""
        if self.lane.policy is not LanePolicy.LATEST or delivery.part == CHECK or delivery.provides:
            return
        delivery.doubt_until = max(delivery.doubt_until, until)
        self.lane.doubt_until = max(self.lane.doubt_until, until)
        self.lane.shown_digest = None
        self._touch(delivery)
        head = self._head()
        if head is not None and head.repair_of is not None and self.lane.token is None:
            self.lane.due_at = max(self.lane.due_at, until)

    def _settle(self) -> None:
        """Nothing waits and nothing is in flight: is a repair of what is shown owed?

        `cleared_to` moves with it, so that a repair that fails is not repeated for ever.
        """
        lane = self.lane
        if lane.doubt_until <= lane.cleared_to or lane.shown_id is None:
            return
        shown = self.deliveries[lane.shown_id]
        if self.position(shown) != lane.newest_place() or self._is_off(shown):
            return
        until = max(
            (
                row.doubt_until
                for row in self.deliveries.values()
                if row.doubt_until > lane.cleared_to and self.position(row) < self.position(shown)
            ),
            default=0,
        )
        if until:
            self._repair(shown, until)

    def _follow_up(self, head: Delivery, finding: Finding | None) -> None:
        """Ask what the target shows of the newest state, or tell it once more if that was something else. Nothing
        newer may have come, and no repair be owed."""
        if finding is None or self.lane.head_id is not None:
            return
        if self.position(head) != self.lane.newest_place() or self._is_off(head):
            return
        now = self._terms.now
        if finding is Finding.TO_BE_CHECKED and self.lane.shown_id == head.id:
            self._owe_once_more(head, CHECK, now + self._terms.settle)
        elif finding is Finding.WRONG and self.lane.shown_id is not None:
            self.lane.shown_digest = None
            self._owe_once_more(self.deliveries[self.lane.shown_id], CURE, now)

    def _owe_once_more(self, shown: Delivery, part: int, at: Millis) -> Delivery:
        again = once_more(shown, self._terms.new_id(), self._terms.now, part)
        self.deliveries[again.id] = again
        self._touch(again)
        self.lane.head_id, self.lane.waits_for = again.id, None
        self.lane.due_at = max(at, self.lane.not_before)
        return again

    def _repair(self, shown: Delivery, until: Millis) -> None:
        self.news.append(self._owe_once_more(shown, shown.part, until))
        self.lane.cleared_to = until
        self.lane.shown_digest = None  # until then the target may come to show something else

    def _touch(self, delivery: Delivery) -> None:
        self.changed[delivery.id] = delivery


def _goes_before(earlier: Delivery, delivery: Delivery) -> bool:
    """Whether it finds out what a later request of the same hook for the same event has to say."""
    return (
        earlier.provides != ""
        and earlier.event_key == delivery.event_key
        and earlier.hook_id == delivery.hook_id
        and earlier.part < delivery.part
    )
