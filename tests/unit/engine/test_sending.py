from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from hookengine.domain.attempt import Answered, Blocked, Outcome, TimedOut, Unknown, Unreachable
from hookengine.domain.hook import Hook, Signing, SigningScheme
from hookengine.domain.request import SecretRef
from hookengine.engine.sending import Manners, NotBegun, Sender
from hookengine.engine.wire.dialling import Dialler
from hookengine.engine.wire.exchange import Exchange
from hookengine.engine.wire.failures import Broken, Late
from hookengine.engine.wire.pool import Pool
from hookengine.engine.wire.tls import trusting
from hookengine.errors import StoreError
from hookengine.guard.address import AddressPolicy
from hookengine.guard.hostname import IPAddress
from hookengine.guard.resolver import Resolver
from hookengine.guard.url import Target
from hookengine.guard.vault import SecretMissing, SecretRefused
from tests.conftest import NOW, Clock, make_hook, make_request
from tests.unit.engine.targets import Heard, answering, silent, target

pytestmark = pytest.mark.anyio

SECRET = "s3cret/ghp+16C7e42F292c6912E7710c838347Ae178B4a"
OPEN = AddressPolicy.parse(["127.0.0.0/8"])
LONG = 30.0
SHORT = 0.05  # seconds that a request is given which can only end by its deadline

NOTHING: Mapping[str, str] = {}


class Secrets:
    """Gives what it is told to, whatever the host, or raises."""

    def __init__(self, given: Mapping[str, str] | Exception) -> None:
        self._given = given
        self.renewed: dict[str, str] = {}

    async def values(self, names: Collection[str], host: str, *, renew: bool = False) -> dict[str, str]:
        if isinstance(self._given, Exception):
            raise self._given
        return {**self._given, **(self.renewed if renew else {})}

    async def signing_secrets(self, hook: Hook, host: str) -> list[str]:
        return [self._given[f"secrets.{name}"] for name in hook.signing.secrets]


@pytest.fixture
async def sender(clock: Clock) -> AsyncIterator[Callable[..., Sender]]:
    resolver, tls = Resolver(lambda _: ["127.0.0.1"]), trusting()
    opened: list[Pool] = []

    def make(
        secrets: Mapping[str, str] | Exception | Secrets = NOTHING,
        *,
        policy: AddressPolicy = OPEN,
        **manners: Any,
    ) -> Sender:
        opened.append(Pool(Dialler(resolver, lambda _: tls), policy, clock))
        given = secrets if isinstance(secrets, Secrets) else Secrets(secrets)
        return Sender(given, opened[-1], clock, Manners(**manners))

    yield make
    for pool in opened:
        await pool.close()
    resolver.close()


MakeSender = Callable[..., Sender]


async def post(sender: Sender, url: str, deadline: float = LONG, **changes: Any) -> Outcome:
    async with asyncio.timeout(LONG):
        return await sender.send(make_request(url=url, **changes), (("webhook-id", "dlv_1"),), deadline)


def with_secret(**changes: Any) -> dict[str, Any]:
    return {"headers": (("authorization", ("Bearer ", SecretRef("secrets.host"))),), **changes}


# What goes out


