from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from tests.faults.targets import (
    APPLY_THEN_DROP,
    GONE,
    HANG,
    RESET_AFTER_READING,
    RESET_AT_ONCE,
    RETRY_AFTERS,
    AnyTarget,
    Behaviour,
    Rule,
    Target,
    TargetProcess,
    answer,
    apply_late,
    drip,
    read,
    retry_after,
    slow,
)

HEADERS = {"webhook-id": "dlv_1", "hookengine-position": "1.2.3"}


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    with Target("far", tmp_path / "journal") as target:
        yield target


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def post(client: httpx.Client, target: AnyTarget, path: str = "/hook", **arguments: object) -> httpx.Response:
    given = {"headers": HEADERS, "content": b'{"state": "success"}', **arguments}
    return client.post(target.url + path, **given)  # type: ignore[arg-type]


def test_an_honest_target_takes_and_remembers_what_it_gets(client: httpx.Client, target: Target) -> None:
    assert post(client, target).status_code == 200

    (got,) = target.received
    assert (got.receiver, got.number, got.delivery, got.position) == ("far", 1, "dlv_1", "1.2.3")
    assert (got.path, got.lane, got.body, got.status) == ("/hook", "/hook", '{"state": "success"}', 200)
    assert got.digest == sha256(b'{"state": "success"}').hexdigest()
    assert got.applied_at is not None
    assert got.ended_at is not None
    assert got.started_at <= got.applied_at <= got.ended_at


def test_a_connection_serves_one_request_after_another(client: httpx.Client, target: Target) -> None:
    for _ in range(3):
        post(client, target)

    assert [got.number for got in target.received] == [1, 2, 3]
    assert all((one.ended_at or 0) <= other.started_at for one, other in pairwise(target.received))
    assert target._server._listener.accepted == 1


def test_the_file_says_the_same_as_the_memory(client: httpx.Client, target: Target, tmp_path: Path) -> None:
    post(client, target, content=json.dumps({"context": "ci/\u00e9"}).encode())
    target.plan(RESET_AFTER_READING)
    with pytest.raises(httpx.ReadError):
        post(client, target)

    target.wait_for(lambda received: all(one.ended_at for one in received))
    assert read(tmp_path / "journal") == target.received
    assert target.received[0].lane == "/hook ci/\u00e9"


def test_a_line_that_was_cut_short_counts_for_nothing(
    client: httpx.Client, target: Target, tmp_path: Path
) -> None:
    post(client, target)
    with (tmp_path / "journal").open("a") as file:
        file.write('{"number": 2, "rec')

    assert read(tmp_path / "journal") == target.received


# Behaviours


def test_status_headers_and_body_are_answered(client: httpx.Client, target: Target) -> None:
    target.plan(answer(429, ("retry-after", "7"), ("x-odd", "a, b"), body="wait"))

    said = post(client, target)

    assert (said.status_code, said.headers["retry-after"], said.text) == (429, "7", "wait")
    assert (target.received[0].status, target.received[0].applied_at) == (429, None)


@pytest.mark.parametrize("name", RETRY_AFTERS)
def test_odd_values_of_retry_after_go_out_as_they_are(
    client: httpx.Client, target: Target, name: str
) -> None:
    target.plan(retry_after(503, name))

    said = post(client, target)

    values = [value for key, value in said.headers.raw if key == b"retry-after"]
    assert [value.decode() for value in values] == list(RETRY_AFTERS[name])


def test_a_hook_that_is_gone_says_so(client: httpx.Client, target: Target) -> None:
    target.plan(GONE)

    assert post(client, target).status_code == 410


