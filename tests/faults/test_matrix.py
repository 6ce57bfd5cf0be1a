"""MATRIX.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
MATRIX = (TESTS / "faults" / "MATRIX.md").read_text(encoding="utf-8")


def test_every_test_of_the_matrix_exists() -> None:
    named = re.findall(r"`(\S+\.py)::(test_\w+)`", MATRIX)
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not re.search(rf"^(async )?def {name}\(", (TESTS / path).read_text(encoding="utf-8"), re.MULTILINE)
    ]

    assert len(named) > 40
    assert missing == []


def test_every_row_of_the_matrix_says_how_it_is_shown() -> None:
    rows = [line.split(" | ") for line in MATRIX.splitlines() if re.match(r"\| (\d+|-) \|", line)]

    assert len(rows) > 30
    assert [row for row in rows if len(row) != 3 or not re.search(r"::test_|no test: ", row[2])] == []
