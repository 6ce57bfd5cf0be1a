from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from hookengine.domain.token import Scope, Token
from hookengine.engine.catalogue import Catalogue
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
from hookengine.guard.tokens import TokenRing, digest_of
from hookengine.guard.vault import SecretMissing
from hookengine.sources import Hearing
from hookengine.store.care import Definitions
from hookengine.web.access import OPEN_PATHS, AccessMiddleware
from hookengine.web.api import reading_examples as examples
from hookengine.web.api.defining import Defining
from hookengine.web.api.reading import Reading
from hookengine.web.app import Doors, create_web
from hookengine.web.limits import Bounds
from hookengine.web.scopes import scope_of
from tests.conftest import Clock, event_document, make_pipeline

pytestmark = pytest.mark.anyio

LARGEST = 2_000
PIPELINES = (make_pipeline(id=1, name="shop", team="shop"), make_pipeline(id=2, name="till", team="till"))
TOKEN = {"Authorization": "Bearer let-me-in"}
OWED = {"id": "chat", "name": "tell the chat", "delivery": "dlv_1"}


class Engine:
    """Everything behind the doors: answers, or raises what it is told to."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.api = True
        self.metrics_public = False
        self.bounds = Bounds(largest_body=LARGEST)
        self.accepted: list[Any] = []
        self.triggered: list[tuple[str, bytes, Mapping[str, str]]] = []
        self.started = Triggered(action_id=7, answer={"id": "evt_1", "action": {"id": 7}, "hooks": [OWED]})

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error

    async def accept(self, events: list[Any]) -> list[dict[str, Any]]:
        self._raise()
        self.accepted += events
        return [{"id": event.id} for event in events]

    async def trigger(self, hook_id: str, body: bytes, headers: Mapping[str, str]) -> Triggered:
        self._raise()
        self.triggered.append((hook_id, body, headers))
        return self.started

    def seen_by(self, seen: Any) -> Engine:
        return self

    async def deliveries(self, wanted: Any, page: Any) -> list[dict[str, Any]]:
        self._raise()
        return [{**examples.BRIEFLY, "id": f"dlv_{number}"} for number in range(min(page.limit, 3))]

    async def delivery(self, delivery_id: str) -> dict[str, Any]:
        self._raise()
        return {**examples.DELIVERY, "id": delivery_id}

    async def secret(self, name: str) -> str:
        return name

    async def ready(self) -> None:
        self._raise()

    async def text(self, accept: str) -> tuple[bytes, str]:
        self._raise()
        return f"as {accept}".encode(), "text/plain; version=0.0.4; charset=utf-8"

    def doors(self, callers: TokenRing) -> Doors:
        return Doors(
            api=self.api,
            intake=self,  # type: ignore[arg-type]
            triggers=self,  # type: ignore[arg-type]
            reading=Reading(
                records=self,  # type: ignore[arg-type]
                pipelines=self,  # type: ignore[arg-type]
                explainer=self,  # type: ignore[arg-type]
                replayer=self,  # type: ignore[arg-type]
                replays=self,  # type: ignore[arg-type]
                clock=Clock(),
            ),
            defining=Defining(editor=self, trials=self, secrets=self, store=self),  # type: ignore[arg-type]
            ready=self.ready,
            metrics=self,
            metrics_public=self.metrics_public,
            sources=Hearing(self, Catalogue(), {}, self.secret),  # type: ignore[arg-type]
            callers=callers,
            applier=self,  # type: ignore[arg-type]
            tokens=self,  # type: ignore[arg-type]
            catalogue=Catalogue(Definitions(pipelines=PIPELINES)),
            bounds=self.bounds,
            version="0",
        )


@pytest.fixture
def engine() -> Engine:
    return Engine()


def token(text: str, *scopes: Scope, team: str | None = None) -> Token:
    scopes = scopes or (Scope.ADMIN,)
    return Token(id="", name=text, scopes=frozenset(scopes), digest=digest_of(text), team=team)


def client_of(engine: Engine, *tokens: str | Token, asked: bool = True) -> httpx.AsyncClient:
    known = [token(each) if isinstance(each, str) else each for each in tokens]
    app = create_web(engine.doors(TokenRing(known if asked else None)))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://engine", headers=TOKEN)


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(engine, "first", "let-me-in") as client:
        yield client


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


# Deliveries


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


# Health


async def test_it_is_ready_when_the_database_answers(engine: Engine, client: httpx.AsyncClient) -> None:
    before = await client.get("/readyz")
    engine.error = StoreError("locked")
    after = await client.get("/readyz")
    alive = await client.get("/healthz")

    assert (before.status_code, after.status_code, alive.status_code) == (200, 503, 200)
    assert after.json() == {"message": "The database does not answer."}


# Figures


async def test_figures_are_told_in_the_format_that_is_asked_for(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics", headers={"Accept": "application/openmetrics-text"})

    assert (answer.status_code, answer.text) == (200, "as application/openmetrics-text")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize(("public", "statuses"), [(False, [401, 401]), (True, [200, 401])])
async def test_figures_need_a_token_unless_they_are_public(
    engine: Engine, public: bool, statuses: list[int]
) -> None:
    engine.metrics_public = public

    async with client_of(engine, "secret") as stranger:
        answers = [await stranger.get(path) for path in ("/metrics", "/metrics/")]

    assert [answer.status_code for answer in answers] == statuses


@pytest.mark.parametrize(("public", "status"), [(False, 403), (True, 200)])
async def test_figures_of_everybody_are_not_for_a_token_of_a_team(
    engine: Engine, public: bool, status: int
) -> None:
    engine.metrics_public = public

    async with client_of(engine, token("let-me-in", *set(Scope) - {Scope.ADMIN}, team="shop")) as client:
        answer = await client.get("/metrics")

    assert answer.status_code == status


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


# Who comes in, with how much


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer let-me",
        "Bearer let-me-in!",
        "Basic let-me-in",
        "let-me-in",
        "Bearer é",
    ],
)
@pytest.mark.parametrize("path", ["/api/events", "/api/deliveries", "/nowhere", "/docs", "/openapi.json"])
async def test_without_the_right_token_nothing_is_told_or_done(
    engine: Engine, client: httpx.AsyncClient, authorization: str, path: str
) -> None:
    headers = {"Authorization": authorization.encode()}

    answer = await client.post(path, json=event_document(), headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert list(answer.json()) == ["message"]
    assert engine.accepted == []


@pytest.mark.parametrize("authorization", ["Bearer first", "bearer let-me-in", "BEARER  let-me-in "])
async def test_any_of_the_tokens_lets_in(client: httpx.AsyncClient, authorization: str) -> None:
    answer = await client.get("/api/deliveries", headers={"Authorization": authorization})

    assert answer.status_code == 200


async def test_without_tokens_everybody_comes_in_and_with_none_of_them_nobody(engine: Engine) -> None:
    async with client_of(engine, asked=False) as off, client_of(engine) as none:
        answers = [await client.get("/api/deliveries") for client in (off, none)]

    assert [answer.status_code for answer in answers] == [200, 401]


async def chunks(count: int, size: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b" " * size


@pytest.mark.parametrize("path", ["/api/events", "/hooks/h-1/trigger", "/nowhere"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large_is_refused(
    engine: Engine, client: httpx.AsyncClient, path: str, chunked: bool
) -> None:
    content = chunks(LARGEST + 1, 1) if chunked else b" " * (LARGEST + 1)

    answer = await client.post(path, content=content)

    assert answer.status_code == 413
    assert answer.json() == {
        "message": f"The body may have {LARGEST} bytes at most; server.max_body says so."
    }
    assert (engine.accepted, engine.triggered) == ([], [])


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_of_just_the_largest_size_is_taken(
    engine: Engine, client: httpx.AsyncClient, chunked: bool
) -> None:
    content = chunks(4, LARGEST // 4) if chunked else b" " * LARGEST

    await client.post("/hooks/h-1/trigger", content=content)

    assert [len(body) for _, body, _ in engine.triggered] == [LARGEST]


async def test_files_that_are_applied_may_be_larger_than_all_else(
    engine: Engine,
) -> None:
    engine.bounds = Bounds(largest_body=LARGEST, larger={"/api/apply": (2 * LARGEST, "server.max_apply")})
    async with client_of(engine, "let-me-in") as client:
        larger = await client.post("/api/apply", content=b" " * 2 * LARGEST)
        too_large = await client.post("/api/apply", content=b" " * (2 * LARGEST + 1))
        elsewhere = await client.post("/api/events", content=b" " * 2 * LARGEST)

    assert (larger.status_code, too_large.status_code, elsewhere.status_code) == (422, 413, 413)
    assert too_large.json()["message"].endswith(f"{2 * LARGEST} bytes at most; server.max_apply says so.")


async def test_of_bodies_that_may_be_larger_only_one_is_held_at_a_time() -> None:
    """The second one's is not even read before the first is done with."""
    inside, go_on = asyncio.Event(), asyncio.Event()
    received: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        inside.set()
        await go_on.wait()

    bounds = Bounds(largest_body=1, larger={"/api/apply": (10, "server.max_apply")})
    door = AccessMiddleware(app, callers=TokenRing(None), bounds=bounds)

    async def ask(name: str) -> None:
        async def receive() -> Any:
            received.append(name)
            return {"type": "http.request", "body": b"{}"}

        scope = {"type": "http", "path": "/api/apply", "method": "POST", "headers": []}
        await door(scope, receive, receive)  # type: ignore[arg-type]

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ask("first"))
        await inside.wait()
        second = tasks.create_task(ask("second"))
        await asyncio.sleep(0)
        assert received == ["first"]
        go_on.set()
        await second
    assert received == ["first", "second"]


