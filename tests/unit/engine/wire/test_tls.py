from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from hookengine.domain.attempt import Answered, TimedOut, Unreachable
from hookengine.engine.wire.tls import HostFiles, TlsContexts, trusting
from hookengine.errors import ConfigError
from tests.unit.engine.targets import Heard, silent, target
from tests.unit.engine.wire.certificates import Authority
from tests.unit.engine.wire.conftest import a_rig

pytestmark = pytest.mark.anyio

NAME = "hooks.example"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def named(url: str) -> str:
    return url.replace("127.0.0.1", NAME)


async def test_a_name_is_verified_and_its_connection_kept(authority: Authority) -> None:
    heard = Heard()

    async with (
        a_rig(tls=trusting(authority.file)) as rig,
        target(heard, authority.server(NAME)) as url,
    ):
        first, second = await rig.post(named(url)), await rig.post(named(url))

    assert [first, second] == [Answered(status=204)] * 2
    assert heard.connections == 1
    assert isinstance(first, Answered)
    assert isinstance(second, Answered)
    assert first.timing is not None
    assert second.timing is not None
    assert None not in (first.timing.dns, first.timing.connect, first.timing.tls)
    assert (second.timing.dns, second.timing.connect, second.timing.tls) == (None, None, None)
    assert second.timing.address == "127.0.0.1"
    assert 0 < (second.timing.first_byte or 0) <= second.timing.total


async def test_an_address_is_verified_too(authority: Authority) -> None:
    async with (
        a_rig(tls=trusting(authority.file)) as rig,
        target(Heard(), authority.server("127.0.0.1")) as url,
    ):
        assert await rig.post(url) == Answered(status=204)


async def test_much_goes_over_tls_whole(authority: Authority) -> None:
    heard = Heard(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + b"a" * 10_000)
    body = "".join(f"{number:08x}" for number in range(250_000))

    async with (
        a_rig(tls=trusting(authority.file)) as rig,
        target(heard, authority.server(NAME)) as url,
    ):
        outcomes = [await rig.post(named(url), body=(body,)) for _ in range(2)]

    assert outcomes == [Answered(status=200, body="a" * 10_000)] * 2
    assert [request.body for request in heard.requests] == [body.encode()] * 2
    assert heard.connections == 1


def old_protocol(context: ssl.SSLContext) -> None:
    with warnings.catch_warnings(action="ignore"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda authority: authority.server(NAME, from_today=-10), "tls_expired"),
        (lambda authority: authority.server(NAME, from_today=10), "tls_not_yet_valid"),
        (lambda authority: authority.server("other.example"), "tls_wrong_name"),
        (lambda authority: authority.server(NAME, own=True), "tls_untrusted"),
        (lambda authority: Authority(fresh(authority)).server(NAME), "tls_untrusted"),
    ],
)
async def test_a_certificate_that_is_wrong_says_how_and_nothing_is_written(
    authority: Authority, make: Callable[[Authority], ssl.SSLContext], code: str
) -> None:
    heard = Heard()

    async with a_rig(tls=trusting(authority.file)) as rig, target(heard, make(authority)) as url:
        outcome = await rig.post(named(url))

    assert isinstance(outcome, Unreachable)
    assert (outcome.code, outcome.written) == (code, False)
    assert heard.requests == []


def fresh(authority: Authority) -> Path:
    folder = authority.file.parent / "another"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def alerting(context: ssl.SSLContext) -> Iterator[str]:
    """asyncio's own servers hang up without saying what they object to. Serves one connection."""

    def serve() -> None:
        accepted, _ = listening.accept()
        with context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False) as secured:
            with suppress(OSError):
                secured.do_handshake()
                secured.recv(65536)
            with suppress(OSError):
                while os.read(secured.fileno(), 65536):  # until the sender, too, has hung up
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://{NAME}:{listening.getsockname()[1]}/"
        thread.join()


async def test_old_protocols_are_not_spoken(authority: Authority) -> None:
    server = authority.server(NAME)
    old_protocol(server)

    async with a_rig(tls=trusting(authority.file)) as rig:
        with alerting(server) as url:
            outcome = await rig.post(url)

    assert isinstance(outcome, Unreachable)
    assert (outcome.code, outcome.written) == ("tls_protocol", False)


def demanding(authority: Authority) -> ssl.SSLContext:
    server = authority.server(NAME)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(authority.file)
    return server


async def test_a_target_that_wants_a_client_certificate_is_told_apart(authority: Authority) -> None:
    async with a_rig(tls=trusting(authority.file)) as rig:
        with alerting(demanding(authority)) as url:
            outcome = await rig.post(url)

    assert isinstance(outcome, Unreachable)
    assert outcome.code == "tls_client"


async def test_a_client_certificate_is_shown(authority: Authority) -> None:
    ours = trusting(authority.file)
    ours.load_cert_chain(authority.certificate("client.example"))

    async with a_rig(tls=ours) as rig, target(Heard(), demanding(authority)) as url:
        assert await rig.post(named(url)) == Answered(status=204)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"", "tls_closed"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "tls_garbage"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "tls_garbage"),
    ],
)
async def test_what_does_not_speak_tls_is_told_apart(said: bytes, code: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await reader.read(1)

    async with a_rig() as rig, target(talk) as url:
        outcome = await rig.post(named(url.replace("http:", "https:")))

    assert isinstance(outcome, Unreachable)
    assert (outcome.code, outcome.written) == (code, False)


async def test_a_handshake_that_hangs_ends_with_the_time_to_connect() -> None:
    async with a_rig(manners={"connect_timeout": 0.2}) as rig, target(silent) as url:
        outcome = await rig.post(named(url.replace("http:", "https:")))

    assert isinstance(outcome, TimedOut)
    assert (outcome.phase, outcome.written) == ("tls", False)


async def test_a_host_may_have_an_authority_and_a_certificate_of_its_own(authority: Authority) -> None:
    client = authority.certificate("client.example")
    contexts = TlsContexts({NAME: HostFiles(ca=authority.file, certificate=client)})

    async with a_rig(tls=contexts) as rig, target(Heard(), demanding(authority)) as url:
        own = await rig.post(named(url))
        other = await rig.post(url.replace("127.0.0.1", "other.example"))

    assert own == Answered(status=204)
    assert isinstance(other, Unreachable)
    assert other.code == "tls_untrusted"


async def test_files_that_cannot_be_used_are_told_all_at_once(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "nonsense.pem").write_text("nonsense")
    hosts = {
        "a.example": HostFiles(ca=tmp_path / "missing.pem"),
        "b.example": HostFiles(certificate=tmp_path / "nonsense.pem"),
        "c.example": HostFiles(certificate=authority.file),
    }

    with pytest.raises(ConfigError) as caught:
        TlsContexts(hosts)

    assert [problem.place for problem in caught.value.problems] == [f"delivery.tls.{host}" for host in hosts]
