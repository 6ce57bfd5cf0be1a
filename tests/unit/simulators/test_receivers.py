"""The stand-ins of systems that have no commits: ilert, Harness SEI, CDEvents, Slack, Teams, a plain receiver."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from hookengine.simulators import CDEventsReceiver, HarnessSei, Host, Ilert, Receiver, Slack, Teams

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000_000
Connect = Callable[[Host], httpx.AsyncClient]


class Hands:
    """A clock that is set by hand, in milliseconds."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


# ilert

EVENTS = "/api/deployment-events"
EVENT = {"integrationKey": "key-of-pipeline", "summary": "Deployed"}


async def test_ilert_takes_every_event_as_a_new_one(connect: Connect) -> None:
    ilert = Ilert(tokens={"key-of-pipeline"})
    client = connect(ilert)

    answers = [await client.post(EVENTS, json=EVENT, headers={"Authorization": ""}) for _ in range(2)]

    assert [(answer.status_code, answer.content) for answer in answers] == [(202, b"")] * 2
    assert ilert.events == [EVENT, EVENT]


async def test_ilert_takes_ten_a_minute_per_key(connect: Connect) -> None:
    clock = Hands()
    client = connect(Ilert(tokens=["key-of-pipeline", "another-key"], clock=clock))
    for _ in range(10):
        assert (await client.post(EVENTS, json=EVENT)).status_code == 202

    refused = await client.post(EVENTS, json=EVENT)
    other = await client.post(EVENTS, json={**EVENT, "integrationKey": "another-key"})
    clock.now += 60_000
    later = await client.post(EVENTS, json=EVENT)

    assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_REQUESTS")
    assert (other.status_code, later.status_code) == (202, 202)


@pytest.mark.parametrize("timestamp", ["2024-11-05T22:17:38Z", 1730845058, 1730845058000, "1730845058"])
async def test_ilert_reads_moments_in_three_forms(connect: Connect, timestamp: object) -> None:
    client = connect(Ilert(tokens={"key-of-pipeline"}))

    assert (await client.post(EVENTS, json={**EVENT, "timestamp": timestamp})).status_code == 202


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"summary": ""}, 400),
        ({"integrationKey": None}, 400),
        ({"integrationKey": "unknown"}, 404),
        ({"timestamp": "yesterday"}, 400),
        ({"customDetails": "text"}, 400),
        ({"links": [{"text": "t"}]}, 400),
        ({"links": [{"href": "x.test"}]}, 400),
    ],
)
async def test_ilert_refuses_what_is_wrong(connect: Connect, fields: dict[str, object], status: int) -> None:
    ilert = Ilert(tokens={"key-of-pipeline"})

    answer = await connect(ilert).post(EVENTS, json={**EVENT, **fields})

    assert answer.status_code == answer.json()["status"] == status
    assert ilert.events == []


async def test_what_a_person_is_shown_of_requests_has_no_key_in_it(connect: Connect) -> None:
    client = connect(Ilert(tokens={"key-of-pipeline"}))
    await client.post(f"{EVENTS}?key=key-of-pipeline", json=EVENT)

    told = (await client.get("/_simulator/received")).text

    assert "key-of-pipeline" not in told
    assert "Deployed" in told


# Harness SEI

RUNS = "/v1/custom-cicd"
GUID = "666ba79b-3f3d-4236-ac04-4686ce526705"
RUN = {
    "pipeline": "p",
    "job_full_name": "p",
    "qualified_name": "p",
    "instance_name": "i",
    "instance_guid": GUID,
    "start_time": 1711603545000,
    "duration": 780000,
    "result": "SUCCESS",
}


@pytest.mark.parametrize("body", [RUN, {"request_type": "cicd", "payload": RUN}])
async def test_harness_takes_a_run_flat_or_wrapped(connect: Connect, body: dict[str, object]) -> None:
    harness = HarnessSei(tokens={"t"})

    assert (await connect(harness).post(f"/prod1/sei/api{RUNS}", json=body)).status_code == 200
    assert harness.runs == [RUN]


