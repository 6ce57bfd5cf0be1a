"""Whatever a request holds, a stand-in answers it as a host would, and never fails itself."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookengine.simulators import SIMULATORS

SHA = "e" * 40
ADDRESSES = {
    "github": (f"/repos/a/b/statuses/{SHA}", "/repos/a/b/deployments", "/repos/a/b/deployments/1/statuses"),
    "gitlab": (f"/api/v4/projects/7/statuses/{SHA}",),
    "bitbucket": (f"/2.0/repositories/a/b/commit/{SHA}/statuses/build",),
    "bitbucket_datacenter": (
        f"/rest/api/latest/projects/A/repos/b/commits/{SHA}/builds",
        f"/rest/build-status/latest/commits/{SHA}",
    ),
    "gitea": (f"/api/v1/repos/a/b/statuses/{SHA}",),
    "forgejo": (f"/api/v1/repos/a/b/statuses/{SHA}",),
    "azure_devops": (f"/o/p/_apis/git/repositories/r/commits/{SHA}/statuses?api-version=7.1",),
    "ilert": ("/api/deployment-events",),
    "harness_sei": ("/v1/custom-cicd",),
    "cdevents": ("/events",),
    "slack": ("/api/chat.postMessage",),
    "teams": ("/workflows/w/triggers/manual/paths/invoke?sig=token",),
    "webhook": ("/hooks",),
}
FIELDS = (
    *("state", "context", "name", "key", "url", "ref", "description", "target_url", "targetUrl", "genre"),
    *("pipeline_id", "coverage", "environment", "payload", "duration", "integrationKey", "summary"),
    *("timestamp", "links", "customDetails", "request_type", "pipeline", "start_time", "result", "subject"),
    *("content", "data", "id", "source", "type", "specversion", "channel", "text", "blocks", "attachments"),
)
WORDS = (
    "pending",
    "success",
    "FAILED",
    "SUCCESS",
    "failed",
    "token",
    SHA,
    "https://x.example/",
    "message",
    "",
)

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS)
    | st.text()
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=12,
)
bodies = st.dictionaries(st.sampled_from(FIELDS), values, max_size=10) | values


async def _statuses(name: str, body: Any, content_type: str) -> list[int]:
    host = SIMULATORS[name](tokens=["token"], clock=lambda: 1_800_000_000_000)
    headers = {"Authorization": "Bearer token", "Content-Type": content_type, "webhook-id": "m"}
    transport = httpx.ASGITransport(app=host.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://host.test") as client:
        content = httpx.Request("POST", "http://x", json=body).content
        return [
            (await client.post(address, content=content, headers=headers)).status_code
            for address in ADDRESSES[name]
        ]


@pytest.mark.parametrize("name", SIMULATORS)
@given(body=bodies, content_type=st.sampled_from(["application/json", "application/cloudevents+json"]))
@settings(max_examples=25, deadline=None)
def test_any_body_is_answered(name: str, body: Any, content_type: str) -> None:
    """In process an exception of the stand-in would be raised here."""
    statuses = asyncio.run(_statuses(name, body, content_type))

    assert all(200 <= status < 500 for status in statuses)