async def test_a_request_goes_out_with_its_secrets_and_its_id(sender: MakeSender) -> None:
    heard = Heard(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    async with target(heard) as url:
        outcome = await post(
            sender({"secrets.host": SECRET}, user_agent="tests/1"), f"{url}/x?y=1", **with_secret()
        )

    (request,) = heard.requests
    assert outcome == Answered(status=201)
    assert request.line == "POST /statuses/x?y=1 HTTP/1.1"
    assert request.body == b'{"state":"pending"}'
    assert request.headers == [
        ("Host", url.split("/")[2]),
        ("user-agent", "tests/1"),
        ("accept-encoding", "identity"),
        ("webhook-id", "dlv_1"),
        ("authorization", f"Bearer {SECRET}"),
        ("Content-Length", "19"),
    ]


async def test_a_hook_may_present_itself_under_another_name(sender: MakeSender) -> None:
    heard = Heard()

    async with target(heard) as url:
        await post(sender(), url, headers=(("User-Agent", ("acme-bot",)),))

    said = [value for name, value in heard.requests[0].headers if name.lower() == "user-agent"]
    assert said == ["acme-bot"]


async def test_redirects_are_not_followed(sender: MakeSender) -> None:
    async with target(Heard()) as elsewhere:
        answer = f"HTTP/1.1 302 Found\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n"
        heard = Heard(answer.encode())
        async with target(heard) as url:
            outcome = await post(sender(), url)

    assert outcome == Answered(status=302, headers={"location": elsewhere})
    assert len(heard.requests) == 1


# What comes back


async def test_of_an_answer_only_some_headers_and_the_beginning_of_the_body_are_kept(
    sender: MakeSender,
) -> None:
    head = b"Retry-After: 5\r\nX-RateLimit-Remaining: 0\r\nSet-Cookie: a=b\r\nX-Powered-By: c\r\n"
    answer = b"HTTP/1.1 429 No\r\n" + head + b"Content-Length: 100\r\n\r\n" + b"abcdefghij" * 10

    async with target(Heard(answer)) as url:
        outcome = await post(sender(response_excerpt=15), url)

    assert outcome == Answered(
        status=429, headers={"retry-after": "5", "x-ratelimit-remaining": "0"}, body="abcdefghijabcde"
    )


@pytest.mark.parametrize(
    "echo",
    [
        SECRET,
        f"authorization: Bearer {SECRET}",
        SECRET.replace("/", "\\/"),
        "s3cret%2Fghp%2B16C7e42F292c6912E7710c838347Ae178B4a",
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"bot:{SECRET}".encode()).decode(),
    ],
)
async def test_a_secret_that_is_echoed_is_taken_out(sender: MakeSender, echo: str) -> None:
    answer = f'HTTP/1.1 400 No\r\nX-Request-ID: {echo}\r\n\r\n{{"sent": "{echo}"}}'
    request = {
        "headers": (
            ("authorization", ("Bearer ", SecretRef("secrets.host"))),
            ("x-basic", ("Basic ", SecretRef("secrets.host", "base64", "bot:"))),
        )
    }

    async with target(answering(answer.encode())) as url:
        outcome = await post(sender({"secrets.host": SECRET}), url, **request)

    assert isinstance(outcome, Answered)
    assert outcome.headers["x-request-id"].endswith("[secret]")
    assert outcome.body == '{"sent": "' + outcome.headers["x-request-id"] + '"}'
    assert "16C7e42F292c" not in str(outcome)


@pytest.mark.parametrize("limit", range(20, 70, 7))
async def test_a_secret_that_is_cut_off_with_the_body_is_taken_out_too(
    sender: MakeSender, limit: int
) -> None:
    answer = f"HTTP/1.1 400 No\r\n\r\nyou sent me: {SECRET} and more"

    async with target(answering(answer.encode())) as url:
        outcome = await post(sender({"secrets.host": SECRET}, response_excerpt=limit), url, **with_secret())

    assert isinstance(outcome, Answered)
    assert outcome.body.startswith("you sent me: [secret]")
    assert SECRET[:4] not in outcome.body


async def test_a_body_that_never_ends_is_left_after_its_beginning(sender: MakeSender) -> None:
    head = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"

    async with target(answering(head, for_ever=b"5\r\nabcde\r\n")) as url:
        outcome = await post(sender(response_excerpt=1000), url)

    assert outcome == Answered(status=201, body="abcde" * 200)


@pytest.mark.parametrize(
    "rest", [b"Content-Length: 100\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"]
)
async def test_a_broken_body_does_not_take_the_status_away(sender: MakeSender, rest: bytes) -> None:
    async with target(answering(b"HTTP/1.1 201 Created\r\n" + rest)) as url:
        outcome = await post(sender(), url)

    assert outcome == Answered(status=201, body="abc")


async def test_bytes_that_are_no_text_are_kept_as_far_as_they_can_be_read(
    sender: MakeSender,
) -> None:
    async with target(answering(b"HTTP/1.1 200 OK\r\n\r\nok \xff\xfe")) as url:
        outcome = await post(sender(), url)

    assert outcome == Answered(status=200, body="ok ��")


