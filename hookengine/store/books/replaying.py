"""Replaying: a delivery that has ended enters its lane once more."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace

from hookengine.domain.delivery import CHECK, ENDED, Delivery, asked_again
from hookengine.domain.documents import digest
from hookengine.domain.hook import LanePolicy
from hookengine.domain.request import RenderedRequest
from hookengine.errors import NotFound, ReplayRefused
from hookengine.store.books.asks import Ask, Replay
from hookengine.store.books.desk import Desk
from hookengine.store.books.outcome import Outcome
from hookengine.store.books.page import Page
from hookengine.store.books.steps import Answer, LoadOriginals, Original, Step
from hookengine.store.calls import OwedDelivery


class Replays:
    """Those of a transaction. What an original is does not change any more: it is read without a lock."""

    def __init__(self, asks: Sequence[Ask], outcomes: Sequence[Outcome]) -> None:
        self._asks = {index: ask for index, ask in enumerate(asks) if isinstance(ask, Replay)}
        self._outcomes = outcomes
        self._originals: Mapping[str, Original] = {}
        self._entering: dict[int, Replay] = {}

    def look(self) -> Generator[Step, Answer, None]:
        """What is to be replayed, and whether it can be as far as that does not depend on its lane."""
        if not self._asks:
            return
        ids = {name for ask in self._asks.values() for name in (ask.owed.id, ask.owed.replay_of)}
        self._originals = yield LoadOriginals(ids)
        taken = set(self._originals)
        for index, ask in self._asks.items():
            outcome = self._outcomes[index]
            outcome.known = ask.owed.id in taken
            outcome.failure = None if outcome.known else self._refusal(ask)
            if not outcome.known and outcome.failure is None:
                taken.add(ask.owed.id)
                self._entering[index] = ask

    def lanes(self) -> dict[str, LanePolicy]:
        """Those that are looked up by their keys."""
        return {self._elsewhere(ask)[0]: self._elsewhere(ask)[1] for ask in self._by_key().values()}

    def by_key(self) -> Iterator[tuple[int, str]]:
        """With the indexes of their calls."""
        for index, ask in self._by_key().items():
            yield index, self._elsewhere(ask)[0]

    def deliveries(self) -> Iterator[Delivery | OwedDelivery]:
        """Whose hooks and gates have to do with it."""
        for ask in self._entering.values():
            yield ask.owed.anew or self._originals[ask.owed.replay_of].delivery

    def lane_of(self, ask: Replay) -> int | None:
        """Of one that goes where the original went; None: it is looked up by its key, or nowhere."""
        goes = any(ask is entering for entering in self._entering.values())
        return self._originals[ask.owed.replay_of].lane_id if goes and not self._is_by_key(ask) else None

    def enter(self, desk: Desk, index: int, ask: Replay, pages: Sequence[Page]) -> None:
        if index not in self._entering:
            return
        if not pages:  # pruned since it was looked at
            self._outcomes[index].failure = NotFound("delivery", ask.owed.replay_of)
            return
        (page,) = pages
        original = self._originals[ask.owed.replay_of]
        known_here = original.lane_id == page.lane.id
        row, request = _row(original, ask, desk.now)
        if not known_here and request is None:
            request = original.request  # which would be pruned with the original's lane
        scope = None if row.number is None else f"pipeline:{original.pipeline_id}"
        refusal = desk.book(page).replay(row, scope, known_here=known_here)
        if refusal is not None:
            self._outcomes[index].failure = ReplayRefused(f"{refusal}: {original.delivery.id} stays as it is")
        elif request is not None:
            row.request_id, row.digest = row.id, digest(request)
            desk.write.requests.append((row.id, request))
            desk.requests[row.id] = RenderedRequest.from_json(request)

    def _by_key(self) -> dict[int, Replay]:
        return {index: ask for index, ask in self._entering.items() if self._is_by_key(ask)}

    def _is_by_key(self, ask: Replay) -> bool:
        """Where the original has a lane of its own, the replay gets another one."""
        original = self._originals[ask.owed.replay_of]
        return ask.owed.anew is not None or original.policy is LanePolicy.NONE

    def _elsewhere(self, ask: Replay) -> tuple[str, LanePolicy]:
        rendered = ask.owed.anew
        if rendered is None:
            return f"delivery:{ask.owed.id}", LanePolicy.NONE
        return rendered.lane_key, rendered.policy

    def _refusal(self, ask: Replay) -> Exception | None:
        original = self._originals.get(ask.owed.replay_of)
        if original is None:
            return NotFound("delivery", ask.owed.replay_of)
        row = original.delivery
        if row.status not in ENDED:
            return ReplayRefused(f"{row.id} has not ended: it is {row.status}")
        if row.part == CHECK:
            return ReplayRefused(f"{row.id} told nothing: it asked what is shown")
        if ask.owed.anew is None and original.request is None:
            return ReplayRefused(f"{row.id} has no request that could be sent again: {row.because}")
        return None


def _row(original: Original, ask: Replay, now: int) -> tuple[Delivery, str | None]:
    """The new delivery, and its request if it is another one."""
    row = asked_again(original.delivery, ask.owed.id, now)
    rendered: OwedDelivery | None = ask.owed.anew
    if rendered is None or rendered.request is None:
        return row, None
    changed = replace(
        row,
        hook_revision=rendered.hook_revision,
        host=rendered.host,
        account=rendered.account,
        rate=rendered.rate,
        part=rendered.part,
        provides=rendered.provides,
    )
    return changed, rendered.request.to_json()
