from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from hookengine.simulators import GitHub, Host, Shown

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


def messages(answer: httpx.Response) -> list[str]:
    return [error["message"] for error in answer.json()["errors"]]


async def test_a_status_is_created_and_shown(github: GitHub, client: httpx.AsyncClient) -> None:
    body = {"state": "pending", "context": "ci", "description": "go", "target_url": "https://ci.test/1"}

    answer = await client.post(STATUSES, json=body)

    assert answer.status_code == 201
    assert answer.json() == body | {
        "id": 1,
        "node_id": "SC_1",
        "url": f"https://api.github.com{STATUSES}",
        "avatar_url": None,
        "creator": None,
        "created_at": "2027-01-15T08:00:00Z",
        "updated_at": "2027-01-15T08:00:00Z",
    }
    entry = Shown(
        context="ci", state="pending", description="go", url="https://ci.test/1", history=("pending",)
    )
    assert github.shown("acme/shop", SHA) == {"ci": entry}
    assert github.contexts() == {("acme/shop", SHA, "ci"): entry}


async def test_an_enterprise_server_has_its_api_under_a_prefix(client: httpx.AsyncClient) -> None:
    assert (await client.post(f"/api/v3{STATUSES}", json={"state": "success"})).status_code == 201


async def test_the_context_is_default_unless_named(github: GitHub, client: httpx.AsyncClient) -> None:
    await client.post(STATUSES, json={"state": "success", "context": None})

    assert list(github.shown("acme/shop", SHA)) == ["default"]


async def test_a_late_pending_overwrites_a_success(github: GitHub, client: httpx.AsyncClient) -> None:
    for state in ("success", "pending"):
        assert (await client.post(STATUSES, json={"state": state, "context": "ci"})).status_code == 201

    assert github.shown("acme/shop", SHA)["ci"].state == "pending"
    assert github.shown("acme/shop", SHA)["ci"].history == ("success", "pending")


async def test_contexts_and_repositories_are_the_same_in_any_case(
    github: GitHub, client: httpx.AsyncClient
) -> None:
    await client.post(STATUSES, json={"state": "pending", "context": "CI/Build"})
    await client.post(f"/repos/Acme/SHOP/statuses/{SHA}", json={"state": "success", "context": "ci/build"})

    assert [entry.history for entry in github.contexts().values()] == [("pending", "success")]
    assert "ci/build" in github.shown("ACME/shop", SHA)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "token"])
async def test_both_authorization_schemes_are_taken(client: httpx.AsyncClient, scheme: str) -> None:
    answer = await client.post(STATUSES, json={"state": "success"}, headers={"Authorization": f"{scheme} t"})

    assert answer.status_code == 201


@pytest.mark.parametrize("authorization", ["", "Bearer other", "Bearer", "Basic t", "t"])
async def test_anything_but_a_known_token_is_bad_credentials(
    github: GitHub, client: httpx.AsyncClient, authorization: str
) -> None:
    answer = await client.post(STATUSES, json={"state": "success"}, headers={"Authorization": authorization})

    assert (answer.status_code, answer.json()["message"]) == (401, "Bad credentials")
    assert github.contexts() == {}


async def test_a_request_without_a_user_agent_is_forbidden(client: httpx.AsyncClient) -> None:
    del client.headers["User-Agent"]

    answer = await client.post(STATUSES, json={"state": "success"})

    assert answer.status_code == 403
    assert "User-Agent" in answer.text


@pytest.mark.parametrize("state", ["running", "cancelled", "SUCCESS", "SUCCESSFUL", ""])
async def test_a_foreign_state_is_refused(client: httpx.AsyncClient, state: str) -> None:
    answer = await client.post(STATUSES, json={"state": state})

    assert answer.status_code == 422
    assert messages(answer) == ["state is not included in the list"]


@pytest.mark.parametrize("body", [{}, {"state": None}, {"state": "success", "description": 7}])
async def test_a_body_of_the_wrong_shape_is_an_invalid_request(
    client: httpx.AsyncClient, body: dict[str, object]
) -> None:
    answer = await client.post(STATUSES, json=body)

    assert answer.status_code == 422
    assert answer.json()["message"].startswith("Invalid request.")


