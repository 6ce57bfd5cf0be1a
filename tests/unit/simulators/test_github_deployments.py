from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from hookengine.simulators import GitHub, Host

pytestmark = pytest.mark.anyio

SHA = "e" * 40
DEPLOYMENTS = "/repos/acme/shop/deployments"
Connect = Callable[[Host], httpx.AsyncClient]


@pytest.fixture
def github() -> GitHub:
    return GitHub(tokens={"t"}, clock=lambda: 1_800_000_000_000)


@pytest.fixture
def client(github: GitHub, connect: Connect) -> httpx.AsyncClient:
    return connect(github)


async def create(client: httpx.AsyncClient, **fields: object) -> httpx.Response:
    wanted = {"ref": SHA, "auto_merge": False, "required_contexts": [], **fields}
    return await client.post(DEPLOYMENTS, json=wanted)


async def test_a_deployment_goes_through_its_states_and_the_newest_is_shown(
    github: GitHub, client: httpx.AsyncClient
) -> None:
    number = (await create(client, environment="staging")).json()["id"]
    for state in ("queued", "in_progress", "success"):
        answer = await client.post(
            f"{DEPLOYMENTS}/{number}/statuses", json={"state": state, "log_url": "https://x.test/"}
        )
        assert (answer.status_code, answer.json()["state"]) == (201, state)

    shown = github.contexts()["acme/shop", SHA, f"deployment {number} to staging"]
    assert (shown.state, shown.url) == ("success", "https://x.test/")
    assert github.deployments.states(number) == ("queued", "in_progress", "success")


async def test_a_pending_status_blocks_a_deployment_that_asks_for_all_contexts(
    client: httpx.AsyncClient,
) -> None:
    await client.post(f"/repos/acme/shop/statuses/{SHA}", json={"state": "pending"})

    blocked = await client.post(DEPLOYMENTS, json={"ref": SHA, "auto_merge": False})

    assert blocked.status_code == 409
    assert "status checks failed" in blocked.json()["message"]
    assert (await create(client)).status_code == 201


async def test_a_branch_that_is_behind_is_merged_instead_of_deployed(
    github: GitHub, client: httpx.AsyncClient
) -> None:
    github.deployments.behind.add("topic")

    merged = await client.post(DEPLOYMENTS, json={"ref": "topic"})

    assert merged.status_code == 202
    assert "id" not in merged.json()
    assert (await client.post(DEPLOYMENTS, json={"ref": "topic"})).status_code == 201


@pytest.mark.parametrize(("environment", "state"), [("staging", "inactive"), ("production", "success")])
async def test_an_older_success_becomes_inactive_unless_it_is_production(
    github: GitHub, client: httpx.AsyncClient, environment: str, state: str
) -> None:
    for _ in range(2):
        number = (await create(client, environment=environment)).json()["id"]
        await client.post(f"{DEPLOYMENTS}/{number}/statuses", json={"state": "success"})

    assert github.deployments.states(1)[-1] == state
    assert github.deployments.states(2) == ("success",)


async def test_only_a_success_retires_the_older_one(github: GitHub, client: httpx.AsyncClient) -> None:
    for state in ("success", "failure"):
        number = (await create(client, environment="staging")).json()["id"]
        await client.post(f"{DEPLOYMENTS}/{number}/statuses", json={"state": state})

    assert github.deployments.states(1) == ("success",)


async def test_a_status_is_answered_with_what_was_sent(client: httpx.AsyncClient) -> None:
    number = (await create(client, environment="staging", description="d" * 140)).json()["id"]
    sent = {"state": "success", "description": "d" * 140, "log_url": "https://x.test/1", "environment": "qa"}

    answer = await client.post(
        f"{DEPLOYMENTS}/{number}/statuses", json={**sent, "environment_url": "https://qa.test/"}
    )

    assert answer.json().items() >= {**sent, "environment_url": "https://qa.test/"}.items()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("", {}, 422),
        ("", {"ref": 7}, 422),
        ("", {"ref": SHA, "description": "d" * 141}, 422),
        ("", [], 400),
        ("/7/statuses", {"state": "success"}, 404),
        ("/x/statuses", {"state": "success"}, 404),
        ("/1/statuses", {}, 422),
        ("/1/statuses", {"state": "running"}, 422),
        ("/1/statuses", {"state": "success", "description": "d" * 141}, 422),
        ("/1/statuses", {"state": "success", "log_url": "x.test"}, 422),
    ],
)
async def test_what_is_wrong_is_refused(
    github: GitHub, client: httpx.AsyncClient, path: str, body: object, status: int
) -> None:
    await create(client)

    assert (await client.post(DEPLOYMENTS + path, json=body)).status_code == status
    assert github.deployments.states(1) == ()
