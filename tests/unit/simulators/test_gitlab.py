from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest

from hookengine.simulators import GitLab, Host

pytestmark = pytest.mark.anyio

SHA = "c" * 40
PROJECT = "/api/v4/projects/acme%2Fshop"
STATUSES = f"{PROJECT}/statuses/{SHA}"
ROWS = f"{PROJECT}/repository/commits/{SHA}/statuses"
TERMINAL = ("success", "failed", "canceled", "skipped")
STATES = ("pending", "running", *TERMINAL)
REFUSED = {
    ("pending", "pending"): "enqueue",
    ("running", "pending"): "enqueue",
    ("running", "running"): "run",
    ("running", "skipped"): "skip",
}
Connect = Callable[[Host], httpx.AsyncClient]


@pytest.fixture
def gitlab() -> GitLab:
    return GitLab(tokens={"t": "bot", "rotated": "bot", "other": "somebody"}, clock=lambda: 1_800_000_000_000)


@pytest.fixture
def client(gitlab: GitLab, connect: Connect) -> httpx.AsyncClient:
    return connect(gitlab)


async def post(client: httpx.AsyncClient, state: str, *, by: str = "t", **fields: object) -> httpx.Response:
    return await client.post(
        STATUSES, json={"state": state, "name": "ci", **fields}, headers={"Authorization": f"Bearer {by}"}
    )


async def rows(client: httpx.AsyncClient, query: str = "all=true") -> list[tuple[int, str]]:
    return [(row["id"], row["status"]) for row in (await client.get(f"{ROWS}?{query}")).json()]


@pytest.mark.parametrize("wanted", STATES)
async def test_the_first_write_may_have_any_state(
    gitlab: GitLab, client: httpx.AsyncClient, wanted: str
) -> None:
    answer = await post(client, wanted)

    assert (answer.status_code, answer.json()["status"]) == (201, wanted)
    assert gitlab.shown("acme/shop", SHA)["ci"].history == (wanted,)


@pytest.mark.parametrize("wanted", STATES)
@pytest.mark.parametrize("before", ["pending", "running"])
async def test_an_open_row_moves_only_along_its_transitions(
    gitlab: GitLab, client: httpx.AsyncClient, before: str, wanted: str
) -> None:
    await post(client, before, description="first")

    answer = await post(client, wanted, description="second")

    event = REFUSED.get((before, wanted))
    entry = gitlab.shown("acme/shop", SHA)["ci"]
    if event is None:
        assert (answer.status_code, answer.json()["id"]) == (201, 1)
        assert (entry.state, entry.description, entry.history) == (wanted, "second", (before, wanted))
    else:
        assert answer.status_code == 400
        assert answer.json() == {
            "message": f"Cannot transition status via :{event} from :{before} "
            f'(Reason(s): Status cannot transition via "{event}")'
        }
        assert (entry.state, entry.description, entry.history) == (before, "first", (before,))


@pytest.mark.parametrize("wanted", STATES)
@pytest.mark.parametrize("before", TERMINAL)
async def test_a_write_after_the_end_opens_a_new_row(
    gitlab: GitLab, client: httpx.AsyncClient, before: str, wanted: str
) -> None:
    await post(client, before)

    answer = await post(client, wanted)

    assert (answer.status_code, answer.json()["id"]) == (201, 2)
    assert gitlab.shown("acme/shop", SHA)["ci"].state == wanted
    assert await rows(client) == [(1, before), (2, wanted)]
    assert await rows(client, "") == [(2, wanted)], "the older row is retried"


async def test_a_late_started_opens_a_new_running_row(gitlab: GitLab, client: httpx.AsyncClient) -> None:
    for state in ("running", "success", "running"):
        await post(client, state)

    assert gitlab.shown("acme/shop", SHA)["ci"].history == ("running", "success", "running")


async def test_the_answer_tells_pipeline_ref_and_times(client: httpx.AsyncClient) -> None:
    await post(client, "running", target_url="https://ci.test/1")

    answer = await post(client, "success", coverage=98.5)

    assert answer.json() == {
        "id": 1,
        "sha": SHA,
        "ref": "main",
        "status": "success",
        "name": "ci",
        "target_url": "https://ci.test/1",
        "description": None,
        "created_at": "2027-01-15T08:00:00.000Z",
        "started_at": "2027-01-15T08:00:00.000Z",
        "finished_at": "2027-01-15T08:00:00.000Z",
        "allow_failure": False,
        "coverage": 98.5,
        "pipeline_id": 1,
        "author": {"username": "bot"},
    }