async def test_a_description_ends_at_140_characters(client: httpx.AsyncClient) -> None:
    fits = await client.post(STATUSES, json={"state": "success", "description": "ü" * 140})
    longer = await client.post(STATUSES, json={"state": "success", "description": "ü" * 141})

    assert fits.status_code == 201
    assert longer.status_code == 422
    assert messages(longer) == ["description is too long (maximum is 140 characters)"]


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("http://ci.test/1", 201),
        (None, 201),
        ("ci.test/1", 422),
        ("ftp://ci.test/1", 422),
        ("{{ action.url }}", 422),
        ("https://[::1", 422),
    ],
)
async def test_a_target_url_is_a_web_address(client: httpx.AsyncClient, url: str | None, status: int) -> None:
    answer = await client.post(STATUSES, json={"state": "success", "target_url": url})

    assert answer.status_code == status


async def test_a_context_takes_a_thousand_rows_and_no_more(github: GitHub, client: httpx.AsyncClient) -> None:
    for _ in range(1000):
        assert (await client.post(STATUSES, json={"state": "pending", "context": "ci"})).status_code == 201

    refused = await client.post(STATUSES, json={"state": "success", "context": "CI"})
    other = await client.post(STATUSES, json={"state": "success", "context": "other"})

    assert refused.status_code == 422
    assert messages(refused) == ["This SHA and context has reached the maximum number of statuses."]
    assert other.status_code == 201
    assert github.shown("acme/shop", SHA)["ci"].state == "pending"


@pytest.mark.parametrize("sha", ["main", "abc123", "g" * 40, "b" * 40])
async def test_an_unknown_commit_is_told_by_its_sha(connect: Connect, sha: str) -> None:
    github = GitHub(tokens={"t"}, commits={SHA})

    answer = await connect(github).post(f"/repos/acme/shop/statuses/{sha}", json={"state": "success"})

    assert (answer.status_code, answer.json()["message"]) == (422, f"No commit found for SHA: {sha}")


@pytest.mark.parametrize("path", ["/repos/acme/shop/statuses/", "/repos/acme/shop", "/nothing"])
async def test_an_address_that_leads_nowhere_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.post(path, json={"state": "success"})).status_code == 404


@pytest.mark.parametrize(
    ("content", "message"), [(b"{", "Problems parsing JSON"), (b"[]", "Body should be a JSON object")]
)
async def test_a_body_that_is_no_json_object_is_a_bad_request(
    client: httpx.AsyncClient, content: bytes, message: str
) -> None:
    answer = await client.post(STATUSES, content=content)

    assert (answer.status_code, answer.json()["message"]) == (400, message)


async def test_fields_for_other_hosts_are_ignored(github: GitHub, client: httpx.AsyncClient) -> None:
    both = {"target_url": "https://ci.test/1", "url": "nonsense", "context": "ci", "key": "k" * 99}

    assert (await client.post(STATUSES, json={"state": "success", **both})).status_code == 201
    assert github.shown("acme/shop", SHA)["ci"].url == "https://ci.test/1"


async def test_statuses_are_listed_newest_first(client: httpx.AsyncClient) -> None:
    for state in ("pending", "failure", "success"):
        await client.post(STATUSES, json={"state": state})

    everything = await client.get(f"/repos/acme/shop/commits/{SHA}/statuses")
    second = await client.get(f"/repos/acme/shop/commits/{SHA}/statuses?per_page=1&page=2")

    assert [row["state"] for row in everything.json()] == ["success", "failure", "pending"]
    assert [row["state"] for row in second.json()] == ["failure"]


@pytest.mark.parametrize(
    ("posted", "combined"),
    [
        ([], "pending"),
        ([("a", "success")], "success"),
        ([("a", "success"), ("b", "pending")], "pending"),
        ([("a", "pending"), ("b", "error")], "failure"),
        ([("a", "success"), ("b", "failure")], "failure"),
        ([("a", "failure"), ("a", "success")], "success"),
        ([("a", "success"), ("A", "pending")], "pending"),
    ],
)
async def test_the_combined_state_looks_at_the_latest_of_each_context(
    client: httpx.AsyncClient, posted: list[tuple[str, str]], combined: str
) -> None:
    for context, state in posted:
        await client.post(STATUSES, json={"state": state, "context": context})

    answer = (await client.get(f"/repos/acme/shop/commits/{SHA}/status")).json()

    assert answer["state"] == combined
    assert answer["total_count"] == len({context.lower() for context, _ in posted})