@pytest.mark.parametrize(
    ("behaviour", "applied", "body"),
    [
        (RESET_AT_ONCE, False, ""),
        (RESET_AFTER_READING, False, '{"state": "success"}'),
        (APPLY_THEN_DROP, True, '{"state": "success"}'),
    ],
)
def test_hanging_up_is_remembered(
    client: httpx.Client, target: Target, behaviour: Behaviour, applied: bool, body: str
) -> None:
    target.plan(behaviour)

    with pytest.raises((httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)):
        post(client, target)

    (got,) = target.wait_for(lambda received: all(one.ended_at for one in received))
    assert (got.status, got.body, got.digest != "", got.applied_at is not None) == (
        None,
        body,
        body != "",
        applied,
    )


def test_a_target_that_hangs_answers_when_it_is_released(
    client: httpx.Client, target: Target, pool: ThreadPoolExecutor
) -> None:
    target.plan(HANG, times=1)
    answered = pool.submit(post, client, target)
    (got,) = target.wait_for_requests(1)
    assert (got.ended_at, answered.done()) == (None, False)

    target.release()

    assert answered.result(10).status_code == 200
    assert target.received[0].status == 200


def test_a_sender_that_stops_waiting_ends_its_request(client: httpx.Client, target: Target) -> None:
    target.plan(HANG)
    with pytest.raises(httpx.ReadTimeout):
        post(client, target, timeout=0.1)

    (got,) = target.wait_for(lambda received: all(one.ended_at for one in received))
    assert (got.status, got.applied_at) == (None, None)


def test_a_slow_target_has_taken_it_before_it_answers(
    client: httpx.Client, target: Target, pool: ThreadPoolExecutor
) -> None:
    target.plan(slow(0.15))
    answered = pool.submit(post, client, target)
    target.wait_for(lambda received: any(one.applied_at for one in received))
    assert not answered.done()

    assert answered.result(10).status_code == 200
    (got,) = target.received
    assert got.ended_at is not None
    assert got.ended_at - got.started_at >= 149


def test_an_effect_may_come_after_the_sender_has_gone(client: httpx.Client, target: Target) -> None:
    target.plan(apply_late(0.1))
    with pytest.raises(httpx.ReadError):
        post(client, target)

    (got,) = target.wait_for(lambda received: any(one.applied_at for one in received))
    assert got.ended_at is not None
    assert got.applied_at is not None
    assert got.applied_at - got.ended_at >= 50


def test_what_had_its_effect_last_is_shown(client: httpx.Client, target: Target) -> None:
    target.plan(apply_late(0.1, answered=503), text="old")
    post(client, target, content=b"old")
    post(client, target, content=b"new")
    assert target.shown()["/hook"].body == "new"

    target.wait_for(lambda received: all(one.applied_at for one in received))
    assert target.shown()["/hook"].body == "old"


@pytest.mark.parametrize(
    "pieces", [("HTTP/1.1 200 OK\r\n", "content-length: 2\r\n\r\n", "{}"), ("garbage\r\n\r\n",)]
)
def test_pieces_are_written_as_they_are(target: Target, pieces: tuple[str, ...]) -> None:
    target.plan(drip(*pieces, pace=0.01))
    with closing(socket.create_connection(("127.0.0.1", target.port), timeout=60)) as connection:
        connection.sendall(b"POST /hook HTTP/1.1\r\ncontent-length: 0\r\n\r\n")
        heard = b"".join(iter(lambda: connection.recv(1000), b""))

    assert heard.decode() == "".join(pieces)
    assert target.received[0].status == (200 if len(pieces) > 1 else None)


def test_what_is_endless_goes_on_until_the_sender_has_had_enough(target: Target) -> None:
    target.plan(drip("HTTP/1.1 200 OK\r\n\r\n", "x" * 1000, endless=True))
    with closing(socket.create_connection(("127.0.0.1", target.port), timeout=60)) as connection:
        connection.sendall(b"POST /hook HTTP/1.1\r\ncontent-length: 0\r\n\r\n")
        heard = sum(len(connection.recv(100_000)) for _ in range(100))

    assert heard > 10_000


# Plans


