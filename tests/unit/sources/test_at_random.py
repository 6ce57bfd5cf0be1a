"""Whatever a request holds, and wherever: it comes to events that can be accepted, to nothing, or to a mistake."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookengine.domain.event import Event
from hookengine.errors import InvalidEvent
from hookengine.sources import cdevents, cloudevents, github, gitlab, ilert, sei
from hookengine.sources.report import Heard, digest
from tests.unit.sources.conftest import HOSTILE, Case, cases_of


def _cloudevent(document: Any, headers: Mapping[str, str]) -> Heard:
    (event,) = cloudevents.opened(json.dumps(document).encode(), {"content-type": cloudevents.STRUCTURED})
    return cdevents.hear(event)


def _ilert(document: Any, headers: Mapping[str, str]) -> Heard:
    ilert.key_of(document)
    return ilert.hear(document)


def _sei(document: Any, headers: Mapping[str, str]) -> Heard:
    return Heard() if sei.registered(document) else sei.hear(sei.unwrapped(document))


HEAR: dict[str, Callable[[Any, Mapping[str, str]], Heard]] = {
    "cloudevents": _cloudevent,
    "github": github.hear,
    "gitlab": gitlab.hear,
    "ilert": _ilert,
    "sei": _sei,
}

whole = st.integers(-(2**63), 2**64 - 1)
plain = st.none() | st.booleans() | whole | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["0" * 40, "f" * 64, "refs/tags/", "2026-11-22T10:15:00Z", "9999-12-31T23:59:59-14:00", "\0", "x" * 5000]
)
values = st.recursive(
    plain | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=5
)


def places(document: Any) -> Iterator[tuple[str | int, ...]]:
    """Of all values in it."""
    yield ()
    entries = document.items() if isinstance(document, dict) else enumerate(document)
    for step, inner in entries:
        for rest in places(inner) if isinstance(inner, dict | list) else [()]:
            yield (step, *rest)


def with_another(document: Any, place: tuple[str | int, ...], value: Any) -> Any:
    if not place:
        return value
    copy = document.copy()
    copy[place[0]] = with_another(copy[place[0]], place[1:], value)
    return copy


@pytest.mark.parametrize("source", HEAR)
@given(data=st.data())
def test_any_value_anywhere_is_understood_ignored_or_refused(source: str, data: st.DataObject) -> None:
    case: Case = data.draw(st.sampled_from(cases_of(source)))
    document = case.body
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from([found for found in places(document) if found]))
        document = with_another(document, place, data.draw(values))
        if not isinstance(document, dict) or not document:
            return
    document = orjson.loads(orjson.dumps(document))

    check(source, document, case.headers)


def check(source: str, document: Any, headers: Mapping[str, str]) -> None:
    with suppress(InvalidEvent):
        for report in HEAR[source](document, headers).reports:
            made = report.document(source, "shop-deploy", "fresh")

            assert Event.parse(made).pipeline == "shop-deploy"
            assert orjson.loads(orjson.dumps(made)) == made


EVERYTHING = [
    pytest.param(source, case, id=f"{source}: {case}") for source in HEAR for case in cases_of(source)
]


@pytest.mark.parametrize(("source", "request_"), EVERYTHING)
def test_a_hostile_value_anywhere_is_understood_ignored_or_refused(source: str, request_: Case) -> None:
    for place in places(request_.body):
        for value in HOSTILE:
            if place:
                check(source, with_another(request_.body, place, value), request_.headers)


@pytest.mark.parametrize("source", HEAR)
def test_a_document_that_is_empty_comes_to_no_event(source: str) -> None:
    with suppress(InvalidEvent):
        assert HEAR[source]({}, {"x-github-event": "push"}).reports == ()


@given(value=values)
def test_the_same_values_have_the_same_digest_in_any_order(value: Any) -> None:
    backwards = dict(reversed(value.items())) if isinstance(value, dict) else value

    assert digest(backwards) == digest(value)
