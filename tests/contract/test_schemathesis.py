"""Requests at random, right ones and wrong ones, to a served engine: every answer is one that its document tells of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.from_thread
import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi import checks

from hookengine import __version__
from hookengine.web.document import whole_document
from hookengine.web.openapi import operations
from hookengine.web.server import answering, listening
from tests.acceptance.configs import a_config, a_hook, event
from tests.acceptance.engines import opened

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
EXAMPLES = 4  # of right requests, and as many of wrong ones; for each operation
SOURCES = ("ilert", "sei", "github", "gitlab", "cloudevents")
TOKEN = "of-the-operator-55d2"
NAMES = [operation["operationId"] for _, _, operation in operations(whole_document(__version__))]
NEVER_WRONG = {"health", "readiness", "trigger_hook"}  # there is nothing to say, or all may be said
RIGHT, WRONG = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
KINDS = [*((name, RIGHT) for name in NAMES), *((name, WRONG) for name in NAMES if name not in NEVER_WRONG)]


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[str]:
    """With a pipeline, a hook, an event and what it owes."""
    config = a_config(
        a_hook("http://127.0.0.1:8099/", id="announce"),
        auth={"enabled": True, "tokens": {"main": {"env": "TOKEN_OF_TESTS"}}},
        sources={name: {"enabled": True} for name in SOURCES},
    )
    async with opened(folder, config, deliver=False) as running:
        await running.engine.accept(event("started", 1, id="evt_1"))
        with listening("127.0.0.1", 0) as listener:
            async with answering(running.engine.web(), listener):
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as monkeypatch, anyio.from_thread.start_blocking_portal() as portal:
        monkeypatch.setenv("TOKEN_OF_TESTS", TOKEN)
        with portal.wrap_async_context_manager(serving(tmp_path_factory.mktemp("api"))) as url:
            yield url


@pytest.fixture(scope="module")
def described(address: str) -> dict[str, APIOperation]:
    """By their ids, as the server itself tells of them."""
    answer = httpx.get(
        f"{address}/openapi.json",
        headers={"Authorization": f"Bearer {TOKEN}"},
        trust_env=False,
        timeout=60,
    )
    schema = schemathesis.openapi.from_dict(answer.raise_for_status().json())
    found = (result.ok() for result in schema.get_all_operations())
    return {operation.definition.raw["operationId"]: operation for operation in found}


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {TOKEN}"
        yield session


@pytest.mark.parametrize(
    ("name", "mode"), [pytest.param(*kind, id=f"{kind[0]}-{kind[1].value}") for kind in KINDS]
)
def test_every_answer_is_one_that_the_document_tells_of(
    address: str,
    described: dict[str, APIOperation],
    session: requests.Session,
    name: str,
    mode: schemathesis.GenerationMode,
) -> None:
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        case = data.draw(described[name].as_strategy(mode))
        case.call_and_validate(base_url=address, session=session, checks=CHECKS)

    holds()
