from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from hookengine.domain.hook import Hook
from hookengine.engine.preparing import prepare
from hookengine.errors import TemplateError

HOOK = Hook(
    id="hook",
    revision=1,
    name="every place a value can enter",
    events=("action.started",),
    target_url="https://api.example.com/a/{{ v }}/b/pre-{{ v }}?x={{ v }}&y=1{{ v }}",
    body={
        "alone": "{{ v }}",
        "in": "<{{ v }}>",
        "nested": [{"statements": "{% if true %}{{ v }}{% endif %}"}],
    },
)
AS_TEXT = Hook(
    id="hook",
    revision=1,
    name="the same in a text",
    events=("action.started",),
    target_url="https://api.example.com/{% if true %}{{ v }}{% endif %}/{{ v | urlencode }}",
    headers=(("Content-Type", "application/json; charset=utf-8"),),
    body='{"alone": {{ v }}, "in": "<{{ v }}>", "nested": [{"statements": "{{ v }}{{ v }}"}]}',
)
PREPARED, PREPARED_TEXT = prepare(HOOK), prepare(AS_TEXT)

nasty = st.sampled_from(
    [*"/\\?#&=;:@%.\"'{}[],+ \r\n\t\x00\x7f", "..", "%2e", "%2F", "//", "{{", "}}", '","a":"']
)
values = st.one_of(st.text(max_size=30), st.lists(nasty | st.text(max_size=3), max_size=12).map("".join))


def sent_body(text: Any) -> Any:
    return json.loads(text[0])


@given(values)
def test_no_text_changes_host_path_depth_query_keys_or_the_shape_of_json(value: str) -> None:
    try:
        request = PREPARED.render({"v": value}).request
    except TemplateError:
        assert value in ("", ".", ".."), "only these make no segment of a path"
        return

    parts = urlsplit(request.url)
    segments = parts.path.split("/")
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "api.example.com", "")
    assert [unquote(segment) for segment in segments] == ["", "a", value, "b", f"pre-{value}"]
    assert parse_qsl(parts.query, keep_blank_values=True) == [("x", value), ("y", f"1{value}")]
    assert request.url.isascii()
    assert request.url.isprintable()
    assert sent_body(request.body) == {
        "alone": value,
        "in": f"<{value}>",
        "nested": [{"statements": value}],
    }


@given(values)
def test_texts_with_statements_and_json_texts_hold_their_shape_too(value: str) -> None:
    try:
        request = PREPARED_TEXT.render({"v": value}).request
    except TemplateError:
        assert value in ("", ".", "..")
        return

    assert [unquote(segment) for segment in urlsplit(request.url).path.split("/")] == ["", value, value]
    assert sent_body(request.body) == {
        "alone": value,
        "in": f"<{value}>",
        "nested": [{"statements": value + value}],
    }


@given(values)
def test_a_header_value_is_its_text_or_refused(value: str) -> None:
    hook = Hook(
        id="hook",
        revision=1,
        name="header",
        events=("action.started",),
        target_url="https://api.example.com/",
        headers=(("X-Value", "<{{ v }}>"),),
    )
    try:
        ((_, text),) = prepare(hook).render({"v": value}).request.headers
    except TemplateError:
        assert not (value.isascii() and value.isprintable())
        return

    assert text == (f"<{value}>",)


@given(values)
def test_several_segments_are_let_in_by_the_path_filter_only(value: str) -> None:
    hook = Hook(
        id="hook",
        revision=1,
        name="path",
        events=("action.started",),
        target_url="https://api.example.com/repos/{{ v | path }}/statuses",
    )
    try:
        url = prepare(hook).render({"v": value}).request.url
    except TemplateError:
        return

    segments = [unquote(segment) for segment in urlsplit(url).path.split("/")]
    assert segments == ["", "repos", *value.split("/"), "statuses"]
    assert not {"", ".", ".."} & set(segments[1:])
