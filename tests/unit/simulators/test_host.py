from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest

from hookengine.simulators import Bitbucket, GitHub, GitLab, Host

pytestmark = pytest.mark.anyio

SHA = "a" * 40
STATUSES = f"/repos/acme/shop/statuses/{SHA}"
Connect = Callable[[Host], httpx.AsyncClient]


@pytest.fixture
def github() -> GitHub:
    return GitHub(tokens={"t"}, clock=lambda: 1_800_000_000_000)


@pytest.fixture
def client(github: GitHub, connect: Connect) -> httpx.AsyncClient:
    return connect(github)


async def post(client: httpx.AsyncClient, state: str = "success") -> httpx.Response:
    return await client.post(STATUSES, json={"state": state, "context": "ci"})


async def test_every_request_is_recorded_as_it_came(github: GitHub, client: httpx.AsyncClient) -> None:
    await client.post("/a%2Fb?q=1", content=b"not json", headers={"X-Run": "7"})
    await post(client)

    first, second = github.received

    assert (first.number, first.method, first.path, first.query) == (1, "POST", "/a%2Fb", "q=1")
    assert (first.content, first.body, first.headers["x-run"]) == (b"not json", {}, "7")
    assert (first.status, first.at) == (404, 1_800_000_000_000)
    assert (second.number, second.status, second.body["state"]) == (2, 201, "success")


async def test_one_body_serves_all_three_hosts(connect: Connect) -> None:
    github, gitlab, bitbucket = (kind(tokens={"t"}) for kind in (GitHub, GitLab, Bitbucket))
    paths = {
        github: (STATUSES, "pending"),
        gitlab: (f"/api/v4/projects/acme%2Fshop/statuses/{SHA}", "running"),
        bitbucket: (f"/2.0/repositories/acme/shop/commit/{SHA}/statuses/build", "INPROGRESS"),
    }
    url = "https://app.devopness.test/actions/1"

    for simulator, (path, state) in paths.items():
        body = {"state": state, "context": "ci", "key": "ci", "target_url": url, "url": url}
        assert (await connect(simulator).post(path, json=body)).status_code == 201

    for simulator, (_, state) in paths.items():
        entry = simulator.shown("acme/shop", SHA)["ci"]
        assert (entry.state, entry.url) == (state, url)


