"""Judging by what the host got and shows, and by nothing the engine says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from hookengine.simulators import Received
from tests.convergence.hosts import Family, place_of, position_of
from tests.convergence.world import News, Place, Position, truth


class Witness:
    """Notes while it happens: requests that were dropped after their work, and those that were under way together.
    What a host applies after its sender has stopped waiting is not the sender's fault: it counts neither for the order
    nor as under way."""

    def __init__(self) -> None:
        self.dropped: set[int] = set()
        self.together: list[tuple[Received, Received]] = []
        self._open: dict[Place, list[Received]] = defaultdict(list)

    def drops(self, received: Received) -> bool:
        if place_of(received) is None:
            return False
        self.dropped.add(received.number)
        return True

    def sees(self, received: Received) -> bool:
        """Always False: it is asked at every arrival and every end."""
        place = place_of(received)
        if place is None:
            return False
        before = self._open[place]
        others = [one for one in before if one.number != received.number]
        if received.status is None and not received.dropped:
            if len(others) == len(before):  # it has just come
                self.together += [(one, received) for one in others if not one.abandoned]
            others.append(received)
        self._open[place] = others
        return False


def wrong(
    family: Family,
    told: Sequence[News],
    received: Sequence[Received],
    shown: Mapping[Place, Sequence[str]],
    witness: Witness,
) -> Iterator[str]:
    """What is not as it should be."""
    yield from untrue(family, told, shown)
    yield from _out_of_order(received, witness)
    for one, other in witness.together:
        yield f"requests {one.number} and {other.number} were under way together for {place_of(one)}"


def untrue(family: Family, told: Sequence[News], shown: Mapping[Place, Sequence[str]]) -> Iterator[str]:
    expected = {place: [family.states[news.kind]] for place, news in truth(told).items()}
    for place in expected.keys() | shown.keys():
        if list(shown.get(place, ())) != expected.get(place, []):
            yield f"{place} shows {shown.get(place)} instead of {expected.get(place)}"


def _out_of_order(received: Sequence[Received], witness: Witness) -> Iterator[str]:
    newest: dict[Place, tuple[Position, int]] = {}
    for one in received:
        place = place_of(one)
        applied = (one.status is not None and one.status < 300) or one.number in witness.dropped
        if place is None or not applied or one.abandoned:
            continue
        position = position_of(one)
        before, number = newest.get(place, ((-1, -1), 0))
        if position < before:
            yield f"request {one.number} took {place} back from {before} (request {number}) to {position}"
        newest[place] = max((before, number), (position, one.number))