async def test_a_connection_is_used_again(sender: MakeSender) -> None:
    heard, keeping = Heard(), sender()

    async with target(heard) as url:
        outcomes = [await post(keeping, url) for _ in range(3)]

    assert outcomes == [Answered(status=204)] * 3
    assert heard.connections == 1


# Nothing comes back


async def test_a_closed_port_is_unreachable_and_nothing_was_written(
    sender: MakeSender, unused_tcp_port_of_ours: int
) -> None:
    outcome = await post(sender(), f"http://127.0.0.1:{unused_tcp_port_of_ours}/")

    assert isinstance(outcome, Unreachable)
    assert not outcome.written


async def test_a_handshake_that_fails_is_unreachable_and_nothing_was_written(sender: MakeSender) -> None:
    async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with target(no_tls) as url:
        outcome = await post(sender(), url.replace("http://", "https://"))

    assert isinstance(outcome, Unreachable)
    assert not outcome.written


async def test_a_handshake_that_never_ends_times_out_unwritten(sender: MakeSender) -> None:
    async with target(silent) as url:
        outcome = await post(sender(connect_timeout=SHORT), url.replace("http://", "https://"))

    assert isinstance(outcome, TimedOut)
    assert (outcome.phase, outcome.written) == ("tls", False)


async def test_a_deadline_that_comes_while_connecting_leaves_nothing_written(
    sender: MakeSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless(self: Resolver, host: str) -> list[IPAddress]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(Resolver, "resolve", endless)

    outcome = await post(sender(connect_timeout=LONG), "http://slow.example/", deadline=SHORT)

    assert outcome == TimedOut(phase="dns", seconds=SHORT, written=False)


async def test_a_target_that_never_answers_times_out_written(sender: MakeSender) -> None:
    async with target(silent) as url:
        outcome = await post(sender(), url, deadline=0.3)

    assert outcome == TimedOut(phase="read", seconds=0.3, written=True)


async def test_a_body_that_stalls_does_not_take_the_status_away(sender: MakeSender) -> None:
    async def stalling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\nthe beginning")
        await silent(reader, writer)

    async with target(stalling) as url:
        outcome = await post(sender(), url, deadline=0.3)

    assert isinstance(outcome, Answered)
    assert (outcome.status, outcome.body) == (201, "the beginning")


async def test_an_answer_that_drips_does_not_outlast_the_deadline(sender: MakeSender) -> None:
    async with target(answering(b"HTTP/1.1 200 OK\r\n", for_ever=b"x-more: and more\r\n")) as url:
        outcome = await post(sender(), url)

    assert isinstance(outcome, Unreachable)
    assert outcome.written


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 2", b"SSH-2.0-OpenSSH_9.6\r\n", b"\x00\xff" * 50, b"HTTP/1.1 999999 No\r\n\r\n"]
)
async def test_garbage_and_silence_are_unreachable_and_in_doubt(sender: MakeSender, said: bytes) -> None:
    async with target(answering(said)) as url:
        outcome = await post(sender({"secrets.host": SECRET}), url, **with_secret())

    assert isinstance(outcome, Unreachable)
    assert outcome.written
    assert SECRET not in outcome.reason


async def test_a_reset_in_the_middle_of_a_request_is_in_doubt(sender: MakeSender) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.transport.abort()

    async with target(reset) as url:
        outcome = await post(sender(), url, body=("x" * 5_000_000,))

    assert isinstance(outcome, Unreachable)
    assert outcome.written


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (Broken("refused", "no"), Unreachable(reason="no", code="refused")),
        (RuntimeError(SECRET), Unreachable(reason="runtime error", code="mistake")),
        (Late("connect"), TimedOut(phase="connect", seconds=LONG)),
    ],
)
async def test_every_failure_becomes_an_outcome_that_knows_whether_bytes_left(
    sender: MakeSender, monkeypatch: pytest.MonkeyPatch, raised: Exception, expected: Outcome, written: bool
) -> None:
    async def failing(self: Pool, exchange: Exchange, target: Target) -> None:
        exchange.written = written
        exchange.deadline = exchange.loop.time()
        raise raised

    monkeypatch.setattr(Pool, "run", failing)

    outcome = await post(sender({"secrets.host": SECRET}), "https://target.example/", **with_secret())

    assert outcome == replace(expected, written=written)  # type: ignore[type-var]