@pytest.mark.parametrize(
    "fields",
    [
        {"pipeline": None},
        {"instance_guid": "i"},
        {"start_time": 1711603545},
        {"start_time": "1711603545000"},
        {"start_time": 1.7e12},
        {"duration": -1},
        {"duration": True},
        {"result": "success"},
        {"result": "FAILED"},
        {"ci": True, "cd": True},
        {"scm_commit_ids": "sha"},
    ],
)
async def test_harness_goes_strictly_by_its_table(connect: Connect, fields: dict[str, object]) -> None:
    harness = HarnessSei(tokens={"t"})

    assert (await connect(harness).post(RUNS, json={**RUN, **fields})).status_code == 400
    assert harness.runs == []


async def test_harness_knows_instances_that_were_registered(connect: Connect) -> None:
    client = connect(HarnessSei(tokens={"t"}, instances=()))
    assert (await client.post(RUNS, json=RUN)).status_code == 404

    made = await client.post(RUNS, json={"integration_id": "1", "name": "n", "type": "ci"})

    assert (await client.post(RUNS, json={**RUN, "instance_guid": made.json()["id"]})).status_code == 200


@pytest.mark.parametrize(
    ("authorization", "status"), [("ApiKey t", 200), ("Bearer t", 200), ("Basic t", 401)]
)
async def test_harness_takes_a_bearer_or_an_api_key(
    connect: Connect, authorization: str, status: int
) -> None:
    client = connect(HarnessSei(tokens={"t"}))
    client.headers["Authorization"] = authorization

    assert (await client.post(RUNS, json=RUN)).status_code == status


# CDEvents

STARTED = "dev.cdevents.pipelinerun.started.0.3.0"
FINISHED = "dev.cdevents.pipelinerun.finished.0.3.0"


def cd_event(kind: str = STARTED, **changes: Any) -> dict[str, Any]:
    content = {"pipelineName": "p", "uri": "https://x.test/1", **changes.pop("content", {})}
    context = {
        "specversion": "0.5.1",
        "id": "e1",
        "source": "/deploy",
        "type": kind,
        "timestamp": "2026-11-22T10:00:00Z",
        **changes,
    }
    return {"context": context, "subject": {"id": "run/1", "content": content}}


def attributes(event: dict[str, Any]) -> dict[str, str]:
    context = event["context"]
    return {
        "specversion": "1.0",
        "id": context["id"],
        "source": context["source"],
        "type": context["type"],
        "subject": event["subject"]["id"],
        "time": context["timestamp"],
    }


async def send_structured(client: httpx.AsyncClient, event: dict[str, Any], **others: Any) -> httpx.Response:
    return await client.post(
        "/events",
        content=json.dumps({**attributes(event), "data": event, **others}),
        headers={"Content-Type": "application/cloudevents+json; charset=utf-8"},
    )


async def test_a_cd_event_comes_in_structured_or_binary_mode(connect: Connect) -> None:
    receiver = CDEventsReceiver(tokens={"t"})
    client = connect(receiver)
    started, finished = cd_event(), cd_event(FINISHED, id="e2", content={"outcome": "failure"})

    structured = await send_structured(client, started)
    headers = {f"ce-{name}": value for name, value in attributes(finished).items()}
    binary = await client.post("/events", json=finished, headers=headers)

    assert (structured.status_code, binary.status_code) == (202, 202)
    shown = receiver.contexts()["/deploy", "run/1", "pipelinerun"]
    assert shown.history == ("started", "failure")


