from __future__ import annotations

from typing import Any

import pytest

from hookengine.sources import ilert
from hookengine.sources.report import Report
from tests.unit.sources.conftest import Case, body_named, cases_of, changed, mistakes

EXAMPLE = body_named("ilert", "the example of the page")


def heard(body: dict[str, Any]) -> Report:
    (report,) = ilert.hear(body).reports
    return report


@pytest.mark.parametrize("case", cases_of("ilert"), ids=str)
def test_what_ilert_documents_comes_to_our_events(case: Case) -> None:
    case.check("ilert", ilert.hear(case.body))


def test_the_key_is_a_secret_and_stays_out_of_the_event() -> None:
    key = EXAMPLE["integrationKey"]
    report = heard(EXAMPLE)

    assert key not in repr(report.document("ilert", 1, "fresh"))
    assert report.key == heard(changed(EXAMPLE, "integrationKey", "another")).key


def test_one_with_a_time_is_known_again_and_one_without_is_always_new() -> None:
    timeless = changed(EXAMPLE, "timestamp", ...)

    assert heard(EXAMPLE).key == heard(dict(reversed(EXAMPLE.items()))).key
    assert heard(EXAMPLE).key != heard(changed(EXAMPLE, "summary", "another")).key
    one, other = (heard(timeless).document("ilert", 1, fresh) for fresh in ("a", "b"))
    assert one["id"] != other["id"]
    assert one["action"]["id"] != other["action"]["id"]


@pytest.mark.parametrize("field", ["integrationKey", "summary"])
def test_what_is_required_is_named_when_it_is_missing(field: str) -> None:
    broken = changed(EXAMPLE, field, ...)

    assert mistakes(ilert.key_of if field == "integrationKey" else ilert.hear, broken) == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("summary", 5),
        ("summary", ["a"]),
        ("summary", "\0"),
        ("timestamp", True),
        ("timestamp", -1),
        ("timestamp", 1.5),
        ("timestamp", 1e30),
        ("timestamp", 2**62),
        ("timestamp", "9" * 15),
        ("timestamp", "9" * 5000),
        ("timestamp", "yesterday"),
        ("timestamp", "2024-11-05T22:17:38"),
        ("timestamp", "2024-13-05T22:17:38Z"),
        ("timestamp", "0001-01-01T00:00:00+14:00"),
        ("timestamp", {}),
        ("userEmail", 5),
        ("customDetails", "text"),
        ("customDetails", []),
        ("links", {}),
        ("links", ["http://google.com"]),
        ("links", [{"text": "no href"}]),
        ("links", [{"href": 5}]),
        ("links", [{"href": "x", "text": 5}]),
        ("links", [{"href": "x"}] * 51),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_with_its_field(field: str, value: Any) -> None:
    assert mistakes(ilert.hear, changed(EXAMPLE, field, value)) == [field]


@pytest.mark.parametrize("value", [5, None, "", [], {}, True])
def test_a_key_is_a_text(value: Any) -> None:
    assert mistakes(ilert.key_of, {"integrationKey": value}) == ["integrationKey"]


def test_all_mistakes_are_told_at_once() -> None:
    broken = {"timestamp": "soon", "links": 5}

    assert mistakes(ilert.hear, broken) == ["summary", "timestamp", "links"]
