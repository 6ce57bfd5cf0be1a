"""What happens on a platform: actions on commits in two environments, told late, twice and out of order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

ENVIRONMENTS = ("staging", "production")
RANKS = {"queued": 0, "started": 1, "completed": 2, "failed": 2, "cancelled": 2}

Position = tuple[int, int]
"""(number of the action, how far it has come)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a status hangs."""

    sha: str
    environment: str


@dataclass(frozen=True, slots=True)
class News:
    """One event of an action. Told twice it is the same."""

    place: Place
    number: int
    kind: str

    @property
    def position(self) -> Position:
        return self.number, RANKS[self.kind]

    @property
    def document(self) -> dict[str, Any]:
        return {
            "id": f"evt-{self.number}-{self.kind}",
            "type": f"action.{self.kind}",
            "action": {
                "id": self.number,
                "number": self.number,
                "pipeline": 1,
                "triggered_from": {"hook_parsed_variables": {"commit_hash": self.place.sha}},
            },
            "environment": {"name": self.place.environment},
        }


def happenings(random: Random, commits: int) -> list[News]:
    """Everything that is told, in the order in which it arrives."""
    places = [Place(f"{commit + 1:040x}", name) for commit in range(commits) for name in ENVIRONMENTS]
    told: list[tuple[float, News]] = []
    number = 0
    for place in places:
        if random.random() < 0.2:
            continue  # nothing happens there
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            number += 1
            at = number + random.random()
            for kind in _course(random):
                at += random.random() * commits / 2
                told += [(late, News(place, number, kind)) for late in _arrivals(random, at, commits)]
    return [news for _, news in sorted(told, key=lambda each: each[0])]


def each_on_its_own(told: Sequence[News]) -> list[News]:
    """No two actions on one commit: for hosts that keep every action apart."""
    return [replace(news, place=replace(news.place, sha=f"{news.number:040x}")) for news in told]


def truth(told: Sequence[News]) -> dict[Place, News]:
    """What each place has to show in the end: the newest action's last state."""
    newest: dict[Place, News] = {}
    for news in told:
        known = newest.get(news.place)
        if known is None or news.position > known.position:
            newest[news.place] = news
    return newest


def _course(random: Random) -> Iterator[str]:
    """Of an action: some are never heard of being queued, or started; a few never end."""
    if random.random() < 0.6:
        yield "queued"
    if random.random() < 0.9:
        yield "started"
    if random.random() < 0.9:
        yield random.choice(("completed", "completed", "failed", "cancelled"))


def _arrivals(random: Random, at: float, commits: int) -> Iterator[float]:
    """Late, and perhaps once more."""
    yield at + (random.random() * commits if random.random() < 0.2 else 0)
    if random.random() < 0.15:
        yield at + random.random() * commits
