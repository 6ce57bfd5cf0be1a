"""Names and addresses: what is dialled, and what is not."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from hookengine.domain.attempt import Answered, Blocked, TimedOut, Unreachable
from hookengine.guard.address import AddressPolicy
from hookengine.guard.connect import DIALLED_AT_MOST
from hookengine.guard.hostname import IPAddress
from tests.unit.engine.targets import Heard, target
from tests.unit.engine.wire.conftest import LOOPBACK, a_rig

pytestmark = pytest.mark.anyio

CASES = json.loads((Path(__file__).parents[3] / "cases" / "ssrf_cases.json").read_text())
PUBLIC = "93.184.216.34"


class Nobody:
    """Remembers what it was told to dial, and reaches nobody."""

    def __init__(self) -> None:
        self.dialled: list[str] = []

    async def __call__(self, address: IPAddress, port: int) -> socket.socket:
        self.dialled.append(str(address))
        raise ConnectionRefusedError(111, "nobody there")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
async def test_only_what_is_allowed_is_dialled(case: dict[str, Any]) -> None:
    policy = AddressPolicy.parse(
        case["policy"].get("allow_nets", ()), own_addresses=case["policy"].get("self_addrs", ())
    )
    answers = case["resolves"] or []
    turns = list(answers) if answers and isinstance(answers[0], list) else [answers]
    nobody = Nobody()

    def lookup(name: str) -> Sequence[str]:
        return turns.pop(0) if len(turns) > 1 else turns[0]

    known = {address for turn in turns for address in turn}
    async with a_rig(policy=policy, lookup=lookup, dial=nobody) as rig:
        outcome = await rig.post(case["url"])

    if case["verdict"] == "block" and "redirect_to" not in case:
        assert isinstance(outcome, Blocked) or getattr(outcome, "code", "") == "dns_no_address"
        assert nobody.dialled == []
    else:
        assert isinstance(outcome, Unreachable)
        assert outcome.code == "refused"
        assert not outcome.written
        assert not known or set(nobody.dialled) <= known


def failing(error: Exception) -> Callable[[str], Sequence[str]]:
    def lookup(name: str) -> Sequence[str]:
        raise error

    return lookup


@pytest.mark.parametrize(
    ("lookup", "code"),
    [
        (failing(socket.gaierror(socket.EAI_NONAME, "Name or service not known")), "dns_not_found"),
        (failing(socket.gaierror(socket.EAI_AGAIN, "Temporary failure")), "dns_failed"),
        (failing(UnicodeError("label too long")), "dns_failed"),
        (failing(OSError(24, "Too many open files")), "dns_failed"),
        (lambda name: [], "dns_no_address"),
        (lambda name: ["not an address"], "dns_failed"),
    ],
)
async def test_a_name_without_an_address_is_unreachable_in_one_of_few_words(
    lookup: Callable[[str], Sequence[str]], code: str
) -> None:
    async with a_rig(lookup=lookup) as rig:
        outcome = await rig.post("http://hooks.example/")

    assert isinstance(outcome, Unreachable)
    assert (outcome.code, outcome.written) == (code, False)


async def test_names_that_hang_hold_up_nobody_else() -> None:
    released = threading.Event()

    def lookup(name: str) -> Sequence[str]:
        if name.startswith("slow"):
            released.wait(60)
        return ["127.0.0.1"]

    async with a_rig(lookup=lookup) as rig, target(Heard()) as url:
        slow = [asyncio.create_task(rig.post(f"http://slow{number}.example/")) for number in range(50)]
        await asyncio.sleep(0)
        assert await rig.post(url.replace("127.0.0.1", "hooks.example")) == Answered(status=204)
        outcomes = await asyncio.gather(*slow)
        released.set()

    assert {(type(each), getattr(each, "phase", "")) for each in outcomes} == {(TimedOut, "dns")}


async def test_of_many_addresses_few_are_dialled() -> None:
    nobody = Nobody()
    many = [f"93.184.216.{number}" for number in range(200)]

    async with a_rig(lookup=lambda name: many, dial=nobody) as rig:
        assert isinstance(await rig.post("http://hooks.example/"), Unreachable)

    assert len(nobody.dialled) == DIALLED_AT_MOST


async def test_a_name_that_answers_differently_later_is_judged_again() -> None:
    answers = [[PUBLIC], ["127.0.0.1"]]
    nobody = Nobody()

    async with a_rig(policy=AddressPolicy(), lookup=lambda name: answers.pop(0), dial=nobody) as rig:
        assert isinstance(await rig.post("http://hooks.example/"), Unreachable)
        assert isinstance(await rig.post("http://hooks.example/"), Blocked)

    assert nobody.dialled == [PUBLIC]


async def test_a_name_with_a_forbidden_address_beside_others_is_refused_whole() -> None:
    nobody = Nobody()

    async with a_rig(policy=AddressPolicy(), lookup=lambda name: [PUBLIC, "10.0.0.1"], dial=nobody) as rig:
        assert isinstance(await rig.post("http://hooks.example/"), Blocked)

    assert nobody.dialled == []


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, heard = Heard(), Heard()

    async with a_rig(policy=LOOPBACK) as rig, target(proxy) as other, target(heard) as url:
        for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(variable, other)
        assert await rig.post(url) == Answered(status=204)

    assert (len(proxy.requests), len(heard.requests)) == (0, 1)
