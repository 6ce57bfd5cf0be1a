from __future__ import annotations

import base64
from collections.abc import Callable

import httpx
import pytest

from hookengine.simulators import AzureDevOps, Host, Limit

pytestmark = pytest.mark.anyio

SHA = "e" * 40
STATUSES = f"/acme/web/_apis/git/repositories/shop/commits/{SHA}/statuses"
GOOD = {"state": "pending", "context": {"name": "deploy", "genre": "ci"}, "targetUrl": "https://x.test/1"}
Connect = Callable[[Host], httpx.AsyncClient]


@pytest.fixture
def azure() -> AzureDevOps:
    return AzureDevOps(tokens={"t"}, commits={SHA}, clock=lambda: 1_800_000_000_000)


@pytest.fixture
def client(azure: AzureDevOps, connect: Connect) -> httpx.AsyncClient:
    client = connect(azure)
    client.params = httpx.QueryParams({"api-version": "7.1"})
    return client


async def test_the_newest_status_of_genre_and_name_is_shown(
    azure: AzureDevOps, client: httpx.AsyncClient
) -> None:
    for state in ("pending", "succeeded"):
        assert (await client.post(STATUSES, json={**GOOD, "state": state})).status_code == 201

    shown = azure.contexts()["acme/web/shop", SHA, "ci/deploy"]
    assert (shown.state, shown.url, shown.history) == (
        "succeeded",
        "https://x.test/1",
        ("pending", "succeeded"),
    )
    assert (await client.get(STATUSES)).json()["count"] == 2
    latest = (await client.get(STATUSES, params={"latestOnly": "true"})).json()["value"]
    assert [row["state"] for row in latest] == ["succeeded"]


@pytest.mark.parametrize("authorization", ["Bearer t", "Basic " + base64.b64encode(b":t").decode()])
async def test_a_token_is_a_bearer_or_a_password(client: httpx.AsyncClient, authorization: str) -> None:
    client.headers["Authorization"] = authorization

    assert (await client.post(STATUSES, json=GOOD)).status_code == 201


async def test_a_wrong_token_is_answered_with_a_page_to_sign_in_and_looks_like_success(
    azure: AzureDevOps, client: httpx.AsyncClient
) -> None:
    client.headers["Authorization"] = "Basic " + base64.b64encode(b":expired").decode()

    answer = await client.post(STATUSES, json=GOOD)

    assert answer.status_code == 203
    assert answer.headers["content-type"].startswith("text/html")
    assert "Sign In" in answer.text
    assert azure.contexts() == {}


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"state": "success", "context": {"name": "d"}},
        {"state": "succeeded"},
        {"state": "failed", "context": {"genre": "g"}},
        {"state": "failed", "context": {"name": ""}},
        {"state": "failed", "context": {"name": "d"}, "targetUrl": 7},
    ],
)
async def test_a_wrong_body_is_a_bad_request(client: httpx.AsyncClient, body: object) -> None:
    answer = await client.post(STATUSES, json=body)

    assert (answer.status_code, answer.json()["typeKey"]) == (400, "InvalidArgumentValueException")


async def test_the_version_of_the_api_must_be_named(azure: AzureDevOps, connect: Connect) -> None:
    answer = await connect(azure).post(STATUSES, json=GOOD)

    assert (answer.status_code, answer.json()["typeKey"]) == (400, "VssVersionNotSpecifiedException")


@pytest.mark.parametrize("path", [STATUSES.replace(SHA, "f" * 40), STATUSES.replace(SHA, "main"), "/acme"])
async def test_an_unknown_place_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.post(path, json=GOOD)).status_code == 404


async def test_too_many_requests_are_cancelled_with_a_time_to_come_back(
    azure: AzureDevOps, client: httpx.AsyncClient
) -> None:
    azure.enforce(Limit(count=1, seconds=300))

    answers = [await client.post(STATUSES, json=GOOD) for _ in range(2)]

    assert answers[1].status_code == 429
    assert answers[1].json()["message"].startswith("TF400733")
    assert answers[1].headers["Retry-After"] == "300"
