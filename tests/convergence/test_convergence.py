from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from tests.convergence.hosts import DEPLOYMENTS, FAMILIES, Family, shown_by
from tests.convergence.play import playing
from tests.convergence.verdict import untrue, wrong
from tests.convergence.world import RANKS, News, each_on_its_own, happenings, truth

pytestmark = pytest.mark.anyio

SEEDS = [int(seed) for seed in os.environ.get("CONVERGENCE_SEEDS", "1").split(",")]
COMMITS = int(os.environ.get("CONVERGENCE_COMMITS", "20"))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
async def test_every_host_ends_up_showing_what_is_true(
    family: Family, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(f"{family.name} {seed}")  # noqa: S311  so that a run can be repeated

    assert not await _what_is_wrong(family, happenings(random, COMMITS), random, tmp_path, monkeypatch)


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_deployment_ends_up_showing_how_its_action_went(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(f"deployments {seed}")  # noqa: S311  so that a run can be repeated
    told = each_on_its_own(happenings(random, COMMITS))

    assert not await _what_is_wrong(DEPLOYMENTS, told, random, tmp_path, monkeypatch)


async def _what_is_wrong(
    family: Family, told: list[News], random: Random, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    async with playing(family, folder, random, monkeypatch) as play:
        await play.through(told)
        return "\n".join(wrong(family, told, play.host.received, shown_by(play.host, family), play.witness))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
async def test_what_somebody_else_wrote_is_put_right_where_a_host_is_asked_what_it_shows(
    family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(f"{family.name} asked")  # noqa: S311  so that a run can be repeated
    told = happenings(random, COMMITS // 4)
    ended = {place for place, news in truth(told).items() if RANKS[news.kind] == max(RANKS.values())}

    async with playing(family, tmp_path, random, monkeypatch, confirm=True) as play:
        await play.then_somebody_else(told, ended)
        found = list(untrue(family, told, shown_by(play.host, family)))
        questions = [received for received in play.host.received if received.method == "GET"]

    assert not found, "\n".join(found)
    assert len(questions) == len(ended) > 0
