from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookengine.engine.wire.message import UnfitError, message_of
from hookengine.guard.url import Target

TARGET = Target(scheme="https", host="hooks.example", port=8443, path="/a?b=%25", is_literal=False)
NAMES = st.text("x%-Y1", min_size=1, max_size=6)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=5), st.binary(max_size=9))
def test_every_header_has_its_line_and_the_body_its_length(
    headers: list[tuple[str, str]], body: bytes
) -> None:
    head, end, rest = message_of("POST", TARGET, headers, body).partition(b"\r\n\r\n")

    assert head.decode().split("\r\n") == [
        "POST /a?b=%25 HTTP/1.1",
        "Host: hooks.example:8443",
        *(f"{name}: {value}" for name, value in headers),
        f"Content-Length: {len(body)}",
    ]
    assert (end, rest) == (b"\r\n\r\n", body)


@given(st.sampled_from(["é", "\t", "\n", "\r\nx: y", "\x00", "\ud800", "\x7f"]), VALUES, VALUES)
def test_a_value_that_no_header_can_hold_is_not_sent_and_its_header_is_named(
    unfit: str, before: str, after: str
) -> None:
    headers = [("x-good", before), ("x-bad", before + unfit + after), ("x-%s", after)]

    with pytest.raises(UnfitError, match="the header x-bad would hold characters that headers cannot"):
        message_of("POST", TARGET, headers, b"")


@pytest.mark.parametrize(
    "name", ["", "a b", "é", "x:", "Content-Length", "transfer-encoding", "HOST", "x\r\ny"]
)
def test_a_name_that_is_none_or_ours_cannot_be_sent(name: str) -> None:
    with pytest.raises(UnfitError, match="cannot be sent"):
        message_of("POST", TARGET, [("x-good", "1"), (name, "1")], b"")


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("x", ["user-agent: 50%s/1", "accept-encoding: identity", "x: 1"]),
        ("User-Agent", ["accept-encoding: identity", "User-Agent: 1"]),
    ],
)
def test_what_is_usual_is_said_unless_the_headers_say_otherwise(name: str, lines: list[str]) -> None:
    usual = (("user-agent", "50%s/1"), ("accept-encoding", "identity"))

    head = message_of("GET", TARGET, [(name, "1")], b"", usual).decode().split("\r\n")

    assert head[2:-2] == lines