async def stubborn(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    """What is sent back when these messages come, and then nothing more."""
    queue, sent = list(messages), []

    async def receive() -> dict[str, Any]:
        if not queue:
            await asyncio.Event().wait()
        return queue.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("nothing may come through")

    door = AccessMiddleware(inside, callers=TokenRing(None), bounds=Bounds(largest_body=LARGEST))
    scope = {"type": "http", "path": "/hooks/h-1/trigger", "method": "POST", "headers": []}
    await door(scope, receive, send)
    return sent


async def test_a_body_that_does_not_arrive_in_time_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hookengine.web.access.SLOWEST_BODY", 0)

    sent = await stubborn({"type": "http.request", "body": b"{", "more_body": True})

    assert sent[0]["status"] == 408


async def test_half_a_body_is_not_taken_for_a_whole_one() -> None:
    sent = await stubborn(
        {"type": "http.request", "body": b"{}", "more_body": True}, {"type": "http.disconnect"}
    )

    assert sent == []


# Scopes


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/api/events", Scope.EMIT),
        ("GET", "/api/deliveries", Scope.DELIVERIES_READ),
        ("GET", "/api/deliveries/dlv_1", Scope.DELIVERIES_READ),
        ("GET", "/api/tokens", Scope.ADMIN),
        ("POST", "/nowhere", Scope.ADMIN),
    ],
)
async def test_a_token_is_good_for_its_scopes_only(
    engine: Engine, method: str, path: str, scope: Scope
) -> None:
    others = token("let-me-in", *(set(Scope) - {scope, Scope.ADMIN, Scope.DELIVERIES_REPLAY}))
    own = token("let-me-in", scope)

    async with client_of(engine, others) as stranger, client_of(engine, own) as friend:
        refused = await stranger.request(method, path, json=event_document())
        let_in = await friend.request(method, path, json=event_document())

    assert refused.status_code == 403
    assert refused.json() == {"message": f"Forbidden: this needs a token with the scope {scope}."}
    assert let_in.status_code not in (401, 403)


