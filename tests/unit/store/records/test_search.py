from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookengine.domain.retry import HOUR
from hookengine.errors import InvalidQuery
from hookengine.store.records import FIELDS, Wanted, parse_query
from tests.conftest import NOW

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("  ", {}),
        ("status:failed", {"status": ("failed",)}),
        ("Status:failed  host:a.example:8443 ", {"status": ("failed",), "host": ("a.example:8443",)}),
        ("status:failed status:retrying", {"status": ("failed", "retrying")}),
        ('because:"rate limit"', {"because": ("rate limit",)}),
        (r'hook:"a \"b\" \\ c"', {"hook": (r'a "b" \ c',)}),
        ('"rate limit"', {"because": ("rate limit",)}),
        ("limit", {"because": ("limit",)}),
        ('lane:"status:[1]"', {"lane": ("status:[1]",)}),
    ],
)
def test_a_query_says_field_by_field_what_is_wanted(text: str, found: dict[str, Any]) -> None:
    assert parse_query(text) == found


@given(st.lists(st.tuples(st.sampled_from(sorted(FIELDS)), TEXTS), max_size=5))
def test_every_value_can_be_said_in_quotes(terms: list[tuple[str, str]]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    found = parse_query(" ".join(f"{field}:{quoted(value)}" for field, value in terms))

    assert [(name, value) for name, values in found.items() for value in values] == sorted(
        terms, key=lambda term: list(found).index(term[0])
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stat:failed", "There is no field 'stat'. Did you mean status? There are status, hook,"),
        ("colour:red", "There is no field 'colour'. There are status,"),
        ('status:"failed', 'This cannot be read: status:"failed'),
        ("status:", "This cannot be read: status:"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, said: str) -> None:
    with pytest.raises(InvalidQuery) as raised:
        parse_query(text)

    assert raised.value.errors["q"][0].startswith(said)


@given(st.text(max_size=40))
def test_no_text_is_more_than_a_refusal(text: str) -> None:
    with suppress(InvalidQuery):
        assert parse_query(text).keys() <= FIELDS.keys()


def test_times_are_moments_or_how_long_ago() -> None:
    wanted = Wanted.of({}, NOW, since="2h", until="2026-11-18T11:06:40Z")

    assert (wanted.since, wanted.until) == (NOW - 2 * HOUR, NOW)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InvalidQuery) as raised:
        Wanted.of(
            {"status": ["lost"], "because": ["a\0b"]}, NOW, q="code:999 nofield:1", since="2026", until="1w"
        )

    assert sorted(raised.value.errors) == ["because", "q", "since", "status", "until"]


def test_what_is_wanted_survives_being_kept() -> None:
    wanted = Wanted.of({"status": ["failed", "cancelled"]}, NOW, q='because:"a b"', since="1h")

    assert Wanted.from_json(wanted.to_json()) == wanted
