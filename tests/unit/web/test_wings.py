"""An application with the routes that somebody asks for, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from hookengine.guard.tokens import TokenRing
from hookengine.web.document import every_door, whole_document
from hookengine.web.openapi import operations

WHOLE = whole_document("0")
WAYS = sorted({"/".join(path.split("/")[:3]) for path in WHOLE["paths"]})
ALWAYS = {"/api/events", "/healthz", "/metrics", "/readyz"}
"""What costs nothing to build."""


def of(document: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(path, method) for path, method, _ in operations(document)}


@pytest.mark.parametrize("way", WAYS)
def test_whoever_asks_for_one_way_finds_all_that_is_there(way: str) -> None:
    wanted = {each for each in of(WHOLE) if f"{each[0]}/".startswith(f"{way}/")}

    found = of(every_door(TokenRing(), within=way).openapi())

    assert found >= wanted


def test_the_document_tells_of_everything() -> None:
    assert of(every_door(TokenRing(), within="/openapi.json").openapi()) == of(WHOLE)


def test_nothing_else_is_built() -> None:
    found = of(every_door(TokenRing(), within="/api/deliveries").openapi())

    assert {path for path, _ in found if not path.startswith("/api/deliveries")} == ALWAYS
    assert len(found) < len(of(WHOLE)) / 4
