from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from hookengine.simulators import BitbucketDataCenter, Host, Limit, Shown

pytestmark = pytest.mark.anyio

SHA = "e" * 40
BUILDS = f"/rest/api/latest/projects/ACME/repos/shop/commits/{SHA}/builds"
LEGACY = f"/rest/build-status/latest/commits/{SHA}"
GOOD = {"key": "ci", "state": "INPROGRESS", "url": "https://ci.test/1"}
Connect = Callable[[Host], httpx.AsyncClient]


@pytest.fixture
def datacenter() -> BitbucketDataCenter:
    return BitbucketDataCenter(
        tokens={"t"}, commits={SHA}, repositories={"ACME/shop"}, clock=lambda: 1_800_000_000_000
    )


@pytest.fixture
def client(datacenter: BitbucketDataCenter, connect: Connect) -> httpx.AsyncClient:
    return connect(datacenter)


async def test_a_build_is_taken_without_a_word_and_shown(
    datacenter: BitbucketDataCenter, client: httpx.AsyncClient
) -> None:
    answer = await client.post(BUILDS, json={**GOOD, "description": "go", "ref": "refs/heads/main"})

    assert (answer.status_code, answer.content) == (204, b"")
    entry = Shown(
        context="ci",
        state="INPROGRESS",
        description="go",
        url="https://ci.test/1",
        history=("INPROGRESS",),
    )
    assert datacenter.contexts() == {("ACME/shop", SHA, "ci"): entry}


async def test_the_last_write_to_a_key_wins_and_is_what_a_reader_gets(client: httpx.AsyncClient) -> None:
    for state in ("SUCCESSFUL", "CANCELLED"):
        await client.post(BUILDS, json={**GOOD, "state": state})

    assert (await client.get(BUILDS, params={"key": "ci"})).json()["state"] == "CANCELLED"
    assert (await client.get(BUILDS, params={"key": "other"})).status_code == 404


@pytest.mark.parametrize(
    ("fields", "context"),
    [
        ({"key": ""}, "key"),
        ({"key": "k" * 256}, "key"),
        ({"url": None}, "url"),
        ({"url": "https://ci.test/".ljust(451, "x")}, "url"),
        ({"state": "STOPPED"}, "state"),
        ({"name": "n" * 256}, "name"),
        ({"name": 7}, "name"),
        ({"ref": "main"}, "ref"),
        ({"duration": "5"}, "duration"),
    ],
)
async def test_a_wrong_field_is_told_by_its_name(
    datacenter: BitbucketDataCenter, client: httpx.AsyncClient, fields: dict[str, object], context: str
) -> None:
    answer = await client.post(BUILDS, json={**GOOD, **fields})

    assert answer.status_code == 400
    assert {error["context"] for error in answer.json()["errors"]} == {context}
    assert datacenter.contexts() == {}


async def test_texts_at_their_limits_are_taken(client: httpx.AsyncClient) -> None:
    long = {"key": "k" * 255, "name": "n" * 255, "url": "https://ci.test/".ljust(450, "x")}

    assert (await client.post(BUILDS, json={**GOOD, **long, "description": "d" * 5000})).status_code == 204


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (BUILDS.replace("shop", "other"), 404),
        (BUILDS.replace(SHA, "main"), 400),
        (BUILDS.replace(SHA, "f" * 40), 400),
        ("/rest/api/latest/projects/ACME", 404),
    ],
)
async def test_an_unknown_place_is_refused(client: httpx.AsyncClient, path: str, status: int) -> None:
    assert (await client.post(path, json=GOOD)).status_code == status


async def test_without_permission_it_is_a_401(client: httpx.AsyncClient) -> None:
    client.headers["Authorization"] = "Bearer no"

    answer = await client.post(BUILDS, json=GOOD)

    assert answer.status_code == 401
    assert "permitted" in answer.json()["errors"][0]["message"]


async def test_the_older_address_knows_three_states_and_no_repository(
    datacenter: BitbucketDataCenter, client: httpx.AsyncClient
) -> None:
    assert (await client.post(LEGACY, json=GOOD)).status_code == 204
    assert (await client.post(LEGACY, json={**GOOD, "state": "CANCELLED"})).status_code == 400
    assert (await client.post(LEGACY, json={**GOOD, "description": "d" * 256})).status_code == 400
    assert (await client.get(LEGACY)).json()["size"] == 1
    assert set(datacenter.contexts()) == {("", SHA, "ci")}


async def test_beyond_its_limit_it_says_when_to_come_back(
    datacenter: BitbucketDataCenter, client: httpx.AsyncClient
) -> None:
    datacenter.enforce(Limit(count=1, seconds=12))

    answers = [await client.post(BUILDS, json=GOOD) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 429]
    assert answers[1].headers["Retry-After"] == "12"
