"""docs/lifecycle.md shows the moves a delivery can make, no more and no fewer."""

from __future__ import annotations

import re
from pathlib import Path

from hookengine.domain.delivery import BORN, ENDED, TRANSITIONS, DeliveryStatus

PAGE = (Path(__file__).parents[2] / "docs" / "lifecycle.md").read_text(encoding="utf-8")
DIAGRAM = re.findall(r"```mermaid\s*\nstateDiagram-v2\n(.*?)```", PAGE, re.DOTALL)
OUTSIDE = "[*]"


def arrows() -> list[tuple[str, str]]:
    found = [re.findall(r"^\s*(\S+)\s*-->\s*([^\s:]+)", diagram, re.MULTILINE) for diagram in DIAGRAM]
    return [arrow for diagram in found for arrow in diagram]


def test_the_page_has_one_diagram() -> None:
    assert len(DIAGRAM) == 1


def test_every_arrow_stands_once() -> None:
    assert len(arrows()) == len(set(arrows()))


def test_the_arrows_between_statuses_are_the_moves_of_the_code() -> None:
    drawn = {(old, new) for old, new in arrows() if OUTSIDE not in (old, new)}

    assert drawn == {(old.value, new.value) for old, moves in TRANSITIONS.items() for new in moves}


def test_the_arrows_from_outside_are_how_deliveries_are_born() -> None:
    assert {new for old, new in arrows() if old == OUTSIDE} == set(BORN)


def test_the_arrows_to_outside_are_how_deliveries_end() -> None:
    assert {old for old, new in arrows() if new == OUTSIDE} == set(ENDED)
    assert {status for status in DeliveryStatus if not TRANSITIONS[status]} == set(ENDED)