# What does not go out


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/",
        "http://localhost/",
        "http://10.1.2.3/",
        "ftp://target.example/",
        "http://[::1]/",
    ],
)
async def test_what_the_fence_refuses_is_blocked(sender: MakeSender, url: str) -> None:
    outcome = await post(sender(policy=AddressPolicy()), url)

    assert isinstance(outcome, Blocked)


async def test_an_address_the_fence_refuses_is_blocked_after_the_look_up(
    sender: MakeSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def private(self: Resolver, host: str) -> list[IPAddress]:
        return [ip_address("10.0.0.1")]

    monkeypatch.setattr(Resolver, "resolve", private)

    outcome = await post(sender(), "http://rebound.example/")

    assert isinstance(outcome, Blocked)
    assert "rebound.example" in outcome.reason


async def test_secrets_do_not_go_over_plain_http_unless_the_operator_opened_the_way(
    sender: MakeSender,
) -> None:
    secrets, heard = {"secrets.host": SECRET}, Heard()
    closed = sender(secrets, policy=OPEN)
    opened = sender(secrets, policy=replace(OPEN, allow_hosts=frozenset({"target.example"})))

    async with target(heard) as url:
        named = url.replace("127.0.0.1", "target.example")
        refused = await post(closed, named, **with_secret())
        sent = await post(opened, named, **with_secret())

    assert refused == Blocked(reason="secrets go out over https only, not to http://target.example")
    assert isinstance(sent, Answered)
    assert len(heard.requests) == 1


async def test_no_byte_leaves_after_the_lease(sender: MakeSender, clock: Clock) -> None:
    received: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read())

    async with target(listen) as url:
        with pytest.raises(NotBegun):
            await sender().send(make_request(url=url), (), LONG, clock.ticks() - 1)

    assert received in ([], [b""])


async def test_what_is_cut_off_knows_whether_bytes_had_left(sender: MakeSender) -> None:
    heard = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        heard.set()
        await reader.read()

    async with target(listen) as url:
        sending = asyncio.create_task(post(sender(), url))
        await heard.wait()
        sending.cancel()
        outcome = await sending

    assert outcome == Unknown(reason="the engine was stopped while sending")


async def test_a_secret_that_may_not_go_there_blocks_the_request(sender: MakeSender) -> None:
    outcome = await post(sender(SecretRefused("may not go to target.example")), "https://target.example/")

    assert outcome == Blocked(reason="may not go to target.example")


@pytest.mark.parametrize("error", [SecretMissing("not set"), StoreError("SQLite: locked")])
async def test_a_secret_that_is_not_there_now_may_be_there_later(
    sender: MakeSender, error: Exception
) -> None:
    outcome = await post(sender(error), "https://target.example/")

    assert outcome == Blocked(reason=str(error), passing=True)


@pytest.mark.parametrize("secret", ["two\r\nX-Lines: 1", "schlüssel", "tab\tbed", "nul\x00"])
async def test_a_secret_that_does_not_fit_a_header_is_blocked_and_not_told(
    sender: MakeSender, secret: str
) -> None:
    outcome = await post(sender({"secrets.host": secret}), "https://target.example/", **with_secret())

    assert isinstance(outcome, Blocked)
    assert "authorization" in outcome.reason
    assert secret not in outcome.reason


@pytest.fixture
async def unused_tcp_port_of_ours() -> int:
    """Was ours a moment ago: nobody listens there."""
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


# Signatures

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SIGNED = make_hook(signing=Signing(secrets=("key",)))
STATUSES = "/repos/acme/shop/statuses/6dcb09b5b57875f334f61aebed695e2e4193db5e"


async def signed_post(sender: Sender, url: str, hook: Hook = SIGNED, **changes: Any) -> Outcome:
    async with asyncio.timeout(LONG):
        return await sender.send(
            make_request(url=url, **changes), (("webhook-id", "dlv_1"),), LONG, hook=hook
        )


