"""What became of everything, in numbers, for reports on runs too long to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tests.faults.history.check import check
from tests.faults.history.facts import Facts
from tests.faults.history.repeats import duplicates, excuse
from tests.faults.history.words import Fate, History


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """`excuse` says why it may have been sent once more; None: it may not."""

    delivery: str
    excuse: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """`emitted` counts events by id, `fates` the best that each was told, `violations` by invariant.

    `sends_inside_a_pause` are those nothing can prevent, whose sender stood still between its last look at
    the clock and the write.
    """

    emitted: int
    fates: Mapping[str, int]
    requests: int
    statuses: Mapping[str, int]
    repairs: int
    duplicates: tuple[Duplicate, ...]
    sends_inside_a_pause: int
    violations: Mapping[str, int]

    @property
    def delivered(self) -> int:
        return self.statuses.get("delivered", 0)

    @property
    def superseded(self) -> int:
        return self.statuses.get("superseded", 0)

    @property
    def failed(self) -> int:
        return self.statuses.get("failed", 0)

    @property
    def lost(self) -> int:
        return self.violations.get("I1", 0)

    @property
    def out_of_order(self) -> int:
        return self.violations.get("I4", 0)

    def __str__(self) -> str:
        excuses = Counter(one.excuse or "NONE" for one in self.duplicates)
        return "\n".join(
            (
                f"events      {self.emitted}: {_listed(self.fates)}",
                f"deliveries  {_listed(self.statuses)}; {self.repairs} are repairs",
                f"requests    {self.requests}, {self.sends_inside_a_pause} by senders that had stood still",
                f"duplicates  {len(self.duplicates)}: {_listed(excuses)}",
                f"violations  {_listed(self.violations)}",
            )
        )


def summarise(history: History) -> Ledger:
    facts = Facts(history)
    best: dict[str, Fate] = {}
    for told in history.emitted:
        best[told.event_id] = min(best.get(told.event_id, told.fate), told.fate, key=list(Fate).index)
    sendings = [sending for found in facts.sendings.values() for sending in found]
    return Ledger(
        emitted=len(best),
        fates=Counter(str(fate) for fate in best.values()),
        requests=len(history.received),
        statuses=Counter(row["status"] for row in history.rows.delivery),
        repairs=sum(row["repair_of"] is not None for row in history.rows.delivery),
        duplicates=tuple(
            Duplicate(delivery=later.row["id"], excuse=excuse(facts, later, earlier))
            for later, earlier in duplicates(facts)
        ),
        sends_inside_a_pause=sum(sending.stray is not None for sending in sendings),
        violations=Counter(violation.invariant for violation in check(history)),
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
