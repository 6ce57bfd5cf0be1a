"""What goes out to a target, and what is kept of its answer."""

from __future__ import annotations

import base64

import pytest

from hookengine.domain.attempt import Answered
from hookengine.domain.request import SecretRef
from tests.unit.engine.senders import SECRET, MakeSender, post, with_secret
from tests.unit.engine.targets import Heard, answering, target

pytestmark = pytest.mark.anyio


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
