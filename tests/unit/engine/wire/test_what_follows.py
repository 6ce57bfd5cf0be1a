"""From what a target does on a real socket to when it is tried again."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookengine.domain.attempt import GiveUp, Outcome, TryAgain, Unreachable, Verdict
from hookengine.domain.event import Rank
from hookengine.domain.retry import SLOW_WAIT, RetryPolicy, Trial, judge
from hookengine.engine.wire.tls import trusting
from tests.conftest import NOW
from tests.unit.engine.targets import answering, target
from tests.unit.engine.wire.certificates import Authority
from tests.unit.engine.wire.conftest import a_rig

pytestmark = pytest.mark.anyio

NAME = "hooks.example"


def verdict_on(outcome: Outcome, number: int) -> Verdict:
    return judge(outcome, Trial(number=number, age=0, rank=Rank.FINISHED, now=NOW), RetryPolicy())


@pytest.mark.parametrize(("name", "from_today"), [(NAME, -10), ("other.example", 0)])
async def test_a_wrong_certificate_is_met_again_after_a_while(
    tmp_path: Path, name: str, from_today: int
) -> None:
    authority = Authority(tmp_path)
    server = authority.server(name, from_today=from_today)

    async with (
        a_rig(tls=trusting(authority.file)) as rig,
        target(answering(b"HTTP/1.1 204 No Content\r\n\r\n"), server) as url,
    ):
        outcome = await rig.post(url.replace("127.0.0.1", NAME))

    verdict = verdict_on(outcome, 1)
    assert isinstance(outcome, Unreachable)
    assert isinstance(verdict, TryAgain)
    assert verdict.at - NOW >= SLOW_WAIT


@pytest.mark.parametrize(
    ("said", "size"),
    [
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 2),
        (b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno", 8_000_000),
    ],
)
async def test_another_protocol_or_too_much_is_no_endless_loop(said: bytes, size: int) -> None:
    verdicts = []

    for number in (1, 2, 3):
        async with a_rig() as rig, target(answering(said)) as url:
            verdicts.append(verdict_on(await rig.post(url, body=("x" * size,)), number))

    assert [type(each) for each in verdicts] == [TryAgain, TryAgain, GiveUp]
