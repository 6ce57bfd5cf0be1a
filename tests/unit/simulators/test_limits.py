from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from hookengine.simulators import SIMULATORS, Bitbucket, GitHub, GitLab, Host, Limit
from hookengine.simulators.limits import Window

Connect = Callable[[Host], httpx.AsyncClient]


def test_a_window_slides_and_counts_each_account_by_itself() -> None:
    window = Window(Limit(count=2, seconds=10))

    assert [window.wait("a", now) for now in (0, 4000, 5000, 9999)] == [0, 0, 5, 1]
    assert window.wait("b", 5000) == 0
    assert [window.wait("a", now) for now in (10_000, 13_999, 14_000)] == [0, 1, 0]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("kind", "path", "status", "body"),
    [
        (GitHub, "/repos/a/b/commits/x/statuses", 403, "API rate limit exceeded"),
        (GitLab, "/api/v4/projects/1/repository/commits/x/statuses", 429, "Retry later\n"),
        (Bitbucket, "/2.0/repositories/a/b/commit/x/statuses", 429, "Rate limit for this resource"),
    ],
)
async def test_each_host_refuses_in_its_own_words(
    connect: Connect, kind: type[Host], path: str, status: int, body: str
) -> None:
    host = kind(tokens={"t"}, clock=lambda: 1_800_000_000_000)
    host.enforce(Limit(count=1, seconds=60))
    client = connect(host)
    await client.get(path)

    answer = await client.get(path)

    assert answer.status_code == status
    assert body in answer.text
    resets = {name: value for name, value in answer.headers.items() if name.endswith("ratelimit-reset")}
    assert set(resets.values()) <= {"1800000060"}
    assert bool(resets) is (kind is not Bitbucket)


@pytest.mark.anyio
@pytest.mark.parametrize("name", SIMULATORS)
async def test_no_host_but_ilert_has_a_limit_unless_it_is_asked_for(connect: Connect, name: str) -> None:
    host = SIMULATORS[name](tokens={"t"}, clock=lambda: 0)
    client = connect(host)
    count = host.usual_limit.count + 1 if host.usual_limit and host.usual_limit.count < 20 else 3

    statuses = [(await client.post("/x", json={})).status_code for _ in range(count)]

    assert (429 in statuses) is (name == "ilert")