async def test_the_signature_is_of_this_attempt_and_the_bytes_that_go_out(
    sender: MakeSender, clock: Clock
) -> None:
    heard, body = Heard(), ('{"key": "', SecretRef("secrets.host"), '"}')
    chosen = sender({"secrets.host": "t0ken-é", "secrets.key": KEY})

    async with target(heard) as url:
        await signed_post(chosen, url, body=body)
        clock.advance(seconds=61)
        await signed_post(chosen, url, body=body)

    first, second = (dict(request.headers) for request in heard.requests)
    for headers, request, seconds in zip((first, second), heard.requests, (0, 61), strict=True):
        assert headers["webhook-timestamp"] == str(NOW // 1000 + seconds)
        digest = hmac.digest(
            base64.b64decode(KEY[6:]),
            f"dlv_1.{headers['webhook-timestamp']}.".encode() + request.body,
            "sha256",
        )
        assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert heard.requests[0].body == '{"key": "t0ken-é"}'.encode()
    assert first["webhook-id"] == second["webhook-id"] == "dlv_1"


async def test_a_commit_status_call_is_never_signed(sender: MakeSender) -> None:
    heard = Heard()

    async with target(heard) as url:
        await signed_post(sender({"secrets.key": KEY}), url.replace("/statuses", STATUSES))

    (request,) = heard.requests
    assert not {name for name, _ in request.headers} & {"webhook-timestamp", "webhook-signature"}


async def test_github_style_signs_the_body_under_githubs_header(sender: MakeSender) -> None:
    heard = Heard()
    hook = make_hook(signing=Signing(secrets=("key",), scheme=SigningScheme.GITHUB))

    async with target(heard) as url:
        await signed_post(sender({"secrets.key": "It's a Secret"}), url, hook)

    (request,) = heard.requests
    digest = hmac.digest(b"It's a Secret", request.body, "sha256").hex()
    assert dict(request.headers)["x-hub-signature-256"] == f"sha256={digest}"


async def test_a_signing_secret_that_is_echoed_is_taken_out(sender: MakeSender) -> None:
    answer = f"HTTP/1.1 400 No\r\n\r\n{KEY} {KEY[6:]} {KEY.encode().hex()}"

    async with target(answering(answer.encode())) as url:
        outcome = await signed_post(sender({"secrets.key": KEY}), url)

    assert isinstance(outcome, Answered)
    assert outcome.body == "[secret] [secret] [secret]"


@pytest.mark.parametrize("key", ["no key at all", "whsec_c2hvcnQ="])
async def test_with_a_secret_that_is_no_key_nothing_is_sent_until_it_is_mended(
    sender: MakeSender, key: str
) -> None:
    heard = Heard()

    async with target(heard) as url:
        outcome = await signed_post(sender({"secrets.key": key}), url)

    assert isinstance(outcome, Blocked)
    assert outcome.passing
    assert key not in outcome.reason
    assert heard.requests == []


# Credentials that are not good enough


@pytest.mark.parametrize(
    ("status", "newer", "renewed"),
    [(401, "newer-t0ken", True), (401, SECRET, False), (403, "newer-t0ken", False)],
)
async def test_after_a_401_it_is_known_whether_the_credential_has_changed(
    sender: MakeSender, status: int, newer: str, renewed: bool
) -> None:
    given = Secrets({"secrets.host": SECRET})
    given.renewed = {"secrets.host": newer}
    heard = Heard(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())

    async with target(heard) as url:
        outcome = await post(sender(given), url, **with_secret())

    assert outcome == Answered(status=status, renewed=renewed)
    assert len(heard.requests) == 1


async def test_a_401_without_a_secret_in_the_request_is_what_it_is(sender: MakeSender) -> None:
    async with target(answering(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")) as url:
        assert await post(sender(), url) == Answered(status=401)


async def test_a_401_is_recorded_although_the_credential_cannot_be_asked_for(sender: MakeSender) -> None:
    given = Secrets({"secrets.host": SECRET})

    class Failing(Secrets):
        async def values(self, names: Collection[str], host: str, *, renew: bool = False) -> dict[str, str]:
            if renew:
                raise StoreError("SQLite: locked")
            return await given.values(names, host)

    async with target(answering(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")) as url:
        assert await post(sender(Failing({})), url, **with_secret()) == Answered(status=401)
