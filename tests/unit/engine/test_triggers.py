from __future__ import annotations

import asyncio
import hashlib
import hmac
from pathlib import Path
from typing import Any

import orjson
import pytest

from hookengine.domain.hook import Condition
from hookengine.domain.pipeline import IncomingHook, Variable, VariableType
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.intake import Intake
from hookengine.engine.offer import Offer
from hookengine.engine.signals import Signals
from hookengine.engine.triggers import ONCE_HEADERS, BadSignature, Triggers
from hookengine.errors import InvalidEvent, NotFound
from hookengine.guard.vault import SecretMissing
from hookengine.store.care import Definitions
from hookengine.store.sqlite import SqliteStore
from tests.conftest import NOW, Clock, make_hook, make_pipeline, make_vault
from tests.contract.conftest import NO_LEASE
from tests.definitions import define
from tests.sqlite import empty_database

pytestmark = pytest.mark.anyio

INCOMING = (
    IncomingHook(
        id="pushes",
        name="pushes",
        pipeline_id=1,
        variables=(
            Variable(name="commit_hash", path="head.sha", required=True),
            Variable(name="count", path="count", type=VariableType.INTEGER, default=3),
            Variable(name="nothing", path="nothing"),
        ),
        conditions=(Condition(path="ref", accepted_values=("main",)),),
    ),
    IncomingHook(id="signed", name="signed", pipeline_id=1, secret="sender", signature_header="X-Signature"),
)
PUSH = {"ref": "main", "head": {"sha": "abc"}}


class Idle:
    """A worker that takes nothing."""

    def offer(self) -> Offer:
        return Offer(NO_LEASE, lambda leased: None)

    def wake(self) -> None: ...


class Stage:
    def __init__(self, store: SqliteStore, catalogue: Catalogue, clock: Clock) -> None:
        self.store = store
        self.secrets: dict[str, str] = {"sender": "s3cret"}
        vault = make_vault(sealed=store.sealed)
        intake = Intake(store, catalogue, vault, Idle(), Signals(), clock)
        self._triggers = Triggers(store, catalogue, intake, clock, self._secret)

    async def _secret(self, hook: IncomingHook) -> str:
        name = str(hook.secret)
        if name not in self.secrets:
            raise SecretMissing(name)
        return self.secrets[name]

    async def trigger(self, hook_id: str = "pushes", document: Any = PUSH, **headers: str) -> Any:
        body = document if isinstance(document, bytes) else orjson.dumps(document)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._triggers.trigger(hook_id, body, named)

    async def context(self, action_id: int) -> dict[str, Any]:
        remembered = await self.store.remember([], [(1, str(action_id))])
        context: dict[str, Any] = orjson.loads(remembered.actions[1, str(action_id)][1])
        return context


@pytest.fixture
async def stage(tmp_path: Path, clock: Clock) -> Any:
    store = await SqliteStore.open(empty_database(tmp_path / "engine.db"))
    hook = make_hook(
        events=("action.queued",), body="{{ action.triggered_from.hook_parsed_variables.count }}"
    )
    defined = Definitions(
        pipelines=(make_pipeline(operation="build"),), hooks=(hook,), incoming_hooks=INCOMING
    )
    yield Stage(store, Catalogue(await define(store, defined, "test", NOW)), clock)
    await store.close()


@pytest.mark.parametrize("hook_id", ["pushes", "signed"])
async def test_the_ping_of_a_new_webhook_starts_nothing(stage: Stage, hook_id: str) -> None:
    body = orjson.dumps({"zen": "Design for failure.", "hook_id": 1})
    signature = hmac.digest(b"s3cret", body, "sha256").hex()

    pinged = await stage.trigger(hook_id, body, x_github_event="ping", x_signature=signature)

    assert pinged.action_id is None
    assert "ping" in pinged.because


async def test_an_action_starts_and_remembers_what_started_it(stage: Stage) -> None:
    triggered = await stage.trigger()

    action = (await stage.context(triggered.action_id))["action"]
    assert (action["status"], action["type"]) == ("queued", "build")
    assert action["triggered_from"] == {
        "trigger_type": "hook",
        "name": "pushes",
        "hook_id": "pushes",
        "hook_parsed_variables": {"commit_hash": "abc", "count": 3},
    }
    assert [hook["id"] for hook in triggered.answer["hooks"]] == ["hook_1"]


@pytest.mark.parametrize("document", [{"ref": "dev"}, {}, [], b"", b"  "])
async def test_nothing_starts_when_the_conditions_do_not_hold(stage: Stage, document: Any) -> None:
    triggered = await stage.trigger(document=document)

    assert triggered.action_id is None
    assert triggered.because == "ref is not one of main"


async def test_a_missing_variable_is_told(stage: Stage) -> None:
    with pytest.raises(InvalidEvent) as refused:
        await stage.trigger(document={"ref": "main", "count": "x"})

    assert list(refused.value.errors) == ["head.sha", "count"]


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 5_000, b'{"a":' * 60 + b"1" + b"}" * 60])
async def test_a_body_that_cannot_be_read_is_told(stage: Stage, body: bytes) -> None:
    with pytest.raises(InvalidEvent) as refused:
        await stage.trigger(document=body)

    assert list(refused.value.errors) == ["body"]


@pytest.mark.parametrize("header", ONCE_HEADERS)
async def test_a_delivery_that_comes_twice_starts_one_action(stage: Stage, header: str) -> None:
    first = await stage.trigger(**{header.replace("-", "_"): "d1"})

    second = await stage.trigger(**{header.replace("-", "_"): "d1"})
    other = await stage.trigger(**{header.replace("-", "_"): "d2"})

    assert second == first
    assert other.action_id == first.action_id + 1


async def test_a_delivery_that_comes_twice_at_the_same_time_starts_one_action(stage: Stage) -> None:
    triggered = await asyncio.gather(*[stage.trigger(webhook_id="d1") for _ in range(8)])

    assert len({each.action_id for each in triggered}) == 1


async def test_without_a_name_of_the_delivery_every_request_starts_an_action(stage: Stage) -> None:
    triggered = [await stage.trigger() for _ in range(3)]

    assert len({each.action_id for each in triggered}) == 3


async def test_a_signed_request_comes_in(stage: Stage) -> None:
    signature = hmac.new(b"s3cret", b"{}", hashlib.sha256).hexdigest()

    triggered = await stage.trigger("signed", b"{}", x_signature=signature)

    assert triggered.action_id is not None


@pytest.mark.parametrize("headers", [{}, {"x_signature": ""}, {"x_signature": "sha256=00"}])
async def test_an_unsigned_request_does_not(stage: Stage, headers: dict[str, str]) -> None:
    with pytest.raises(BadSignature, match="X-Signature"):
        await stage.trigger("signed", b"not even JSON", **headers)


async def test_a_hook_whose_secret_is_missing_lets_nobody_in(stage: Stage) -> None:
    stage.secrets.clear()

    with pytest.raises(SecretMissing):
        await stage.trigger("signed", b"{}", x_signature="sha256=00")


async def test_an_unknown_hook_is_not_found(stage: Stage) -> None:
    with pytest.raises(NotFound):
        await stage.trigger("nobody")
