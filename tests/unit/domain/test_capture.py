from __future__ import annotations

import json
import math
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hookengine.domain.capture import Capture, CaptureMissing, CaptureRef, Capturing, take
from hookengine.domain.request import RenderedRequest, fill_text
from tests.conftest import make_request

ID = Capture(name="id", path="id")
PLAIN = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.integers(-(2**63), 2**63),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
)


def using(**changes: Any) -> RenderedRequest:
    return make_request(capturing=Capturing(uses=("id",)), **changes)


def known(value: Any) -> dict[str, str]:
    taken, problem = take([ID], json.dumps({"id": value}))
    assert problem == ""
    return taken


@pytest.mark.parametrize(
    ("path", "value"),
    [("id", "17"), ("data.items.1.id", '"b"'), ("done", "true"), ("share", "0.5")],
)
def test_a_value_is_taken_from_where_its_path_leads(path: str, value: str) -> None:
    body = '{"id":17,"data":{"items":[{"id":"a"},{"id":"b"}]},"done":true,"share":0.5}'

    assert take([Capture(name="x", path=path)], body) == ({"x": value}, "")


@pytest.mark.parametrize(
    "body",
    [
        "not JSON",
        "",
        "[]",
        "{}",
        '{"id":null}',
        '{"id":{}}',
        '{"id":[1]}',
        '{"id":1e999}',
        f'{{"id":"{"x" * 501}"}}',
        f'{{"id":{"9" * 30}}}',
        '{"id":"\\ud800"}',
    ],
)
def test_what_is_not_there_or_no_short_plain_value_is_no_success_unless_it_is_optional(body: str) -> None:
    taken, problem = take([ID], body)

    assert taken == {}
    assert problem == "its answer has no id that could be kept as captured.id"
    assert take([Capture(name="id", path="id", optional=True)], body) == ({}, "")


@given(PLAIN)
def test_a_value_keeps_its_type_in_json(value: Any) -> None:
    body = ('{"a":1', CaptureRef("id", "member", ',"b":'), ',"c":', CaptureRef("id", "value"), "}")

    filled = using(body=body).with_captured(known(value)).body

    assert filled is not None
    assert json.loads(fill_text(filled, str)) == {"a": 1, "b": value, "c": value}


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_a_value_never_ends_the_string_it_stands_in(value: str) -> None:
    filled = using(body=('{"a":"of ', CaptureRef("id", "string"), '"}')).with_captured(known(value)).body

    assert filled is not None
    assert json.loads(fill_text(filled, str)) == {"a": f"of {value}"}


@example("..")
@example(".")
@example("")
@given(PLAIN)
def test_a_value_never_leaves_its_segment_of_a_url_nor_its_parameter(value: Any) -> None:
    request = using(url="https://a.example/x/<captured.id>/y?z=<captured.id>")

    try:
        url = urlsplit(request.with_captured(known(value)).url)
    except CaptureMissing:
        assert value in ("", ".", "..")
        return

    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    assert text not in ("", ".", "..")
    _, x, segment, y = url.path.split("/")
    assert (url.netloc, x, unquote(segment), y) == ("a.example", "x", text, "y")
    assert (unquote(url.query.removeprefix("z=")), "&" in url.query, url.fragment) == (text, False, "")


@pytest.mark.parametrize("value", ["a\r\nb", "ä", "\x00"])
def test_a_header_takes_printable_ascii_only(value: str) -> None:
    request = using(headers=(("x-id", ("of ", CaptureRef("id"))),))

    assert fill_text(request.with_captured(known("x y")).headers[0][1], str) == "of x y"
    with pytest.raises(CaptureMissing, match=r"captured\.id holds characters that no header can"):
        request.with_captured(known(value))


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "https://a.example/<captured.id>"},
        {"headers": (("x-id", (CaptureRef("id"),)),)},
        {"body": (CaptureRef("id", "value"),)},
        {"body": ('"', CaptureRef("id", "string"), '"')},
    ],
)
def test_what_is_not_known_is_missed_by_name(changes: dict[str, Any]) -> None:
    with pytest.raises(CaptureMissing, match=r"captured\.id is not known: no answer in its lane has told it"):
        using(**changes).with_captured({"other": "1"})


def test_an_optional_member_is_left_out_until_it_is_known() -> None:
    request = using(body=('{"a":1', CaptureRef("id", "member", ',"b":', optional=True), "}"))

    body = request.with_captured({}).body

    assert body is not None
    assert fill_text(body, str) == '{"a":1}'


def test_a_request_without_captures_is_what_it_is() -> None:
    request = make_request(url="https://a.example/<captured.id>")

    assert request.with_captured({"id": "1"}) is request


def test_what_a_value_would_replace_is_no_pattern() -> None:
    url = using(url="https://a.example/<captured.id>").with_captured({"id": '"\\\\1<captured.id>"'}).url

    assert url == "https://a.example/%5C1%3Ccaptured.id%3E"


def test_requests_with_captures_come_back_from_their_text() -> None:
    request = make_request(
        url="https://a.example/<captured.id>",
        headers=(("x-id", ("of ", CaptureRef("id"))),),
        body=('{"a":1', CaptureRef("id", "member", ',"b":', optional=True), "}"),
        capturing=Capturing(takes=(ID, Capture(name="p", path="a.b", optional=True)), uses=("id",)),
    )

    assert RenderedRequest.from_json(request.to_json()) == request


def test_a_request_without_captures_is_told_as_it_always_was() -> None:
    assert make_request("x").to_json() == (
        '["POST","https://target.example/statuses",[["content-type",["application/json"]]],'
        '["{\\"state\\":\\"x\\"}"]]'
    )


def test_people_see_the_names_and_a_body_of_json_stays_json() -> None:
    shown = using(
        url="https://a.example/<captured.id>",
        headers=(("x-id", (CaptureRef("id"),)),),
        body=('{"a":', CaptureRef("id", "value"), CaptureRef("id", "member", ',"b":'), "}"),
    ).shown()

    assert shown["url"] == "https://a.example/<captured.id>"
    assert shown["headers"] == [{"name": "x-id", "value": "<captured.id>"}]
    assert json.loads(shown["body"]) == {"a": "<captured.id>", "b": "<captured.id>"}


def test_no_value_is_a_number_that_json_does_not_have() -> None:
    assert math.isinf(json.loads('{"id":1e999}')["id"])
    assert take([ID], '{"id":1e999}')[0] == {}
