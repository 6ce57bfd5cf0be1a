from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from fastapi import FastAPI

from hookengine.domain.event import Event
from hookengine.domain.pipeline import Pipeline
from hookengine.engine.catalogue import Catalogue
from hookengine.guard.integration_key import digest_of_key
from hookengine.sources import ForeignRequest, Hearing, Setup
from hookengine.store.care import Definitions
from hookengine.web.api.source_examples import ILERT_EXAMPLE
from hookengine.web.api.sources import sources_router

pytestmark = pytest.mark.anyio

NAMES = ("github", "gitlab", "ilert", "sei", "cloudevents")
PATHS = {
    "/api/deployment-events": "ilert",
    "/v1/custom-cicd": "sei",
    "/api/sources/github/{pipeline}": "github",
    "/api/sources/gitlab/{pipeline}": "gitlab",
    "/api/sources/cloudevents/{pipeline}": "cloudevents",
}


class Accepting:
    async def accept(self, events: Sequence[Event]) -> list[dict[str, Any]]:
        return [{"id": event.id, "type": event.type, "action": event.action_id} for event in events]


async def _secret(name: str) -> str:
    return name


@pytest.fixture
def hearing() -> Hearing:
    key = digest_of_key(str(ILERT_EXAMPLE["integrationKey"]))
    catalogue = Catalogue(
        Definitions(pipelines=(Pipeline(id=1, name="shop-deploy", integration_key_digest=key),))
    )
    setups = {name: Setup(pipeline="shop-deploy") for name in NAMES}
    return Hearing(Accepting(), catalogue, setups, _secret)


@pytest.fixture
def operations(hearing: Hearing) -> dict[str, dict[str, Any]]:
    app = FastAPI()
    app.include_router(sources_router(hearing, Catalogue()))
    return {path: item["post"] for path, item in app.openapi()["paths"].items()}


async def test_every_example_of_a_report_is_one_that_comes_to_events(
    hearing: Hearing, operations: dict[str, dict[str, Any]]
) -> None:
    headers = {
        "x-github-event": "workflow_run",
        "ce-id": "1",
        "ce-source": "/s",
        "ce-specversion": "1.0",
        "ce-type": "dev.cdevents.pipelinerun.started.0.3.0",
    }
    for path, source in PATHS.items():
        for content_type, content in operations[path]["requestBody"]["content"].items():
            hear: Callable[[ForeignRequest], Awaitable[Any]] = getattr(hearing, source)
            body = json.dumps(content["example"]).encode()
            taken = await hear(ForeignRequest(body=body, headers={**headers, "content-type": content_type}))

            assert len(taken.events) == 1, (path, content_type)


def test_every_door_for_reports_says_what_it_answers(operations: dict[str, dict[str, Any]]) -> None:
    for path, operation in operations.items():
        assert {"200", "202", "401", "413", "422", "503"} <= operation["responses"].keys(), path
        assert operation["operationId"].startswith("hear_")
    assert "415" in operations["/api/sources/cloudevents/{pipeline}"]["responses"]
    assert "403" in operations["/api/deployment-events"]["responses"]
    assert len(operations) == len({operation["operationId"] for operation in operations.values()}) == 8