async def test_an_event_that_comes_again_counts_once(connect: Connect) -> None:
    receiver = CDEventsReceiver(tokens=())
    client = connect(receiver)

    answers = [await send_structured(client, cd_event()) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert receiver.contexts()["/deploy", "run/1", "pipelinerun"].history == ("started",)


@pytest.mark.parametrize(
    "event",
    [
        cd_event("dev.cdevents.pipelinerun.started.9.9.9"),
        cd_event(id=""),
        cd_event(timestamp="yesterday"),
        cd_event(more="x"),
        cd_event(content={"url": "https://x.test/1"}),
        cd_event(content={"uri": ""}),
        cd_event(FINISHED, content={"outcome": "failed"}),
        cd_event("dev.cdevents.service.deployed.0.3.0"),
        {**cd_event(), "more": 1},
    ],
)
async def test_a_cd_event_that_its_schema_forbids_is_refused(connect: Connect, event: dict[str, Any]) -> None:
    receiver = CDEventsReceiver(tokens={"t"})

    assert (await send_structured(connect(receiver), event)).status_code == 400
    assert receiver.contexts() == {}


@pytest.mark.parametrize("others", [{"id": "other"}, {"type": "other"}, {"specversion": "0.3"}, {"data": 1}])
async def test_the_attributes_are_those_of_the_event_inside(connect: Connect, others: dict[str, Any]) -> None:
    answer = await send_structured(connect(CDEventsReceiver(tokens={"t"})), cd_event(), **others)

    assert answer.status_code == 400


# Slack

POST_MESSAGE = "/api/chat.postMessage"


async def test_slack_says_in_the_body_how_it_went(connect: Connect) -> None:
    slack = Slack(tokens={"t"}, channels={"C1", "C2"}, archived={"C2"}, clock=lambda: NOW)
    client = connect(slack)

    good = await client.post(POST_MESSAGE, json={"channel": "C1", "text": "shop is deployed"})
    bad = [
        await client.post(POST_MESSAGE, json=message)
        for message in (
            {"channel": "C3", "text": "x"},
            {"channel": "C2", "text": "x"},
            {"channel": "C1", "text": " "},
            {"channel": "C1", "text": "x" * 40_001},
            {"channel": "C1", "text": "x", "blocks": [{"type": "section", "text": {"text": "x" * 3001}}]},
        )
    ]

    assert good.json()["ok"] is True
    assert {answer.status_code for answer in bad} == {200}
    assert [answer.json()["error"] for answer in bad] == [
        "channel_not_found",
        "is_archived",
        "no_text",
        "msg_too_long",
        "invalid_blocks",
    ]
    assert [shown.state for shown in slack.contexts().values()] == ["shop is deployed"]


@pytest.mark.parametrize(
    ("blocks", "ok"),
    [
        ([{"type": "divider"}] * 50, True),
        ([{"type": "divider"}] * 51, False),
        ([{"type": "section", "text": {"text": "x" * 3000}}], True),
        ({"type": "divider"}, False),
        (["divider"], False),
        ([{"type": 1}], False),
    ],
)
async def test_slack_checks_blocks_one_by_one(connect: Connect, blocks: object, ok: bool) -> None:
    message = {"channel": "C1", "text": "x" * 40_000, "blocks": blocks}

    assert (await connect(Slack(tokens={"t"})).post(POST_MESSAGE, json=message)).json()["ok"] is ok


@pytest.mark.parametrize(
    ("authorization", "error"), [("Bearer no", "invalid_auth"), ("", "not_authed"), ("Basic t", "not_authed")]
)
async def test_slack_refuses_an_unknown_token_under_a_200(
    connect: Connect, authorization: str, error: str
) -> None:
    client = connect(Slack(tokens={"t"}))
    client.headers["Authorization"] = authorization

    answer = await client.post(POST_MESSAGE, json={"channel": "C1", "text": "x"})

    assert (answer.status_code, answer.json()) == (200, {"ok": False, "error": error})


async def test_slack_takes_one_message_a_second_per_channel(connect: Connect) -> None:
    slack = Slack(tokens={"t"}, clock=lambda: NOW)
    slack.enforce()
    client = connect(slack)

    answers = [
        await client.post(POST_MESSAGE, json={"channel": channel, "text": "x"})
        for channel in ("C1", "C2", "C1")
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "1"


# Teams

WORKFLOW = "/workflows/abc/triggers/manual/paths/invoke?api-version=1&sig=signature"


def card(text: str) -> dict[str, Any]:
    content = {"type": "AdaptiveCard", "version": "1.4", "body": [{"type": "TextBlock", "text": text}]}
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": content}
    return {"type": "message", "attachments": [attachment]}


def card_with(**changes: object) -> dict[str, Any]:
    message = card("x")
    message["attachments"][0]["content"] |= changes
    return message


async def test_teams_accepts_an_adaptive_card(connect: Connect) -> None:
    teams = Teams(tokens={"signature"})

    answer = await connect(teams).post(WORKFLOW, json=card("shop is deployed"))

    assert (answer.status_code, answer.content) == (202, b"")
    assert [shown.state for shown in teams.contexts().values()] == ["shop is deployed"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (WORKFLOW.replace("signature", "other"), card("x"), 401),
        ("/workflows/abc", card("x"), 404),
        (WORKFLOW, card("x" * 28 * 1024), 413),
        (WORKFLOW, {"text": "x"}, 400),
        (WORKFLOW, {"@type": "MessageCard", "text": "x"}, 400),
        (WORKFLOW, {"type": "message", "attachments": []}, 400),
        (WORKFLOW, {**card("x"), "type": "note"}, 400),
        (WORKFLOW, {"type": "message", "attachments": {"0": "x"}}, 400),
        (WORKFLOW, {"type": "message", "attachments": [{"contentType": "text/html", "content": {}}]}, 400),
        (WORKFLOW, card_with(type="HeroCard"), 400),
        (WORKFLOW, card_with(version=1.4), 400),
        (WORKFLOW, card_with(body=[]), 400),
    ],
)
async def test_teams_refuses_what_is_no_card_or_too_large(
    connect: Connect, path: str, body: object, status: int
) -> None:
    teams = Teams(tokens={"signature"})

    assert (await connect(teams).post(path, json=body)).status_code == status
    assert teams.contexts() == {}


# A plain receiver

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 characters").decode()


def signed(
    body: bytes, *, at: int = NOW // 1000, key: bytes = b"a secret of 24 characters"
) -> dict[str, str]:
    made = base64.b64encode(hmac.digest(key, f"m1.{at}.".encode() + body, hashlib.sha256)).decode()
    return {"webhook-id": "m1", "webhook-timestamp": str(at), "webhook-signature": f"v1,b3RoZXI= v1,{made}"}


async def test_a_signed_message_is_taken_once(connect: Connect) -> None:
    receiver = Receiver(tokens={SECRET}, clock=lambda: NOW)
    client, body = connect(receiver), b'{"type":"action.completed"}'

    answers = [await client.post("/hooks", content=body, headers=signed(body)) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert list(receiver.messages) == ["m1"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (signed(b"{}", key=b"another"), 401),
        (signed(b"{}", at=NOW // 1000 - 301), 401),
        ({"webhook-id": "m1"}, 401),
        ({}, 400),
        (signed(b"{}"), 400),  # the signature fits, but there is no type
    ],
)
async def test_what_is_not_signed_well_is_refused(
    connect: Connect, headers: dict[str, str], status: int
) -> None:
    receiver = Receiver(tokens={SECRET}, clock=lambda: NOW)

    assert (await connect(receiver).post("/hooks", content=b"{}", headers=headers)).status_code == status
    assert receiver.messages == {}


async def test_without_secrets_nothing_has_to_be_signed(connect: Connect) -> None:
    receiver = Receiver(tokens=())

    answer = await connect(receiver).post("/hooks", json={"type": "x"}, headers={"webhook-id": "m1"})

    assert answer.status_code == 204