def test_every_route_has_a_scope_of_its_own(engine: Engine) -> None:
    """What is forgotten is the admin's; this tells that it was forgotten."""
    app = create_web(engine.doors(TokenRing()))
    plain = {
        (method, route.path)
        for route in app.routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }
    described = {
        (method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods
    }
    closed = {(method, path) for method, path in plain | described if path not in OPEN_PATHS}

    admins = {path for method, path in closed if scope_of(method, path) is Scope.ADMIN}

    assert admins == {"/api/tokens", "/api/tokens/{token_id}"}


async def test_a_pipeline_of_another_team_looks_like_none(engine: Engine) -> None:
    event = event_document()
    bound = token("let-me-in", Scope.EMIT, team="shop")

    async with client_of(engine, bound) as client:
        own = await client.post("/api/events", json={**event, "action": {"id": 1, "pipeline": 1}})
        others = await client.post("/api/events", json={**event, "action": {"id": 1, "pipeline": 2}})
        nobodys = await client.post("/api/events", json={**event, "action": {"id": 1, "pipeline": 3}})

    assert (own.status_code, others.status_code, nobodys.status_code) == (202, 422, 422)
    assert others.json()["errors"] == {"action.pipeline": ["There is no pipeline 2."]}
    assert nobodys.json()["errors"] == {"action.pipeline": ["There is no pipeline 3."]}


@pytest.fixture(autouse=True)
def no_logging(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert "let-me-in" not in caplog.text
