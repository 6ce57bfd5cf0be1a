"""What a store costs, by its contract: accepting and finishing in groups, and claiming from a backlog.

    python bench/store.py [--largest N] [WORD ...]

With words, only the databases that hold one of them. The store is in this process, on the measured core;
PostgreSQL is on the other one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import backlog
import job
import stage
import uvloop
from databases import Kind, kinds, migrated, opened
from figures import percentile, say, show

from hookengine.domain.attempt import Accept, Answered, Certainty
from hookengine.domain.event import Event
from hookengine.domain.hook import LanePolicy
from hookengine.domain.identity import new_id
from hookengine.domain.lane import Wait
from hookengine.domain.request import RenderedRequest, SecretRef
from hookengine.store.calls import Finished, Intake, Leased, LeaseTerms, OwedDelivery, OwedEvent, Report, Seat
from hookengine.store.contract import Store

T = TypeVar("T")

GROUPS = {1: 200, 10: 1000, 50: 4000, 200: 8000}  # calls at a time: deliveries in a round
ROUNDS = 3
WAITING = (10_000, 100_000, 1_000_000)
AT_ONCE = 50  # lanes that a claim may take
CLAIMS = 40
WARM = 5  # claims that are not counted


@dataclass(slots=True)
class Seats:
    """Room for so many."""

    free: int

    def take(self, _seat: Seat) -> Wait | None:
        if not self.free:
            return Wait()
        self.free -= 1
        return None

    def give(self, _seat: Seat) -> None:
        self.free += 1

    def for_what_waits(self, _key: str) -> int:
        return self.free


def terms(free: int) -> LeaseTerms:
    return LeaseTerms(room=Seats(free), lease=50_000, settle=60_000, node="bench")


def now() -> int:
    return time.time_ns() // 1_000_000


def owed(number: int) -> OwedEvent:
    """An event that owes one delivery, as intake makes it."""
    document = job.event(number)
    text, commit = json.dumps(document), job.commit_of(number)
    request = RenderedRequest(
        method="POST",
        url=f"http://127.0.0.1:8080/repos/acme/shop/statuses/{commit}",
        headers=(
            ("Authorization", ("Bearer ", SecretRef("secrets.host"))),
            ("Accept", ("application/json",)),
            ("X-Action", (str(number),)),
        ),
        body=(json.dumps({name: f"{name} of {number}" for name in job.BODY}),),
    )
    delivery = OwedDelivery(
        id=new_id("dlv", now()),
        hook_id="hook_1",
        hook_revision=1,
        lane_key=f"127.0.0.1/acme/shop/{commit}/ci/build(deploy)",
        policy=LanePolicy.LATEST,
        request=request,
        host="127.0.0.1",
        account="127.0.0.1 secrets.host",
    )
    return OwedEvent(
        id=new_id("evt", now()),
        event=Event.parse(document),
        pipeline_id=1,
        digest=commit,
        document=text,
        answer='{"event":{"id":"evt"},"deliveries":1}',
        context=text,
        known_revision=0,
        deliveries=(delivery,),
    )


def delivered(leased: Leased) -> Report:
    return Report(
        token=leased.token,
        outcome=Answered(status=204, headers={"date": "Sun, 22 Nov 2026 10:15:00 GMT"}),
        certainty=Certainty.APPLIED,
        verdict=Accept(because="204"),
        finished_at=now(),
        host_failed=False,
    )


@dataclass(slots=True)
class Spent:
    """Microseconds, of this process and by the clock on the wall."""

    cpu: float = 0.0
    wall: float = 0.0

    async def on(self, begun: Callable[[], Sequence[Awaitable[T]]]) -> list[T]:
        wall, cpu = time.perf_counter(), time.process_time()
        results = await asyncio.gather(*begun())
        self.cpu += (time.process_time() - cpu) * 1e6
        self.wall += (time.perf_counter() - wall) * 1e6
        return results


def _accept(store: Store, events: Sequence[OwedEvent]) -> list[Awaitable[Intake]]:
    return [store.accept([event], now(), terms(1)) for event in events]


def _finish(store: Store, reports: Sequence[Report]) -> list[Awaitable[Finished]]:
    return [store.finish(report, now(), terms(0)) for report in reports]


async def cost(store: Store, group: int, first: int) -> tuple[Spent, Spent]:
    """Of accepting and of finishing GROUPS[group] deliveries, so many calls at a time."""
    accepting, finishing = Spent(), Spent()
    for start in range(first, first + GROUPS[group], group):
        events = [owed(number) for number in range(start, start + group)]
        intakes = await accepting.on(partial(_accept, store, events))
        reports = [delivered(leased) for intake in intakes for leased in intake.leased]
        assert len(reports) == group, f"{len(reports)} leases for {group} events"
        finished = await finishing.on(partial(_finish, store, reports))
        assert all(each.status == "delivered" for each in finished)
    return accepting, finishing


async def costs(url: str) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    first = 1
    store = await opened(url)
    try:
        for group, count in GROUPS.items():
            rounds = []
            for _ in range(ROUNDS):
                rounds.append(await cost(store, group, first))
                first += count
            accepting, finishing = (
                [
                    statistics.median(getattr(each[step], kind) for each in rounds) / count
                    for kind in ("cpu", "wall")
                ]
                for step in (0, 1)
            )
            both = accepting[0] + finishing[0], accepting[1] + finishing[1]
            figures = (f"{cpu:,.0f} / {wall:,.0f}" for cpu, wall in (accepting, finishing, both))
            rows.append((str(group), *figures))
    finally:
        await store.close()
    return rows


@dataclass(slots=True)
class Claims:
    """Milliseconds of each claim, and of finishing together what it gave."""

    claims: list[float] = field(default_factory=list)
    finishes: list[float] = field(default_factory=list)


async def claims(url: str) -> Claims:
    took = Claims()
    store = await opened(url)
    try:
        for number in range(WARM + CLAIMS):
            claiming, finishing = Spent(), Spent()
            (claimed,) = await claiming.on(lambda: [store.claim(now(), terms(AT_ONCE))])
            assert len(claimed.leased) == AT_ONCE, f"claim {number} gave {len(claimed.leased)} leases"
            await finishing.on(partial(_finish, store, [delivered(leased) for leased in claimed.leased]))
            if number >= WARM:
                took.claims.append(claiming.wall / 1000)
                took.finishes.append(finishing.wall / 1000)
    finally:
        await store.close()
    return took


def claim_rows(kind: Kind, largest: int) -> list[tuple[str, ...]]:
    """Finishing adds rows and makes lanes due again, so both halves of a line come from one database."""
    rows: list[tuple[str, ...]] = []
    for waiting in (each for each in WAITING if each <= largest):
        url = migrated(kind)
        backlog.fill(url, waiting, now())
        say(f"{kind.name}: {waiting:,} deliveries wait")
        uniform = uvloop.run(claims(url))
        backlog.die(url, now())
        dead = uvloop.run(claims(url))
        rows.append((kind.name, f"{waiting:,}", *_percentiles(uniform), *_percentiles(dead)))
    return rows


def _percentiles(took: Claims) -> tuple[str, str]:
    claim = f"{statistics.median(took.claims):.2f} / {percentile(took.claims, 0.95):.2f}"
    return claim, f"{statistics.median(took.finishes):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--largest", type=int, default=WAITING[-1], help="of the backlogs")
    parser.add_argument("words", nargs="*")
    said = parser.parse_args()
    stage.pin(stage.REST)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        chosen = [
            kind for kind in kinds(folder, stack) if not said.words or kind.name in " ".join(said.words)
        ]
        stage.pin(stage.MEASURED)
        show(
            "Accepting an event with one delivery and finishing it, us a delivery (CPU of this process / wall)",
            ("database", "calls at a time", "accept", "finish", "both"),
            [(kind.name, *row) for kind in chosen for row in uvloop.run(costs(migrated(kind)))],
        )
        show(
            f"Claiming {AT_ONCE} lanes (p50 / p95 ms), and finishing what they gave (p50 ms)",
            ("database", "waiting", "claim", "finish", "claim, half of them dead", "finish"),
            [row for kind in chosen for row in claim_rows(kind, said.largest)],
        )


if __name__ == "__main__":
    main()
