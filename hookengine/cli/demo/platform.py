"""The side that would be a deployment platform: it starts actions and tells the engine what became of them."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from hookengine.cli.demo.stage import Stage
from hookengine.domain.pipeline import IncomingHook, Pipeline


class Unwelcome(Exception):
    """The engine did not answer as it must."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event that the engine accepted: its type, and the deliveries it owes by the ids of their hooks."""

    type: str
    deliveries: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One action, with its events in the order in which they were accepted."""

    pipeline: Pipeline
    commit: str
    action: int
    told: list[Told] = field(default_factory=list)


class Platform:
    """Speaks HTTP only, as a platform on another machine would."""

    def __init__(self, stage: Stage, client: httpx.AsyncClient) -> None:
        self._stage = stage
        self._client = client

    async def pull_request(self, incoming: IncomingHook, payload: Mapping[str, Any]) -> Run:
        """A code host's webhook calls an incoming hook, which starts an action."""
        body = json.dumps(payload).encode()
        headers = {"x-github-event": "pull_request", "x-github-delivery": str(uuid.uuid4())}
        if incoming.secret is not None:
            key = self._stage.values.named[incoming.secret].encode()
            headers[incoming.signature_header] = "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()
        answer = await self._post(f"/hooks/{incoming.id}/trigger", body, headers)
        pipelines = {pipeline.id: pipeline for pipeline in self._stage.manifest.pipelines}
        run = Run(
            pipeline=pipelines[incoming.pipeline_id],
            commit=payload["pull_request"]["head"]["sha"],
            action=answer["action"]["id"],
        )
        queued = await self.read(f"/api/events/{answer['event']['id']}")
        run.told.append(_told("action.queued", queued))
        return run

    async def emit(self, event_type: str, run: Run) -> Told:
        """The platform's own event. It brings the token with which hooks may call the code host."""
        event = {
            "type": event_type,
            "action": {"id": run.action, "pipeline": run.pipeline.name},
            "application": {"source_provider": {"access_token": self._stage.values.source}},
        }
        token = {"authorization": f"Bearer {self._stage.values.api}"}
        told = _told(event_type, await self._post("/api/events", json.dumps(event).encode(), token))
        run.told.append(told)
        return told

    async def deliveries(self) -> dict[str, dict[str, Any]]:
        """Everything the engine owes or owed, by id."""
        listed: dict[str, dict[str, Any]] = {}
        before: str | None = None
        while True:
            page = await self.read(
                "/api/deliveries", {"limit": "500", **({"before": before} if before else {})}
            )
            listed |= {item["id"]: item for item in page["items"]}
            if (before := page["next"]) is None:
                return listed

    async def read(self, path: str, parameters: Mapping[str, str] | None = None) -> dict[str, Any]:
        token = {"authorization": f"Bearer {self._stage.values.api}"}
        return _accepted(await self._client.get(path, params=dict(parameters or {}), headers=token))

    async def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        sent = {"content-type": "application/json", **headers}
        return _accepted(await self._client.post(path, content=body, headers=sent))


def _accepted(response: httpx.Response) -> dict[str, Any]:
    if not response.is_success:
        request = response.request
        raise Unwelcome(
            f"{request.method} {request.url} was answered {response.status_code}: {response.text}"
        )
    answer: dict[str, Any] = response.json()
    return answer


def _told(event_type: str, answer: Mapping[str, Any]) -> Told:
    return Told(type=event_type, deliveries={hook["id"]: hook["delivery"] for hook in answer["hooks"]})
