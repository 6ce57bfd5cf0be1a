"""What is answered at the doors, and how mistakes and failures are told."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from hookengine.engine.triggers import BadSignature, Triggered
from hookengine.errors import (
    ConfigError,
    EventConflict,
    HookEngineError,
    InvalidEvent,
    InvalidSecret,
    NotFound,
    Problem,
    StaleContext,
    StoreBusy,
    StoreError,
    TooManyTrials,
)
from hookengine.guard.vault import SecretMissing
from tests.conftest import event_document
from tests.unit.web.standin import Engine, client_of

pytestmark = pytest.mark.anyio


# Errors


@pytest.mark.parametrize(
    ("error", "status", "message", "errors"),
    [
        (InvalidEvent({"type": ["No."]}), 422, "The given data was invalid.", {"type": ["No."]}),
        (
            EventConflict("evt_1"),
            409,
            "event 'evt_1' was accepted before with another body; a new event needs a new id",
            None,
        ),
        (
            InvalidSecret("name", "is bad"),
            422,
            "The given data was invalid.",
            {"name": ["a secret's name is bad"]},
        ),
        (NotFound("delivery", "x"), 404, "no delivery 'x'", None),
        (BadSignature("sign it"), 403, "sign it", None),
        (
            SecretMissing("TOKEN is not set"),
            503,
            "This hook cannot verify requests now; tell its administrator.",
            None,
        ),
        (
            StoreError("SQLite: /var/x"),
            503,
            "The database cannot take this now; nothing was accepted. Try again.",
            None,
        ),
        (StaleContext("x"), 503, "The database cannot take this now; nothing was accepted. Try again.", None),
        (TooManyTrials("16 are"), 429, "16 are", None),
        (StoreBusy("x"), 503, "The database cannot take this now; nothing was accepted. Try again.", None),
        (ConfigError([Problem(message="two of a name")]), 500, "The engine failed; its log says more.", None),
        (HookEngineError("what else"), 500, "The engine failed; its log says more.", None),
        (RuntimeError("s3cret"), 500, "The engine failed; its log says more.", None),
    ],
)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/events", event_document()),
        ("POST", "/hooks/some-hook/trigger", {}),
        ("GET", "/api/deliveries/dlv_1", None),
    ],
)
async def test_an_error_has_one_shape_at_every_door(
    engine: Engine,
    client: httpx.AsyncClient,
    error: Exception,
    status: int,
    message: str,
    errors: Any,
    method: str,
    path: str,
    body: Any,
) -> None:
    engine.error = error

    answer = await client.request(method, path, json=body)

    assert answer.status_code == status
    assert answer.json() == {"message": message, **({"errors": errors} if errors else {})}
    assert ("retry-after" in answer.headers) == isinstance(error, StoreError)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/hooks/a/b/trigger", 404),
        ("PUT", "/api/events", 405),
        ("POST", "/api/deliveries", 405),
        ("GET", "/hooks/some-hook/trigger", 405),
    ],
)
async def test_what_is_not_there_is_told_in_the_same_shape(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path)

    assert answer.status_code == status
    assert list(answer.json()) == ["message"]


async def test_wrong_parameters_are_told_by_their_names(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/deliveries", params={"limit": "many", "status": "lost"})

    assert answer.status_code == 422
    assert answer.json()["message"] == "The given data was invalid."
    assert sorted(answer.json()["errors"]) == ["limit", "status"]


# Events


async def test_an_object_is_answered_with_an_object_and_a_list_with_a_list(client: httpx.AsyncClient) -> None:
    alone = await client.post("/api/events", json=event_document())
    listed = await client.post("/api/events", json=[event_document()])

    assert (alone.status_code, alone.json()) == (202, {"id": "evt_1"})
    assert (listed.status_code, listed.json()) == (202, [{"id": "evt_1"}])


async def test_mistakes_in_a_list_are_told_with_their_place_and_nothing_is_accepted(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/api/events", json=[event_document(), {}, 7])

    assert list(answer.json()["errors"]) == ["[1].action", "[1].type", "[2].event"]
    assert engine.accepted == []


@pytest.mark.parametrize("body", [b"", b"{", b"{} {}", b"\xff", b"[" * 1500])
async def test_what_is_not_json_is_a_bad_request(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/api/events", content=body)

    assert answer.status_code == 400
    assert answer.json()["message"].startswith("The body is not JSON")


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (b'{"q": "\xff"}', "Is not UTF-8."),
        (b"[" * 1_900, "Is nested too deeply."),
    ],
)
async def test_a_body_that_cannot_be_read_is_told_what_is_wrong_with_it(
    client: httpx.AsyncClient, body: bytes, wrong: str
) -> None:
    answer = await client.post(
        "/api/replays/plan", content=body, headers={"content-type": "application/json"}
    )

    assert (answer.status_code, answer.json().get("errors")) == (422, {"body": [wrong]})


# Deliveries


async def test_a_list_says_where_the_next_one_begins(client: httpx.AsyncClient) -> None:
    wanted = {"limit": "2", "status": ["failed", "queued"], "before": "dlv_9"}
    cut = await client.get("/api/deliveries", params=wanted)
    whole = await client.get("/api/deliveries")

    assert [item["id"] for item in cut.json()["items"]] == ["dlv_0", "dlv_1"]
    assert cut.json()["next"] == "dlv_1"
    following = httpx.URL(cut.links["next"]["url"])
    assert (following.path, dict(following.params)["before"]) == ("/api/deliveries", "dlv_1")
    assert following.params.get_list("status") == ["failed", "queued"]
    assert (whole.json()["next"], whole.links) == (None, {})


@pytest.mark.parametrize(
    ("path", "name", "message"),
    [
        ("/api/deliveries?statsu=failed", "statsu", "There is no such parameter; did you mean status?"),
        ("/api/deliveries?x=1&x=2", "x", "There is no such parameter; there are action, because, before, "),
        ("/api/deliveries/dlv_0?status=failed", "status", "There are no parameters here."),
    ],
)
async def test_a_parameter_that_nobody_reads_is_refused(
    client: httpx.AsyncClient, path: str, name: str, message: str
) -> None:
    answer = await client.get(path)

    assert (answer.status_code, list(answer.json()["errors"])) == (422, [name])
    assert answer.json()["errors"][name][0].startswith(message)


# Incoming hooks


async def test_an_incoming_hook_gets_the_raw_body_and_needs_no_token(engine: Engine) -> None:
    async with client_of(engine, "secret") as stranger:
        answer = await stranger.post("/hooks/h-1/trigger", content=b" {} ", headers={"X-Signature": "A"})

    hook_id, body, headers = engine.triggered[0]
    assert answer.status_code == 202
    assert answer.headers["x-devopness-action-id"] == "7"
    assert answer.json() == {
        "message": "The action was started.",
        "errors": None,
        "action": {"id": 7},
        "event": {"id": "evt_1"},
        "matched": 1,
    }
    assert (hook_id, body, headers["x-signature"]) == ("h-1", b" {} ", "A")


async def test_an_incoming_hook_that_starts_nothing_says_why(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    engine.started = Triggered(action_id=None, because="ref is not one of main")

    answer = await client.post("/hooks/h-1/trigger")

    assert answer.status_code == 200
    assert answer.json() == {"message": "Nothing was started: ref is not one of main.", "errors": None}


# Health and figures


async def test_it_is_ready_when_the_database_answers(engine: Engine, client: httpx.AsyncClient) -> None:
    before = await client.get("/readyz")
    engine.error = StoreError("locked")
    after = await client.get("/readyz")
    alive = await client.get("/healthz")

    assert (before.status_code, after.status_code, alive.status_code) == (200, 503, 200)
    assert after.json() == {"message": "The database does not answer."}


async def test_figures_are_told_in_the_format_that_is_asked_for(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics", headers={"Accept": "application/openmetrics-text"})

    assert (answer.status_code, answer.text) == (200, "as application/openmetrics-text")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_without_its_api_a_node_tells_its_health_and_its_figures_only(engine: Engine) -> None:
    engine.api = False

    async with client_of(engine, asked=False) as client:
        there = [await client.get(path) for path in ("/healthz", "/readyz", "/metrics")]
        gone = [
            await client.post("/api/events", json=event_document()),
            await client.post("/hooks/h-1/trigger", json={}),
            await client.get("/api/deliveries"),
        ]

    assert [answer.status_code for answer in there] == [200, 200, 200]
    assert [answer.status_code for answer in gone] == [404, 404, 404]
