from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hookengine.domain.context import lookup
from hookengine.domain.event import Event
from hookengine.errors import InvalidEvent
from hookengine.sources.report import Heard

CASES = Path(__file__).parents[2] / "cases" / "sources"


@dataclass(frozen=True)
class Case:
    """One request as a host documents it, and what it comes to."""

    name: str
    headers: Mapping[str, str]
    body: Any
    expected: Mapping[str, Any] | None
    ignored: str

    def __str__(self) -> str:
        return self.name

    def check(self, source: str, heard: Heard) -> None:
        if self.expected is None:
            assert heard == Heard(ignored=(self.ignored,))
            return
        (report,) = heard.reports
        document = report.document(source, 1, "fresh")
        Event.parse(document)
        assert {path: lookup(document, path) for path in self.expected} == self.expected


def cases_of(source: str) -> list[Case]:
    return [
        Case(
            case["name"],
            case.get("headers", {}),
            case["body"],
            case.get("expected"),
            case.get("ignored", ""),
        )
        for case in json.loads((CASES / f"{source}.json").read_text("utf-8"))
    ]


def body_named(source: str, name: str) -> dict[str, Any]:
    """A copy of the body of one case."""
    (found,) = [case for case in cases_of(source) if case.name == name]
    copy: dict[str, Any] = json.loads(json.dumps(found.body))
    return copy


def changed(body: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with another value at the dotted path; `...` takes away what is there."""
    step, _, rest = path.partition(".")
    copy = dict(body)
    if rest:
        copy[step] = changed(copy[step], rest, value)
    elif value is ...:
        del copy[step]
    else:
        copy[step] = value
    return copy


def mistakes(hear: Callable[..., Heard], *request: Any) -> list[str]:
    """The places of the request that are told to be wrong."""
    try:
        hear(*request)
    except InvalidEvent as error:
        return list(error.errors)
    return []


HOSTILE: list[Any] = [
    5, True, 1.5, 1e30,  "x", "\0", [], [[]], {}, {"a": {"b": []}}, "x" * 100_000, None, "",
]  # fmt: skip
"""Values that a foreign document may hold anywhere."""


@pytest.fixture(params=HOSTILE, ids=[repr(value)[:20] for value in HOSTILE])
def hostile(request: pytest.FixtureRequest) -> Any:
    return request.param
