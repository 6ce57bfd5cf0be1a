from __future__ import annotations

import base64
from collections.abc import Callable

import httpx
import pytest

from hookengine.simulators import Forgejo, Gitea, Host, Shown

pytestmark = pytest.mark.anyio

SHA = "e" * 40
STATUSES = f"/api/v1/repos/acme/shop/statuses/{SHA}"
Connect = Callable[[Host], httpx.AsyncClient]


@pytest.fixture(params=[Gitea, Forgejo])
def gitea(request: pytest.FixtureRequest) -> Gitea:
    made: Gitea = request.param(tokens={"t"}, commits={SHA}, clock=lambda: 1_800_000_000_000)
    return made


@pytest.fixture
def client(gitea: Gitea, connect: Connect) -> httpx.AsyncClient:
    return connect(gitea)


async def test_the_state_is_sent_as_state_and_answered_as_status(
    gitea: Gitea, client: httpx.AsyncClient
) -> None:
    answer = await client.post(
        STATUSES,
        json={"state": "pending", "context": " ci ", "description": "go\n", "target_url": "https://x.test/"},
    )

    assert answer.status_code == 201
    assert answer.json()["status"] == "pending"
    assert "state" not in answer.json()
    entry = Shown(
        context="ci", state="pending", description="go", url="https://x.test/", history=("pending",)
    )
    assert gitea.contexts() == {("acme/shop", SHA, "ci"): entry}


async def test_the_newest_row_of_a_context_is_shown_whatever_it_says(
    gitea: Gitea, client: httpx.AsyncClient
) -> None:
    for state in ("success", "pending"):
        await client.post(STATUSES, json={"state": state, "context": "ci"})

    assert gitea.shown("Acme/Shop", SHA)["ci"].state == "pending"
    assert [row["status"] for row in (await client.get(STATUSES)).json()] == ["pending", "success"]


@pytest.mark.parametrize(
    ("states", "combined"),
    [(("success", "pending"), "pending"), (("success", "failure", "pending"), "failure"), ((), "pending")],
)
async def test_the_combined_state_is_the_gravest(
    client: httpx.AsyncClient, states: tuple[str, ...], combined: str
) -> None:
    for number, state in enumerate(states):
        await client.post(STATUSES, json={"state": state, "context": f"ci{number}"})

    assert (await client.get(f"/api/v1/repos/acme/shop/commits/{SHA}/status")).json()["state"] == combined


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("token t", 201),
        ("Bearer t", 201),
        ("Basic " + base64.b64encode(b"me:t").decode(), 201),
        ("token no", 401),
        ("", 401),
        ("Basic /w==", 401),
    ],
)
async def test_a_token_comes_in_three_forms(
    client: httpx.AsyncClient, authorization: str, status: int
) -> None:
    client.headers["Authorization"] = authorization

    assert (await client.post(STATUSES, json={"state": "success"})).status_code == status


@pytest.mark.parametrize(
    ("sha", "status"),
    [("e" * 7, 201), (SHA.upper(), 201), ("e" * 6, 404), ("main", 404), ("f" * 40, 404), ("", 400)],
)
async def test_a_hash_may_be_shortened_and_must_be_known(
    gitea: Gitea, client: httpx.AsyncClient, sha: str, status: int
) -> None:
    answer = await client.post(f"/api/v1/repos/acme/shop/statuses/{sha}", json={"state": "success"})

    assert answer.status_code == status
    assert {place.sha for place in gitea.contexts()} == ({SHA} if status == 201 else set())


@pytest.mark.parametrize(
    "body", [{}, {"state": "running"}, {"state": "success", "context": 7}, [], {"state": None}]
)
async def test_a_wrong_body_is_a_bad_request(gitea: Gitea, client: httpx.AsyncClient, body: object) -> None:
    assert (await client.post(STATUSES, json=body)).status_code == 400
    assert gitea.contexts() == {}


@pytest.mark.parametrize("path", ["/api/v1/repos/acme/shop", "/repos/acme/shop/statuses/x"])
async def test_an_address_that_leads_nowhere_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.post(path, json={"state": "success"})).status_code == 404