def test_a_plan_is_for_some_paths_bodies_and_times(client: httpx.Client, target: Target) -> None:
    target.plan(answer(503), path="/a", text="x", times=2)
    target.plan(answer(404), path="/a")

    said = [
        post(client, target, path, content=body).status_code
        for path, body in [("/b", b"x"), ("/a", b"y"), ("/a", b"x"), ("/ab", b"xx"), ("/a", b"x")]
    ]

    assert said == [200, 404, 503, 503, 404]


def test_plans_are_forgotten(client: httpx.Client, target: Target) -> None:
    target.plan(answer(503))
    assert post(client, target).status_code == 503
    target.clear()
    assert post(client, target).status_code == 200


def test_chance_is_the_same_for_the_same_seed(client: httpx.Client) -> None:
    def statuses(seed: int) -> list[int]:
        with Target(seed=seed) as target:
            target.plan(answer(503), chance=0.5)
            return [post(client, target).status_code for _ in range(30)]

    assert statuses(1) == statuses(1) != statuses(2)
    assert set(statuses(1)) == {200, 503}


def test_a_plan_survives_the_way_to_another_process() -> None:
    rule = Rule(behaviour=answer(429, ("a", "b")), path="/x", times=3, chance=0.5)

    assert Rule.from_json(json.loads(json.dumps(rule.as_json()))) == rule


# Being there


def test_a_target_that_is_down_refuses_and_comes_back_on_its_port(
    client: httpx.Client, target: Target
) -> None:
    post(client, target)
    target.go_down()
    with pytest.raises((httpx.ConnectError, httpx.ReadError)):
        post(client, target)
    with pytest.raises(httpx.ConnectError):
        post(client, target)

    target.come_back()

    assert post(client, target).status_code == 200
    assert len(target.received) == 2


def test_requests_of_one_lane_that_meet_are_told(
    client: httpx.Client, target: Target, pool: ThreadPoolExecutor
) -> None:
    target.plan(HANG, times=3)

    def send(delivery: str, path: str) -> Future[httpx.Response]:
        sent = pool.submit(post, client, target, path, headers={"webhook-id": delivery})
        target.wait_for(lambda received: any(one.delivery == delivery for one in received))
        return sent

    sent = [send("dlv_1", "/a"), send("dlv_2", "/b"), send("dlv_3", "/a")]
    target.release()
    for one in sent:
        one.result(10)
    send("dlv_4", "/a").result(10)

    assert [(one.delivery, one.beside) for one in target.overlapping()] == [("dlv_3", ("dlv_1",))]


def test_waiting_in_vain_ends(target: Target) -> None:
    with pytest.raises(TimeoutError, match="far waited in vain; it received 0 requests"):
        target.wait_for_requests(1, seconds=0.01)


# In another process


def test_a_target_in_another_process_does_the_same(client: httpx.Client, tmp_path: Path) -> None:
    with TargetProcess(tmp_path / "journal", "far") as target:
        target.plan(answer(503, ("retry-after", "1")), path="/a", times=1)
        assert [post(client, target, "/a").status_code for _ in range(2)] == [503, 200]

        target.plan(HANG, path="/held")
        held = threading.Thread(target=post, args=(client, target, "/held"))
        held.start()
        (got,) = target.wait_for_requests(1, "/held")
        assert got.ended_at is None
        target.release()
        held.join(10)

        target.clear()
        assert post(client, target, "/held").status_code == 200
        target.go_down()
        with pytest.raises(httpx.TransportError):
            post(client, target)
        target.come_back()
        assert post(client, target).status_code == 200
        assert target.shown()["/hook"].delivery == "dlv_1"
        with pytest.raises(TimeoutError):
            target.wait_for_requests(99, seconds=0.01)
    assert target._process.returncode == 0
    assert [one.path for one in read(tmp_path / "journal")] == ["/a", "/a", "/held", "/held", "/hook"]