# Who and where


@pytest.mark.parametrize("headers", [{"PRIVATE-TOKEN": "t"}, {"Authorization": "Bearer t"}])
async def test_a_token_comes_in_either_header(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    del client.headers["Authorization"]

    assert (await client.post(STATUSES, json={"state": "success"}, headers=headers)).status_code == 201


@pytest.mark.parametrize("headers", [{}, {"PRIVATE-TOKEN": "no"}, {"Authorization": "token t"}])
async def test_anything_but_a_known_token_is_unauthorized(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    del client.headers["Authorization"]

    answer = await client.post(STATUSES, json={"state": "success"}, headers=headers)

    assert (answer.status_code, answer.json()) == (401, {"message": "401 Unauthorized"})


@pytest.mark.parametrize(
    ("identity", "status"),
    [("42", 201), ("acme%2Fshop", 201), ("acme/shop", 404), ("acme%252Fshop", 404), ("shop", 404), ("", 404)],
)
async def test_a_project_is_a_number_or_a_path_encoded_once(
    client: httpx.AsyncClient, identity: str, status: int
) -> None:
    answer = await client.post(f"/api/v4/projects/{identity}/statuses/{SHA}", json={"state": "success"})

    assert answer.status_code == status


async def test_a_number_and_a_path_can_be_one_project(connect: Connect) -> None:
    gitlab = GitLab(tokens={"t"}, projects={42: "acme/shop"})
    client = connect(gitlab)

    by_number = await client.post(f"/api/v4/projects/42/statuses/{SHA}", json={"state": "running"})
    by_path = await client.post(STATUSES, json={"state": "success"})
    unknown = await client.post(f"/api/v4/projects/43/statuses/{SHA}", json={"state": "success"})

    assert by_number.json()["id"] == by_path.json()["id"]
    assert gitlab.shown("acme/shop", SHA)["default"].history == ("running", "success")
    assert (unknown.status_code, unknown.json()) == (404, {"message": "404 Project Not Found"})


@pytest.mark.parametrize("sha", ["main", "d" * 40])
async def test_an_unknown_commit_is_not_found(connect: Connect, sha: str) -> None:
    client = connect(GitLab(tokens={"t"}, commits={SHA}))

    answer = await client.post(f"{PROJECT}/statuses/{sha}", json={"state": "success"})

    assert (answer.status_code, answer.json()) == (404, {"message": "404 Commit Not Found"})


# What is sent


async def test_name_wins_over_context_and_both_may_be_missing(
    gitlab: GitLab, client: httpx.AsyncClient
) -> None:
    await client.post(STATUSES, json={"state": "success", "name": "n", "context": "c"})
    await client.post(STATUSES, json={"state": "success", "context": "c", "key": "k", "url": "nonsense"})
    await client.post(STATUSES, json={"state": "success"})

    assert set(gitlab.shown("acme/shop", SHA)) == {"n", "c", "default"}


async def test_parameters_come_as_form_or_query_too(gitlab: GitLab, client: httpx.AsyncClient) -> None:
    assert (await client.post(STATUSES, data={"state": "running", "name": "form"})).status_code == 201
    assert (await client.post(f"{STATUSES}?state=running&name=query")).status_code == 201

    assert set(gitlab.shown("acme/shop", SHA)) == {"form", "query"}


@pytest.mark.parametrize("field", ["ref", "target_url", "description"])
async def test_texts_end_at_255_characters(client: httpx.AsyncClient, field: str) -> None:
    start = "https://ci.test/" if field == "target_url" else ""

    longer = await post(client, "success", **{field: start.ljust(256, "x")})
    fits = await post(client, "success", **{field: start.ljust(255, "x")})

    assert longer.status_code == 400
    assert longer.json() == {"message": {field: ["is too long (maximum is 255 characters)"]}}
    assert fits.status_code == 201


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"name": "ci"}, "state is missing"),
        ({"state": "failure"}, "state does not have a valid value"),
        ({"state": "cancelled"}, "state does not have a valid value"),
        ({"state": ["success"]}, "state does not have a valid value"),
        ({"state": "success", "pipeline_id": "latest"}, "pipeline_id is invalid"),
        ({"state": "success", "coverage": "much"}, "coverage is invalid"),
        ({"state": "success", "name": {"a": 1}}, "name is invalid"),
        ([], "message body does not match declared format"),
    ],
)
async def test_a_wrong_parameter_is_a_bad_request(
    client: httpx.AsyncClient, body: object, error: str
) -> None:
    answer = await client.post(STATUSES, json=body)

    assert (answer.status_code, answer.json()) == (400, {"error": error})


