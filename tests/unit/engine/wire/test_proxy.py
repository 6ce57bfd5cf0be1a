"""Through the operator's proxy: targets are judged as always, and what is the proxy's fault is told apart."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookengine.domain.attempt import Answered, Blocked, Outcome, TimedOut, Unreachable, host_failed
from hookengine.engine.wire.dialling import Dialler
from hookengine.engine.wire.failures import ProxyFailed
from hookengine.engine.wire.proxy import LARGEST_HEAD, Proxy, final_status
from hookengine.engine.wire.tls import trusting
from hookengine.engine.wire.transport import GuardedTransport
from hookengine.guard.address import AddressPolicy
from hookengine.guard.connect import dial
from hookengine.guard.hostname import IPAddress
from hookengine.guard.resolver import Resolver
from hookengine.guard.url import check_url
from hookengine.guard.vault import SecretMissing
from tests.unit.engine.targets import Heard, Talk, answering, dripping, silent, target
from tests.unit.engine.wire.certificates import Authority
from tests.unit.engine.wire.conftest import LONG, Rig, a_rig
from tests.unit.engine.wire.proxies import OPEN, Tunneller, a_proxy, port_of

pytestmark = pytest.mark.anyio

CASES = json.loads((Path(__file__).parents[3] / "cases" / "ssrf_cases.json").read_text())
NAME, PUBLIC, OTHER = "hooks.example", "93.184.216.34", "93.184.216.35"
NOTHING_OPEN = AddressPolicy()
DONE = Answered(status=204)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def heard() -> Heard:
    return Heard()


def outside(name: str) -> Sequence[str]:
    return [PUBLIC]


async def posted(proxy: Proxy, url: str = f"http://{NAME}/", deadline: float = LONG, **rig: Any) -> Outcome:
    async with a_rig(policy=NOTHING_OPEN, **{"lookup": outside, **rig}, proxy=proxy) as each:
        return await each.post(url, deadline)


# The way


async def test_what_is_called_is_the_judged_address_and_the_proxy_needs_none_opened(heard: Heard) -> None:
    async with target(heard) as url, a_proxy(talk := Tunneller(port_of(url))) as proxy:
        outcome = await posted(proxy)

    assert outcome == DONE
    assert talk.heads == [f"CONNECT {PUBLIC}:80 HTTP/1.1\r\nHost: {PUBLIC}:80\r\n\r\n"]
    assert heard.requests[0].line == "POST / HTTP/1.1"
    assert heard.requests[0].headers[0] == ("Host", NAME)
    assert isinstance(outcome, Answered)
    assert outcome.timing is not None
    assert outcome.timing.address == PUBLIC
    assert None not in (outcome.timing.dns, outcome.timing.connect)


@pytest.mark.parametrize(("name", "code"), [(NAME, None), ("other.example", "tls_wrong_name")])
async def test_tls_is_with_the_target_under_its_name(
    authority: Authority, heard: Heard, name: str, code: str | None
) -> None:
    tls = trusting(authority.file)

    async with (
        target(heard, authority.server(name)) as url,
        a_proxy(talk := Tunneller(port_of(url))) as proxy,
    ):
        outcome = await posted(proxy, f"https://{NAME}/", tls=tls)

    assert talk.asked == [f"{PUBLIC}:443"]
    assert (getattr(outcome, "code", None), len(heard.requests)) == (code, 0 if code else 1)


async def test_an_address_of_ipv6_is_told_in_brackets(heard: Heard) -> None:
    async with target(heard) as url, a_proxy(talk := Tunneller(port_of(url))) as proxy:
        assert await posted(proxy, "http://[2606:2800:220:1::1]:8080/") == DONE

    assert talk.asked == ["[2606:2800:220:1::1]:8080"]


async def test_a_tunnel_is_kept_for_its_target_and_for_no_other(heard: Heard) -> None:
    async with (
        target(heard) as url,
        a_proxy(talk := Tunneller(port_of(url))) as proxy,
        a_rig(policy=NOTHING_OPEN, lookup=outside, proxy=proxy) as rig,
    ):
        for name in ("one.example", "other.example", "one.example", "other.example"):
            assert await rig.post(f"http://{name}/") == DONE
        assert (rig.pool.idle, talk.connections) == (2, 2)

    assert [dict(each.headers)["Host"] for each in heard.requests] == ["one.example", "other.example"] * 2


async def test_what_went_another_way_does_not_serve() -> None:
    resolver, tls = Resolver(outside), trusting()
    target_of = check_url(f"http://{NAME}/", NOTHING_OPEN)
    proxies = [None, *(Proxy(host="proxy.example", port=port) for port in (1080, 3128))]

    ways = {Dialler(resolver, lambda _: tls, dial, proxy).way_to(target_of) for proxy in proxies}

    resolver.close()
    assert len(ways) == 3


async def test_the_next_address_is_tried_when_the_proxy_cannot_reach_the_first(heard: Heard) -> None:
    failing = {PUBLIC: b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"}

    async with target(heard) as url, a_proxy(talk := Tunneller(port_of(url), failing)) as proxy:
        outcome = await posted(proxy, lookup=lambda name: [PUBLIC, OTHER])

    assert outcome == DONE
    assert talk.asked == [f"{PUBLIC}:80", f"{OTHER}:80"]
    assert isinstance(outcome, Answered)
    assert outcome.timing is not None
    assert outcome.timing.address == OTHER


async def test_credentials_that_are_not_taken_are_not_shown_for_every_address() -> None:
    addresses = [PUBLIC, OTHER, "93.184.216.36"]
    wanting = Tunneller(opened=b"HTTP/1.1 407 Who are you\r\n\r\n")

    async with a_proxy(wanting, credentials=lambda: "operator:wrong") as proxy:
        outcome = await posted(proxy, lookup=lambda name: addresses)

    assert getattr(outcome, "code", "") == "proxy_auth"
    assert wanting.asked == [f"{PUBLIC}:80"]


async def test_the_proxy_may_have_a_name_and_several_addresses(heard: Heard) -> None:
    def lookup(name: str) -> Sequence[str]:
        return ["127.0.0.2", "127.0.0.1"] if name == "proxy.example" else [PUBLIC]

    async def at_home(address: IPAddress, port: int) -> socket.socket:
        if str(address) != "127.0.0.1":
            raise ConnectionRefusedError
        return await dial(address, port)

    async with target(heard) as url, a_proxy(Tunneller(port_of(url))) as proxy:
        named = Proxy(host="proxy.example", port=proxy.port)
        assert await posted(named, lookup=lookup, dial=at_home) == DONE


async def test_httpx_goes_the_same_way(heard: Heard) -> None:
    async with (
        target(heard) as url,
        a_proxy(talk := Tunneller(port_of(url))) as proxy,
        a_rig(policy=NOTHING_OPEN, lookup=outside, proxy=proxy) as rig,
        httpx.AsyncClient(transport=GuardedTransport(rig.pool)) as client,
    ):
        assert (await client.get(f"http://{NAME}/")).status_code == 204

    assert talk.asked == [f"{PUBLIC}:80"]


# The fence


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
async def test_targets_are_judged_as_without_a_proxy(case: dict[str, Any], by_name: bool) -> None:
    policy = AddressPolicy.parse(
        case["policy"].get("allow_nets", ()), own_addresses=case["policy"].get("self_addrs", ())
    )
    answers = case["resolves"] or []
    turns = list(answers) if answers and isinstance(answers[0], list) else [answers]
    known = {address for turn in turns for address in turn}
    refusing = Tunneller(opened=b"HTTP/1.1 403 No\r\n\r\n")

    def lookup(name: str) -> Sequence[str]:
        return turns.pop(0) if len(turns) > 1 else turns[0]

    async with (
        a_proxy(refusing, by_name=by_name) as proxy,
        a_rig(policy=policy, lookup=lookup, proxy=proxy) as rig,
    ):
        outcome = await rig.post(case["url"])

    if case["verdict"] == "block" and "redirect_to" not in case:
        assert isinstance(outcome, Blocked) or getattr(outcome, "code", "") == "dns_no_address"
        assert refusing.connections == 0
    else:
        assert getattr(outcome, "code", "") == "proxy_denied"
        told = {authority.rpartition(":")[0].strip("[]") for authority in refusing.asked}
        assert told
        assert by_name or not known or told <= known


async def test_a_proxy_that_filters_by_name_is_told_the_name_once_it_was_judged(heard: Heard) -> None:
    answers = [[PUBLIC], ["10.0.0.1"]]

    async with (
        target(heard) as url,
        a_proxy(talk := Tunneller(port_of(url)), by_name=True) as proxy,
        a_rig(policy=NOTHING_OPEN, lookup=lambda name: answers.pop(0), proxy=proxy) as rig,
    ):
        outcome = await rig.post(f"http://{NAME}:8080/")
        assert isinstance(await rig.post(f"http://again.{NAME}/"), Blocked)

    assert outcome == DONE
    assert talk.asked == [f"{NAME}:8080"]
    assert isinstance(outcome, Answered)
    assert outcome.timing is not None
    assert outcome.timing.address is None


# Credentials


async def test_the_proxy_is_shown_credentials_read_anew_and_the_target_is_not(heard: Heard) -> None:
    values = ["operator:one", "operator:zwei \u00fc"]

    async with (
        target(heard) as url,
        a_proxy(talk := Tunneller(port_of(url)), credentials=lambda: values.pop(0)) as proxy,
    ):
        assert [await posted(proxy) for _ in range(2)] == [DONE] * 2

    shown = [head.split("Proxy-Authorization: Basic ")[1].split("\r\n")[0] for head in talk.heads]
    assert [base64.b64decode(each).decode() for each in shown] == ["operator:one", "operator:zwei \u00fc"]
    assert not [name for request in heard.requests for name, _ in request.headers if "proxy" in name.lower()]


async def test_credentials_that_cannot_be_read_keep_requests_in() -> None:
    def missing() -> str:
        raise SecretMissing("s3cret.file: not there")

    async with a_proxy(talk := Tunneller(), credentials=missing) as proxy:
        outcome = await posted(proxy)

    assert isinstance(outcome, Unreachable)
    assert (outcome.code, outcome.written, talk.heads) == ("proxy_auth", False, [])
    assert "s3cret" not in outcome.reason


# What a proxy may do instead


@pytest.mark.parametrize(
    ("said", "code", "of_the_host"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\nghp_secret", "proxy_denied", None),
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
            "proxy_auth",
            None,
        ),
        (b"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\n\r\n", "proxy_denied", None),
        (b"HTTP/1.0 502 Bad Gateway\r\n\r\n", "proxy_failed", True),
        (b"HTTP/1.1 503 Busy\r\n\r\n", "proxy_failed", True),
        (b"HTTP/1.1 504 Late\r\n\r\n", "proxy_failed", True),
        (b"HTTP/1.1 599 Odd\r\n\r\n", "proxy_failed", True),
        (b"", "proxy_closed", None),
        (b"HTTP/1.1 200 OK\r\n", "proxy_closed", None),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "proxy_closed", None),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "proxy_garbage", None),
        (b"HTTP/2.0 200 OK\r\n\r\n", "proxy_garbage", None),
        (b"HTTP/1.1 20 OK\r\n\r\n", "proxy_garbage", None),
        (b"HTTP/1.1 099 OK\r\n\r\n", "proxy_garbage", None),
        (b"HTTP/1.1 101 Switching\r\n\r\n", "proxy_garbage", None),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * LARGEST_HEAD, "proxy_garbage", None),
        (b"HTTP/1.1 103 Hints\r\n\r\n" * 1000, "proxy_garbage", None),
        (OPEN + b"HTTP/1.1 204 Not asked\r\n\r\n", "garbage", True),
    ],
)
async def test_each_refusal_of_a_proxy_has_a_code_and_nothing_is_written(
    said: bytes, code: str, of_the_host: bool | None
) -> None:
    for url in (f"http://{NAME}/", f"https://{NAME}/"):
        async with a_proxy(Tunneller(refusals={PUBLIC: said})) as proxy:
            outcome = await posted(proxy, url)

        assert isinstance(outcome, Unreachable)
        assert (outcome.code, outcome.written, host_failed(outcome)) == (code, False, of_the_host)
        assert "ghp_secret" not in outcome.reason


@pytest.mark.parametrize(
    "opened",
    [
        b"HTTP/1.0 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OPEN,
    ],
)
async def test_a_tunnel_stands_whatever_else_its_answer_says(heard: Heard, opened: bytes) -> None:
    async with target(heard) as url, a_proxy(Tunneller(port_of(url), opened=opened)) as proxy:
        assert await posted(proxy) == DONE


PIECES = [
    *(
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 502 No\r\n",
        b"HTTP/1.1 100 Wait\r\n",
        b"HTTP/1.1 101 X\r\n",
        b"HTTP/1.1 2",
    ),
    *(
        b"HTTP/1.1 000 \r\n",
        b"X: y\r\n",
        b"\r\n",
        b"\r",
        b"\n",
        b"HTTP/",
        b"Content-Length: 5\r\n",
        b"\x00\xff",
        b"a" * 5000,
    ),
]


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=9), max_size=12), st.integers(1, 3000))
def test_an_answer_of_any_bytes_in_any_pieces_is_a_status_a_failure_or_not_over(
    pieces: list[bytes], size: int
) -> None:
    def told(data: bytes, size: int) -> int | str | None:
        head = bytearray()
        for start in range(0, len(data), size):
            head += data[start : start + size]
            try:
                status = final_status(head)
            except ProxyFailed as failed:
                return failed.code
            if status is not None:
                return status
        return None

    data = b"".join(pieces)
    whole, in_pieces = told(data, len(data) or 1), told(data, size)

    assert whole in (None, "garbage", "proxy_garbage") or (isinstance(whole, int) and 200 <= whole <= 999)
    assert in_pieces == whole or (whole == "garbage" and in_pieces == 200)


@contextmanager
def nobody_there() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


async def test_a_proxy_that_is_not_there_is_not_the_targets_fault() -> None:
    with nobody_there() as port:
        refused = await posted(Proxy(host="127.0.0.1", port=port))
    unknown = await posted(
        Proxy(host="proxy.example", port=3128), lookup=lambda name: [PUBLIC] if name == NAME else []
    )

    for outcome in (refused, unknown):
        assert isinstance(outcome, Unreachable)
        assert (outcome.code, outcome.written, host_failed(outcome)) == ("proxy_unreachable", False, None)


async def test_sockets_that_are_lacking_are_the_engines_own_lack() -> None:
    async def lacking(address: IPAddress, port: int) -> socket.socket:
        raise OSError(24, "Too many open files")

    outcome = await posted(Proxy(host="127.0.0.1", port=3128), dial=lacking)

    assert getattr(outcome, "code", "") == "no_sockets"


async def never(address: IPAddress, port: int) -> socket.socket:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize("talk", [silent, dripping(b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n")])
async def test_a_proxy_that_hangs_ends_with_the_time_to_connect(talk: Talk) -> None:
    async with target(talk) as url:
        proxy = Proxy(host="127.0.0.1", port=port_of(url))
        outcome = await posted(proxy, manners={"connect_timeout": 0.2})

    assert isinstance(outcome, TimedOut)
    assert (outcome.phase, outcome.written, host_failed(outcome)) == ("tunnel", False, True)
    assert outcome.timing is not None


async def test_a_proxy_that_cannot_be_connected_to_in_time_is_not_the_targets_fault() -> None:
    proxy = Proxy(host="127.0.0.1", port=3128)

    outcome = await posted(proxy, dial=never, manners={"connect_timeout": 0.1})

    assert isinstance(outcome, TimedOut)
    assert (outcome.phase, outcome.written, host_failed(outcome)) == ("proxy", False, None)


async def test_a_request_that_is_given_up_in_a_tunnel_leaves_nothing_open() -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        assert await reader.read() == b""
        left.set()

    async with target(talk) as url:
        rig: Rig
        proxy = Proxy(host="127.0.0.1", port=port_of(url))
        async with a_rig(policy=NOTHING_OPEN, lookup=outside, proxy=proxy) as rig, asyncio.timeout(LONG):
            sending = asyncio.create_task(rig.post(f"https://{NAME}/"))
            await asked.wait()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            await left.wait()


async def test_a_target_that_hangs_up_in_a_tunnel_is_as_one_without(heard: Heard) -> None:
    async with target(answering(b"HTTP/1.1 2")) as url, a_proxy(Tunneller(port_of(url))) as proxy:
        outcome = await posted(proxy)

    assert isinstance(outcome, Unreachable)
    assert (outcome.code, outcome.written) == ("closed", True)
