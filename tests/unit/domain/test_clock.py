from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookengine.domain.clock import EARLIEST, LATEST, as_text


def test_the_earliest_and_the_latest_time_have_a_text() -> None:
    assert (as_text(EARLIEST)[:4], as_text(LATEST)[:4]) == ("0001", "9999")


@pytest.mark.parametrize("instant", [EARLIEST - 1, LATEST + 1])
def test_no_time_beyond_them_has_one(instant: int) -> None:
    with pytest.raises(ValueError, match="year"):
        as_text(instant)


@given(st.integers(EARLIEST, LATEST))
def test_a_text_is_exact_to_the_millisecond(instant: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=instant)

    assert datetime.fromisoformat(as_text(instant)) == moment