async def test_a_planned_failure_answers_instead_of_working(
    github: GitHub, client: httpx.AsyncClient
) -> None:
    github.fail_next(503, times=2, headers={"Retry-After": "1"})

    answers = [await post(client) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [503, 503, 201]
    assert answers[0].headers["retry-after"] == "1"
    assert answers[0].json() == {"message": "Service Unavailable"}
    assert [received.status for received in github.received] == [503, 503, 201]
    assert github.shown("acme/shop", SHA)["ci"].history == ("success",)


async def test_a_failure_may_have_a_plain_body(github: GitHub, client: httpx.AsyncClient) -> None:
    github.fail_next(429, body="Retry later\n")

    answer = await post(client)

    assert (answer.status_code, answer.text) == (429, "Retry later\n")
    assert answer.headers["content-type"].startswith("text/plain")


async def test_a_fault_waits_for_the_request_it_is_meant_for(
    github: GitHub, client: httpx.AsyncClient
) -> None:
    github.fail_next(500, where=lambda received: received.body.get("state") == "success")

    statuses = [(await post(client, state)).status_code for state in ("pending", "success", "success")]

    assert statuses == [201, 500, 201]


async def test_faults_strike_in_the_order_of_planning(github: GitHub, client: httpx.AsyncClient) -> None:
    github.fail_next(500)
    github.fail_next(502)

    assert [(await post(client)).status_code for _ in range(3)] == [500, 502, 201]


async def test_a_fault_strikes_at_least_once(github: GitHub) -> None:
    with pytest.raises(ValueError, match="at least once"):
        github.fail_next(500, times=0)


async def test_a_held_request_is_overtaken(github: GitHub, client: httpx.AsyncClient) -> None:
    gate = asyncio.Event()
    github.delay_next(gate, where=lambda received: received.body["state"] == "pending")
    late = asyncio.create_task(post(client, "pending"))
    await github.wait_for(lambda received: received.body["state"] == "pending")
    await post(client, "success")
    assert [received.status for received in github.received] == [None, 201]

    gate.set()

    assert (await late).status_code == 201
    assert github.shown("acme/shop", SHA)["ci"].history == ("success", "pending")


async def test_a_request_can_be_held_and_then_fail(github: GitHub, client: httpx.AsyncClient) -> None:
    gate = asyncio.Event()
    github.delay_next(gate)
    github.fail_next(504)
    late = asyncio.create_task(post(client))
    await github.wait_for(lambda received: received.number == 1)

    gate.set()

    assert (await late).status_code == 504


async def test_a_request_can_be_held_for_seconds(github: GitHub, client: httpx.AsyncClient) -> None:
    github.delay_next(0.0)

    assert (await post(client)).status_code == 201


@pytest.mark.parametrize("applied", [True, False])
async def test_a_dropped_request_leaves_its_work_or_nothing(
    github: GitHub, client: httpx.AsyncClient, applied: bool
) -> None:
    github.drop_next(applied)

    with pytest.raises(ConnectionResetError):
        await post(client)

    assert [(received.status, received.dropped) for received in github.received] == [(None, True)]
    assert bool(github.shown("acme/shop", SHA)) is applied


async def test_waiting_finds_what_has_already_come(github: GitHub, client: httpx.AsyncClient) -> None:
    await post(client)

    received = await github.wait_for(lambda received: received.status == 201)

    assert received == github.received[0]


async def test_waiting_ends_with_the_answer(github: GitHub, client: httpx.AsyncClient) -> None:
    waiting = asyncio.create_task(github.wait_for(lambda received: received.status == 422))

    await post(client, "success")
    await post(client, "nonsense")

    assert (await waiting).number == 2


# Control


async def test_a_person_reads_what_came_with_secrets_masked(client: httpx.AsyncClient) -> None:
    client.headers["Private-Token"] = "t"
    await post(client)

    (request,) = (await client.get("/_simulator/received")).json()

    assert (request["number"], request["status"], request["path"]) == (1, 201, STATUSES)
    assert request["headers"]["authorization"] == request["headers"]["private-token"] == "********"
    assert '"success"' in request["content"]


async def test_a_person_reads_what_is_shown(github: GitHub, client: httpx.AsyncClient) -> None:
    await post(client)

    shown = (await client.get("/_simulator/shown")).json()

    assert shown == [
        {
            "repository": "acme/shop",
            "sha": SHA,
            "context": "ci",
            "state": "success",
            "description": None,
            "url": None,
            "history": ["success"],
        }
    ]
    assert len(github.received) == 1, "control requests are not recorded"


async def test_a_person_plans_a_failure(client: httpx.AsyncClient) -> None:
    fault = {"fail": 503, "times": 1, "headers": {"Retry-After": 9}, "where": {"state": "success"}}

    planned = await client.post("/_simulator/faults", json=fault)

    assert planned.status_code == 201
    assert (await post(client, "pending")).status_code == 201
    failed = await post(client, "success")
    assert (failed.status_code, failed.headers["retry-after"]) == (503, "9")
    assert (await post(client, "success")).status_code == 201


@pytest.mark.parametrize(("moment", "applied"), [("before", False), ("after", True)])
async def test_a_person_plans_a_hang_up(
    github: GitHub, client: httpx.AsyncClient, moment: str, applied: bool
) -> None:
    await client.post("/_simulator/faults", json={"drop": moment})

    with pytest.raises(ConnectionResetError):
        await post(client)

    assert bool(github.contexts()) is applied


async def test_a_person_plans_a_delay(client: httpx.AsyncClient) -> None:
    planned = await client.post("/_simulator/faults", json={"delay": 0})

    assert planned.json() == {"planned": "hold"}
    assert (await post(client)).status_code == 201


async def test_a_person_takes_planned_faults_back(client: httpx.AsyncClient) -> None:
    await client.post("/_simulator/faults", json={"fail": 500, "times": 99})

    assert (await client.delete("/_simulator/faults")).status_code == 204
    assert (await post(client)).status_code == 201


@pytest.mark.parametrize(
    "fault",
    [{}, [], {"fail": "503"}, {"fail": 99}, {"delay": -1}, {"drop": "maybe"}]
    + [{"fail": 500, extra: "x"} for extra in ("times", "where", "headers")],
)
async def test_what_is_no_fault_is_refused(client: httpx.AsyncClient, fault: object) -> None:
    assert (await client.post("/_simulator/faults", json=fault)).status_code == 422
    assert (await post(client)).status_code == 201
