"""Whatever a target asks for in Retry-After, over the wire. Row 36 of the fault matrix; see MATRIX.md."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.configs import a_config, a_hook, event
from tests.acceptance.engines import FAR, opened
from tests.faults.targets import RETRY_AFTERS, Behaviour, Target, answer, retry_after

pytestmark = pytest.mark.anyio

FLOOR, LONGEST, LONGEST_RESET = 60, 3600, 7200  # seconds
JITTER = 0.2
WAITS = {
    "thirty thousand years": LONGEST,
    "a date far off": LONGEST,
    "a limit that is used up for ever": LONGEST_RESET,
    "a limit that is used up no more": FLOOR,
}
"""Where it is not the floor."""

LIMITS = {
    "a limit that is used up for ever": "9999999999",
    "a limit that is used up no more": "1",
    "a limit nobody can read": "soon",
}


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as target:
        yield target


def behaviour(status: int, name: str) -> Behaviour:
    if name in LIMITS:
        return answer(status, ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", LIMITS[name]))
    return retry_after(status, name)


def attempts(folder: Path) -> dict[str, tuple[str, int]]:
    """By delivery: verdict, and milliseconds until the next try."""
    query = "SELECT delivery_id, verdict, next_at - finished_at FROM attempt WHERE number = 1"
    with closing(sqlite3.connect(folder / "hookengine.db")) as connection:
        return {row[0]: row[1:] for row in connection.execute(query)}


async def test_no_retry_after_makes_a_try_early_or_puts_it_off_for_ever(
    tmp_path: Path, target: Target
) -> None:
    """Those who ask have a credential each, so that nobody's pause keeps another one waiting."""
    cases = {f"{status} {name}": (status, name) for name in [*RETRY_AFTERS, *LIMITS] for status in (429, 503)}
    types = {case: f"case.n{number}" for number, case in enumerate(cases)}
    hooks = [
        a_hook(
            f"{target.url}/{kind}",
            kind,
            lane="none",
            name=case,
            retry={"waits": [f"{FLOOR}s"], "jitter": JITTER, "give_up_after": "1d"},
        )
        for case, kind in types.items()
    ]
    async with opened(tmp_path, a_config(*hooks)) as engine:
        ids = []
        for number, (case, (status, name)) in enumerate(cases.items()):
            target.plan(behaviour(status, name), path=f"/{types[case]}", times=1)
            ids += await engine.accept({**event("started", number), "type": types[case]})
            await engine.tried(ids[-1])
        found = attempts(tmp_path)
        due = await engine.engine.parts.store.next_due(FAR)

        engine.later(seconds=LONGEST_RESET * (1 + JITTER))
        ended = [(await engine.ended(delivery_id))["status"] for delivery_id in ids]

    tried = {case: found[delivery_id] for case, delivery_id in zip(cases, ids, strict=True)}
    waits = {case: wait / 1000 for case, (_, wait) in tried.items()}
    least = {case: WAITS.get(name, FLOOR) for case, (_, name) in cases.items()}
    assert {case: wait for case, wait in waits.items() if not 1 <= wait / least[case] <= 1 + JITTER} == {}
    assert {verdict for verdict, _ in tried.values()} == {"TryAgain"}
    assert due == FAR + min(waits.values()) * 1000
    assert len({waits[case] for case in cases if least[case] == LONGEST}) > 1, (
        "a clamp without jitter is a storm"
    )
    assert ended == ["delivered"] * len(cases)
    assert engine.ears.of("worker.failed") == []
