from __future__ import annotations

import base64
from collections.abc import Callable

import httpx
import pytest

from hookengine.simulators import Bitbucket, Host, Shown

pytestmark = pytest.mark.anyio

SHA = "e" * 40
COMMIT = f"/2.0/repositories/acme/shop/commit/{SHA}/statuses"
BUILDS = f"{COMMIT}/build"
URL = "https://ci.test/1"
Connect = Callable[[Host], httpx.AsyncClient]


@pytest.fixture
def bitbucket() -> Bitbucket:
    return Bitbucket(tokens={"t"}, clock=lambda: 1_800_000_000_000)


@pytest.fixture
def client(bitbucket: Bitbucket, connect: Connect) -> httpx.AsyncClient:
    return connect(bitbucket)


async def post(client: httpx.AsyncClient, **fields: object) -> httpx.Response:
    return await client.post(BUILDS, json={"key": "ci", "state": "INPROGRESS", "url": URL, **fields})


async def test_a_build_is_created_and_shown(bitbucket: Bitbucket, client: httpx.AsyncClient) -> None:
    answer = await post(client, name="Deploy", description="go", refname="main")

    assert answer.status_code == 201
    assert answer.json() == {
        "type": "build",
        "key": "ci",
        "state": "INPROGRESS",
        "url": URL,
        "name": "Deploy",
        "description": "go",
        "refname": "main",
        "created_on": "2027-01-15T08:00:00Z",
        "updated_on": "2027-01-15T08:00:00Z",
        "commit": {"type": "commit", "hash": SHA},
        "repository": {"type": "repository", "full_name": "acme/shop"},
    }
    entry = Shown(context="ci", state="INPROGRESS", description="go", url=URL, history=("INPROGRESS",))
    assert bitbucket.contexts() == {("acme/shop", SHA, "ci"): entry}


async def test_the_last_write_to_a_key_wins(bitbucket: Bitbucket, client: httpx.AsyncClient) -> None:
    for state in ("SUCCESSFUL", "INPROGRESS"):
        assert (await post(client, state=state)).status_code == 201

    assert bitbucket.shown("acme/shop", SHA)["ci"].state == "INPROGRESS"
    assert bitbucket.shown("acme/shop", SHA)["ci"].history == ("SUCCESSFUL", "INPROGRESS")
    assert (await client.get(COMMIT)).json()["size"] == 1


@pytest.mark.parametrize(
    "authorization", ["Bearer t", "Basic " + base64.b64encode(b"me@acme.test:t").decode()]
)
async def test_a_token_is_a_bearer_or_a_password(client: httpx.AsyncClient, authorization: str) -> None:
    client.headers["Authorization"] = authorization

    assert (await post(client)).status_code == 201


@pytest.mark.parametrize("authorization", ["", "Bearer no", "token t", "Basic t", "Basic /w=="])
async def test_anything_but_a_known_token_is_refused(client: httpx.AsyncClient, authorization: str) -> None:
    client.headers["Authorization"] = authorization

    answer = await post(client)

    assert (answer.status_code, answer.json()["type"]) == (401, "error")


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"key": "k" * 41}, "key", "Ensure this value has at most 40 characters (it has 41)."),
        ({"name": "n" * 256}, "name", "Ensure this value has at most 255 characters (it has 256)."),
        ({"url": URL.ljust(451, "x")}, "url", "Ensure this value has at most 450 characters (it has 451)."),
        ({"key": None}, "key", "This field is required."),
        ({"url": None}, "url", "This field is required."),
        ({"url": "", "target_url": URL}, "url", "This field is required."),
        ({"url": "http://localhost:8080/1"}, "url", "Enter a valid URL."),
        ({"url": "http://jenkins/1"}, "url", "Enter a valid URL."),
        ({"url": "ci.test/1"}, "url", "Enter a valid URL."),
        ({"url": "ftp://ci.test/1"}, "url", "Enter a valid URL."),
        ({"state": None}, "state", "This field is required."),
        (
            {"state": "success"},
            "state",
            "Select a valid choice. success is not one of the available choices.",
        ),
        ({"key": 7}, "key", "Not a valid string."),
    ],
)
async def test_a_wrong_field_is_told_in_the_envelope(
    bitbucket: Bitbucket, client: httpx.AsyncClient, fields: dict[str, object], field: str, message: str
) -> None:
    answer = await post(client, **fields)

    assert answer.status_code == 400
    assert answer.json() == {
        "type": "error",
        "error": {"message": f"{field}: {message}", "fields": {field: [message]}},
    }
    assert bitbucket.contexts() == {}


async def test_texts_at_their_limits_are_taken(client: httpx.AsyncClient) -> None:
    answer = await post(client, key="k" * 40, name="n" * 255, url=URL.ljust(450, "x"))

    assert answer.status_code == 201


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/1", "https://ci.test/{repository.full_name}"])
async def test_addresses_and_braces_are_valid_in_a_url(client: httpx.AsyncClient, url: str) -> None:
    assert (await post(client, url=url)).status_code == 201


async def test_fields_for_other_hosts_are_ignored(bitbucket: Bitbucket, client: httpx.AsyncClient) -> None:
    assert (await post(client, context="other", target_url="nonsense")).status_code == 201
    assert bitbucket.shown("acme/shop", SHA)["ci"].url == URL


async def test_a_put_changes_what_it_sends_of_an_existing_row(
    bitbucket: Bitbucket, client: httpx.AsyncClient
) -> None:
    await post(client, key="ci/build", description="go")

    answer = await client.put(f"{BUILDS}/ci%2Fbuild", json={"state": "STOPPED", "key": "ignored"})

    assert answer.status_code == 200
    entry = bitbucket.shown("acme/shop", SHA)["ci/build"]
    assert (entry.state, entry.description, entry.url) == ("STOPPED", "go", URL)


async def test_a_put_or_get_of_an_unknown_key_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.put(f"{BUILDS}/ci", json={"state": "STOPPED"})).status_code == 404
    assert (await client.get(f"{BUILDS}/ci")).status_code == 404


async def test_builds_are_read_one_by_one_or_in_a_page(client: httpx.AsyncClient) -> None:
    for key in ("a", "b"):
        await post(client, key=key)

    one = (await client.get(f"{BUILDS}/b")).json()
    listed = (await client.get(f"{COMMIT}?pagelen=1&page=2")).json()

    assert one["key"] == "b"
    assert (listed["size"], listed["values"]) == (2, [one])


@pytest.mark.parametrize("sha", ["main", "f" * 40])
async def test_an_unknown_commit_is_not_found(connect: Connect, sha: str) -> None:
    client = connect(Bitbucket(tokens={"t"}, commits={SHA}))

    answer = await client.post(
        f"/2.0/repositories/acme/shop/commit/{sha}/statuses/build",
        json={"key": "ci", "state": "FAILED", "url": URL},
    )

    assert answer.status_code == 404


@pytest.mark.parametrize(
    "path", ["/2.0/repositories/acme/shop", f"{COMMIT}/other", "/2.0/repositories/a/b/commit//statuses/build"]
)
async def test_an_address_that_leads_nowhere_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.post(path, json={})).status_code == 404


@pytest.mark.parametrize("content", [b"{", b"[]"])
async def test_a_body_that_is_no_json_object_is_a_bad_request(
    client: httpx.AsyncClient, content: bytes
) -> None:
    assert (await client.post(BUILDS, content=content)).status_code == 400
