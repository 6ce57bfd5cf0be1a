"""One set of rules for URLs: when a hook is read, when its request is rendered, and when somebody connects."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hookengine.domain.attempt import Answered, Blocked
from hookengine.domain.hook import Hook
from hookengine.domain.request import RenderedRequest
from hookengine.engine.preparing import prepare
from hookengine.errors import ConfigError, TemplateError
from hookengine.guard.address import AddressPolicy
from hookengine.guard.connect import dial
from hookengine.guard.hostname import IPAddress
from hookengine.guard.permissions import Permissions
from hookengine.manifest import load, read
from tests.unit.engine.targets import Heard, target
from tests.unit.engine.wire.conftest import a_rig

pytestmark = pytest.mark.anyio

CASES = json.loads((Path(__file__).parents[3] / "cases" / "ssrf_cases.json").read_text())
LOOKED_UP = {"dns", "redirect"}
"""Stages of cases whose URL alone is nothing to object to."""


def policy_of(case: dict[str, Any]) -> AddressPolicy:
    said = case["policy"]
    return AddressPolicy.parse(said.get("allow_nets", ()), own_addresses=said.get("self_addrs", ()))


def may_be_called(case: dict[str, Any]) -> bool:
    """As far as the URL itself says."""
    return case["verdict"] == "allow" or case["stage"] in LOOKED_UP


def is_written_otherwise(case: dict[str, Any]) -> bool:
    """Templates have their own rules of spelling, stricter ones: names in ASCII, blanks and the like encoded."""
    return not case["url"].isascii()


def saved(case: dict[str, Any]) -> str:
    """What is said to a hook with this target, nothing if it is taken."""
    hook = {"name": "a hook", "target_url": case["url"], "trigger_when": {"events": ["action.started"]}}
    try:
        read(load(json.dumps({"hooks": [hook]})), permissions=Permissions(addresses=policy_of(case)))
    except ConfigError as error:
        return "\n".join(str(problem) for problem in error.problems)
    return ""


def rendered(case: dict[str, Any]) -> RenderedRequest | TemplateError:
    """Of a hook that is older than the policy."""
    hook = Hook(id="h", revision=1, name="a hook", events=("action.started",), target_url=case["url"])
    try:
        return prepare(hook, Permissions(addresses=policy_of(case))).render({}).request
    except TemplateError as error:
        return error


class Canary:
    """A listener that hears of every dialling, wherever it was meant to go. Nobody is reached."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)

    async def dial(self, address: IPAddress, port: int) -> socket.socket:
        socket.create_connection(self._listener.getsockname()).close()
        raise ConnectionRefusedError

    def heard(self) -> bool:
        try:
            self._listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def canary() -> Iterator[Canary]:
    canary = Canary()
    yield canary
    canary.close()


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case["id"])
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.param
    return found


def test_when_a_hook_is_read(case: dict[str, Any]) -> None:
    said = saved(case)

    assert bool(said) is not may_be_called(case) or (said and is_written_otherwise(case))
    assert not said or ".target_url: " in said


def test_when_a_request_is_rendered(case: dict[str, Any]) -> None:
    made = rendered(case)

    assert isinstance(made, RenderedRequest) is may_be_called(case) or is_written_otherwise(case)
    assert isinstance(made, RenderedRequest) or made.field == "target_url"


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": True})], ids=["uvloop"])
async def test_when_somebody_connects(case: dict[str, Any], canary: Canary) -> None:
    answers = case["resolves"] or []
    turns = list(answers) if answers and isinstance(answers[0], list) else [answers]

    def lookup(name: str) -> Sequence[str]:
        return turns.pop(0) if len(turns) > 1 else turns[0]

    async with a_rig(policy=policy_of(case), lookup=lookup, dial=canary.dial) as rig:
        outcome = await rig.post(case["url"])

    allowed = case["verdict"] == "allow" or case["stage"] == "redirect"
    assert canary.heard() is allowed
    assert allowed or isinstance(outcome, Blocked) or getattr(outcome, "code", "") == "dns_no_address"


@pytest.mark.parametrize(
    "case", [each for each in CASES if "redirect_to" in each], ids=lambda each: each["id"]
)
async def test_nobody_goes_where_an_answer_points_to(case: dict[str, Any], canary: Canary) -> None:
    location = case["redirect_to"].encode()
    heard = Heard(b"HTTP/1.1 307 Off\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n")
    dialled = []

    async def watched(address: IPAddress, port: int) -> socket.socket:
        dialled.append(port)
        return await (dial(address, port) if len(dialled) == 1 else canary.dial(address, port))

    async with a_rig(dial=watched) as rig, target(heard) as url:
        outcome = await rig.post(url)

    assert isinstance(outcome, Answered)
    assert (outcome.status, outcome.headers["location"]) == (307, case["redirect_to"])
    assert (len(dialled), canary.heard()) == (1, False)
