from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from tests.convergence.hosts import FAMILIES, Family, shown_by
from tests.convergence.play import playing
from tests.convergence.verdict import wrong
from tests.convergence.world import happenings

pytestmark = pytest.mark.anyio

SEEDS = [int(seed) for seed in os.environ.get("CONVERGENCE_SEEDS", "1").split(",")]
COMMITS = int(os.environ.get("CONVERGENCE_COMMITS", "20"))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
async def test_every_host_ends_up_showing_what_is_true(
    family: Family, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(f"{family.name} {seed}")  # noqa: S311  so that a run can be repeated
    told = happenings(random, COMMITS)

    async with playing(family, tmp_path, random, monkeypatch) as play:
        await play.through(told)
        found = list(wrong(family, told, play.host.received, shown_by(play.host), play.witness))

    assert not found, "\n".join(found)