async def test_a_target_url_is_a_web_address(client: httpx.AsyncClient) -> None:
    answer = await post(client, "success", target_url="ci.test/1")

    assert answer.status_code == 400
    assert list(answer.json()["message"]) == ["target_url"]


# Which row


async def test_another_user_cannot_close_an_open_row(client: httpx.AsyncClient) -> None:
    await post(client, "running")

    strange = await post(client, "success", by="other")
    own = await post(client, "success", by="rotated")

    assert (strange.json()["id"], own.json()["id"]) == (2, 1)


async def test_another_ref_opens_another_pipeline(client: httpx.AsyncClient) -> None:
    first = await post(client, "running", ref="main")
    second = await post(client, "success", ref="feature")

    assert (first.json()["pipeline_id"], second.json()["pipeline_id"]) == (1, 2)
    assert await rows(client) == [(1, "running"), (2, "success")]
    assert await rows(client, "ref=main") == [(1, "running")]
    assert await rows(client, "pipeline_id=2") == [(2, "success")]


async def test_without_a_ref_the_newest_pipeline_takes_the_status(client: httpx.AsyncClient) -> None:
    for ref in ("main", "feature"):
        await post(client, "running", ref=ref)

    assert (await post(client, "success")).json()["ref"] == "feature"
    assert (await post(client, "success", pipeline_id=1)).json()["ref"] == "main"


@pytest.mark.parametrize("fields", [{"pipeline_id": 2}, {"pipeline_id": 1, "ref": "feature"}])
async def test_a_pipeline_must_fit_commit_and_ref(
    client: httpx.AsyncClient, fields: dict[str, object]
) -> None:
    await post(client, "running", ref="main")

    answer = await post(client, "success", **fields)

    assert answer.status_code == 404
    assert answer.json() == {"message": "404 Pipeline for pipeline_id, sha and ref Not Found"}


async def test_a_commit_on_no_branch_needs_a_ref(connect: Connect) -> None:
    client = connect(GitLab(tokens={"t"}, branch=None))

    assert (await post(client, "success")).json() == {"message": "404 References for commit Not Found"}
    assert (await post(client, "success", ref="main")).status_code == 201


async def test_rows_are_listed_by_name_and_page(client: httpx.AsyncClient) -> None:
    for name in ("a", "b", "c"):
        await post(client, "success", name=name)

    assert await rows(client, "name=b") == [(2, "success")]
    assert await rows(client, "per_page=2&page=2") == [(3, "success")]
    assert [row for row, _ in await rows(client, "sort=desc")] == [3, 2, 1]


# The lock


async def test_a_second_write_waits_for_the_first_whatever_its_name(connect: Connect) -> None:
    pauses: list[float] = []
    waiting, gate = asyncio.Event(), asyncio.Event()

    async def wait(seconds: float) -> None:
        pauses.append(seconds)
        waiting.set()
        await asyncio.gather(first)

    gitlab = GitLab(tokens={"t"}, wait=wait)
    client = connect(gitlab)
    gitlab.delay_next(gate)
    first = asyncio.create_task(post(client, "running"))
    await gitlab.wait_for(lambda received: received.number == 1)
    second = asyncio.create_task(post(client, "success", name="other"))
    async with asyncio.timeout(60):
        await waiting.wait()
    assert not gitlab.contexts()

    gate.set()

    assert [(await first).status_code, (await second).status_code] == [201, 201]
    assert pauses == [0.5]


async def test_who_waits_ten_seconds_for_the_lock_gets_a_conflict(connect: Connect) -> None:
    pauses: list[float] = []
    gate = asyncio.Event()

    async def wait(seconds: float) -> None:
        pauses.append(seconds)

    gitlab = GitLab(tokens={"t"}, wait=wait)
    client = connect(gitlab)
    gitlab.delay_next(gate)
    first = asyncio.create_task(post(client, "running"))
    await gitlab.wait_for(lambda received: received.number == 1)

    refused = await post(client, "success")
    elsewhere = await client.post(f"{PROJECT}/statuses/{'d' * 40}", json={"state": "success"})
    gate.set()

    assert refused.status_code == 409
    assert refused.json() == {"message": "Another update to this commit status is in progress"}
    assert pauses == [0.5] * 20
    assert elsewhere.status_code == 201
    assert (await first).status_code == 201
    assert (await post(client, "success")).status_code == 201, "the lock is free again"
