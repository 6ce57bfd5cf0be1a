"""How many hooks are tried out at once: requests that no lane, share or circuit counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from hookengine.errors import TooManyTrials

MOST_AT_ONCE: Final = 16
"""With more, whoever tries hooks out could take all sockets."""
MOST_OF_A_TEAM: Final = 8
"""With more, one team whose targets hang could keep all others from trying theirs."""


class TrialPlaces:
    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    @contextmanager
    def take(self, team: str) -> Iterator[None]:
        """A place for one request. What belongs to no team (an empty name) may take them all. Raises TooManyTrials."""
        if team and self._taken[team] >= MOST_OF_A_TEAM:
            raise TooManyTrials(
                f"{MOST_OF_A_TEAM} hooks of this team are being tried out just now; try again"
            )
        if self._taken.total() >= MOST_AT_ONCE:
            raise TooManyTrials(f"{MOST_AT_ONCE} hooks are being tried out just now; try again")
        self._taken[team] += 1
        try:
            yield
        finally:
            self._taken[team] -= 1
            if not self._taken[team]:
                del self._taken[team]
