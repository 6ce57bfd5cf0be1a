from __future__ import annotations

import pytest

from hookengine.domain.rate import MOST, Rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("1/s", Rate(1, 1_000)),
        ("10/min", Rate(10, 60_000)),
        ("300/h", Rate(300, 3_600_000)),
        (f"{MOST}/d", Rate(MOST, 86_400_000)),
    ],
)
def test_a_rate_is_read_and_written_as_people_say_it(text: str, rate: Rate) -> None:
    assert Rate.parse(text) == rate
    assert str(rate) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "10", "/s", "10/", "0/s", "-1/s", "01/s", "1.5/s", " 1/s", "1/s ", "1 / s", "1/S"),
        *("1/m", "1/sec", "1/week", "1e2/s", "\N{ARABIC-INDIC DIGIT ONE}/s", f"{MOST + 1}/s", "99999/d"),
    ],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as 10/min"):
        Rate.parse(text)
