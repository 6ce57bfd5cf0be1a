"""Who may come in: with which token, to which doors, as which team."""

from __future__ import annotations

import httpx
import pytest
from starlette.routing import Route

from hookengine.domain.token import Scope
from hookengine.guard.tokens import TokenRing
from hookengine.web.access import OPEN_PATHS
from hookengine.web.app import create_web
from hookengine.web.scopes import scope_of
from tests.conftest import event_document
from tests.unit.web.standin import Engine, client_of, token

pytestmark = pytest.mark.anyio


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


# Scopes and teams


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


# Figures


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
