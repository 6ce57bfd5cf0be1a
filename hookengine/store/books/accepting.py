"""Accepting events: what an event owes enters its lanes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

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


_UNKNOWN: Final = _Action(0, 0, None, None)


class Arrival(NamedTuple):
    """An event of a call."""

    key: str
    action: ActionKey
    owed: OwedEvent


@dataclass(slots=True)
class Arrivals:
    """The events of a transaction and what of them is new, by the indexes of their calls."""

    now: Millis
    told: dict[int, list[Arrival]]
    events: dict[str, tuple[str, str]] = field(default_factory=dict)
    actions: dict[ActionKey, _Action] = field(default_factory=dict)
    fresh: dict[int, list[Arrival]] = field(default_factory=dict)
    owed: list[tuple[int, OwedDelivery]] = field(default_factory=list)  # by what is fresh

    @classmethod
    def of(cls, now: Millis, asks: Iterable[tuple[int, Accept]]) -> Arrivals:
        return cls(
            now, {index: [Arrival(owed.key, owed.action, owed) for owed in ask.events] for index, ask in asks}
        )

    def keys(self) -> set[str]:
        return {arrival.key for told in self.told.values() for arrival in told}

    def of_actions(self) -> set[ActionKey]:
        return {arrival.action for told in self.told.values() for arrival in told}

    def know(self, events: Mapping[str, tuple[str, str]], actions: Mapping[ActionKey, ActionFacts]) -> None:
        self.events = dict(events)
        self.actions = {key: _Action(*facts) for key, facts in actions.items()}

    def take(self, index: int) -> tuple[Accepted, ...] | Exception:
        """All events of a call or, if one of them cannot be, none."""
        events, actions = dict[str, tuple[str, str]](), dict[ActionKey, _Action]()
        fresh, accepted = [], []
        for arrival in self.told[index]:
            key, of_action, owed = arrival
            known = self.events.get(key) or events.get(key)
            if known is not None:
                if known[0] != owed.digest:
                    return EventConflict(owed.id)
                accepted.append(Accepted(answer=known[1], fresh=False))
                continue
            action = actions.get(of_action) or self.actions.get(of_action)
            if (action.revision if action else 0) != owed.known_revision:
                return StaleContext(f"action {of_action} changed meanwhile")
            since = owed.event.if_open_since
            if since is not None and (action is None or action.open_since != since):
                return ActionMovedOn(f"action {of_action} has moved on")
            actions[of_action] = self._moved(action or _UNKNOWN, owed)
            events[key] = owed.digest, owed.answer
            fresh.append(arrival)
            accepted.append(Accepted(answer=owed.answer, fresh=True))
        self.events.update(events)
        self.actions.update(actions)
        self.fresh[index] = fresh
        self.owed += [(index, delivery) for arrival in fresh for delivery in arrival.owed.deliveries]
        return tuple(accepted)

    def _moved(self, known: _Action, owed: OwedEvent) -> _Action:
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

    def lanes(self) -> dict[str, LanePolicy]:
        """A lane has the policy of the delivery it was made for."""
        lanes = dict[str, LanePolicy]()
        for _, delivery in self.owed:
            if delivery.request is not None:
                lanes.setdefault(delivery.lane_key, delivery.policy)
        return lanes


def owe(desk: Desk, arrivals: Arrivals, arrival: Arrival, pages: Mapping[str, Page]) -> None:
    """Write down the event and let what it owes enter its lanes."""
    key, action, owed = arrival
    first_seq = arrivals.actions[action].first_seq
    event, now = owed.event, desk.now
    desk.write.events.append(
        EventRow(
            key,
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
    if owed.secrets:
        desk.write.secrets += [
            SecretRow(owed.pipeline_id, path, text, now) for path, text in owed.secrets.items()
        ]
    scope = None if event.number is None else f"pipeline:{owed.pipeline_id}"
    for delivery in sorted(owed.deliveries, key=lambda delivery: delivery.lane_key):
        row = _delivery(arrival, delivery, first_seq, now)
        if delivery.request is None:
            row.status, row.because, row.ended_at = DeliveryStatus.FAILED, delivery.unrenderable, now
            desk.write.new_deliveries[row.id] = (None, row)
            continue
        document = delivery.request.to_json()
        row.digest = digest(document)
        desk.write.requests.append((row.id, document))
        desk.requests[row.id] = delivery.request
        desk.book(pages[delivery.lane_key]).accept(row, scope)


def _delivery(arrival: Arrival, delivery: OwedDelivery, first_seq: int, now: Millis) -> Delivery:
    event = arrival.owed.event
    return Delivery(
        id=delivery.id,
        event_key=arrival.key,
        hook_id=delivery.hook_id,
        hook_revision=delivery.hook_revision,
        request_id=delivery.id,
        digest="",
        number=event.number,
        first_seq=first_seq,
        rank=event.rank,
        accepted_at=now,
        host=delivery.host,
        account=delivery.account,
        rate=delivery.rate,
        part=delivery.part,
        provides=delivery.provides,
    )
