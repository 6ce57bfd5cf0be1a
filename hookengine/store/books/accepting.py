"""Accepting events: what an event owes enters its lanes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hookengine.domain.clock import Millis
from hookengine.domain.delivery import Delivery, DeliveryStatus
from hookengine.domain.documents import digest
from hookengine.domain.event import watched
from hookengine.domain.hook import LanePolicy
from hookengine.errors import ActionMovedOn, EventConflict, StaleContext
from hookengine.store.books.asks import Accept
from hookengine.store.books.desk import Desk
from hookengine.store.books.page import Page
from hookengine.store.books.steps import (
    ActionFacts,
    EventRow,
    MovedAction,
    NewAction,
    SecretRow,
    WriteActions,
)
from hookengine.store.calls import Accepted, ActionKey, OwedDelivery, OwedEvent


@dataclass(slots=True)
class _Action:
    """An action as it will be after the transaction. `first_seq` is 0 until a new one is written."""

    first_seq: int
    revision: int
    open_since: Millis | None
    ended_number: int | None
    context: str = ""
    moved: bool = False


@dataclass(slots=True)
class Arrivals:
    """What of the events of a transaction is new, call by call."""

    now: Millis
    events: dict[str, tuple[str, str]]
    actions: dict[ActionKey, _Action]
    fresh: dict[int, list[OwedEvent]] = field(default_factory=dict)  # by the call's index

    @classmethod
    def of(
        cls, now: Millis, events: Mapping[str, tuple[str, str]], actions: Mapping[ActionKey, ActionFacts]
    ) -> Arrivals:
        return cls(now, dict(events), {key: _Action(*facts) for key, facts in actions.items()})

    def take(self, index: int, ask: Accept) -> list[Accepted] | Exception:
        """All events of a call or, if one of them cannot be, none."""
        events, actions = dict[str, tuple[str, str]](), dict[ActionKey, _Action]()
        fresh, accepted = [], []
        for owed in ask.events:
            known = self.events.get(owed.key) or events.get(owed.key)
            if known is not None:
                if known[0] != owed.digest:
                    return EventConflict(owed.id)
                accepted.append(Accepted(answer=known[1], fresh=False))
                continue
            action = actions.get(owed.action) or self.actions.get(owed.action)
            if (action.revision if action else 0) != owed.known_revision:
                return StaleContext(f"action {owed.action} changed meanwhile")
            since = owed.event.if_open_since
            if since is not None and (action is None or action.open_since != since):
                return ActionMovedOn(f"action {owed.action} has moved on")
            actions[owed.action] = self._moved(action, owed)
            events[owed.key] = owed.digest, owed.answer
            fresh.append(owed)
            accepted.append(Accepted(answer=owed.answer, fresh=True))
        self.events.update(events)
        self.actions.update(actions)
        self.fresh[index] = fresh
        return accepted

    def _moved(self, action: _Action | None, owed: OwedEvent) -> _Action:
        known = action or _Action(0, 0, None, None)
        open_since, ended_number = watched(owed.event, self.now, known.open_since, known.ended_number)
        return _Action(
            known.first_seq, known.revision + 1, open_since, ended_number, owed.context, moved=True
        )

    def write_actions(self) -> WriteActions:
        new, moved = [], []
        for (pipeline_id, action_id), action in self.actions.items():
            last = action.context, self.now, action.open_since, action.ended_number
            if action.moved and action.first_seq:
                moved.append(MovedAction(action.revision, *last, action.first_seq))
            elif action.moved:
                new.append(NewAction(pipeline_id, action_id, action.revision, *last))
        return WriteActions(new, sorted(moved, key=lambda row: row.first_seq))

    def written(self, first_seqs: Mapping[ActionKey, int]) -> None:
        for key, first_seq in first_seqs.items():
            self.actions[key].first_seq = first_seq

    def owed(self) -> Iterator[tuple[int, OwedDelivery]]:
        """With the index of its call."""
        for index, fresh in self.fresh.items():
            for event in fresh:
                for delivery in event.deliveries:
                    yield index, delivery

    def lanes(self) -> dict[str, LanePolicy]:
        """A lane has the policy of the delivery it was made for."""
        lanes = dict[str, LanePolicy]()
        for _, delivery in self.owed():
            if delivery.request is not None:
                lanes.setdefault(delivery.lane_key, delivery.policy)
        return lanes


def owe(desk: Desk, arrivals: Arrivals, owed: OwedEvent, pages: Mapping[str, Page]) -> None:
    """Write down the event and let what it owes enter its lanes."""
    first_seq = arrivals.actions[owed.action].first_seq
    event, now = owed.event, desk.now
    desk.write.events.append(
        EventRow(
            owed.key,
            event.type,
            first_seq,
            owed.known_revision + 1,
            owed.digest,
            owed.document,
            owed.answer,
            now,
            now if event.occurred_at is None else event.occurred_at,
        )
    )
    desk.write.secrets += [
        SecretRow(owed.pipeline_id, path, text, now) for path, text in owed.secrets.items()
    ]
    scope = None if event.number is None else f"pipeline:{owed.pipeline_id}"
    for delivery in sorted(owed.deliveries, key=lambda delivery: delivery.lane_key):
        row = _delivery(owed, delivery, first_seq, now)
        if delivery.request is None:
            row.status, row.because, row.ended_at = DeliveryStatus.FAILED, delivery.unrenderable, now
            desk.write.new_deliveries[row.id] = (None, row)
            continue
        document = delivery.request.to_json()
        row.digest = digest(document)
        desk.write.requests.append((row.id, document))
        desk.requests[row.id] = delivery.request
        desk.book(pages[delivery.lane_key]).accept(row, scope)


def _delivery(owed: OwedEvent, delivery: OwedDelivery, first_seq: int, now: Millis) -> Delivery:
    return Delivery(
        id=delivery.id,
        event_key=owed.key,
        hook_id=delivery.hook_id,
        hook_revision=delivery.hook_revision,
        request_id=delivery.id,
        digest="",
        number=owed.event.number,
        first_seq=first_seq,
        rank=owed.event.rank,
        accepted_at=now,
        host=delivery.host,
        account=delivery.account,
        rate=delivery.rate,
        part=delivery.part,
        provides=delivery.provides,
    )
