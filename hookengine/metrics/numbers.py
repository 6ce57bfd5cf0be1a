"""Numbers that only grow. Adding takes tenths of a microsecond. Each has one thread that adds; any may read."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

Labels = tuple[str, ...]

OTHER = "other"


class Tally:
    """Counts by the values of a metric's labels. Those it `begins` with are there from the start, at zero:
    what comes into being with its first count is not seen to rise."""

    __slots__ = ("_counts",)

    def __init__(self, *begins: Labels) -> None:
        self._counts: dict[Labels, int] = dict.fromkeys(begins, 0)

    def add(self, labels: Labels = (), count: int = 1) -> None:
        self._counts[labels] = self._counts.get(labels, 0) + count

    def read(self) -> Mapping[Labels, int]:
        return self._counts.copy()  # in one step, whoever adds meanwhile


class Spread:
    """A histogram. `bounds` are the upper limits of its buckets, themselves included, rising."""

    __slots__ = ("_bounds", "_counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def read(self) -> list[tuple[str, float]]:
        """(upper limit, how many were at most that), as Prometheus counts; the last limit is +Inf."""
        found: list[tuple[str, float]] = []
        total = 0
        names = [*map(str, map(float, self._bounds)), "+Inf"]
        for name, count in zip(names, tuple(self._counts), strict=True):
            total += count
            found.append((name, total))
        return found


class Names:
    """Values for a label that others choose: the first `most` of them by their name, all others as OTHER."""

    __slots__ = ("_known", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def label(self, name: str, *, new: bool = True) -> str:
        """Unless it may be `new`, a name that is not known yet does not become known."""
        if name in self._known:
            return name
        if not new or not name or len(self._known) >= self._most:
            return OTHER
        self._known.add(name)
        return name
