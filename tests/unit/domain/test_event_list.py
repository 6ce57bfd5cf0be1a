from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookengine.domain.context import too_deep
from hookengine.domain.event import DEEPEST
from hookengine.domain.event_list import levels_in, parse_all
from hookengine.errors import InvalidEvent
from tests.conftest import event_document

VALUES = st.recursive(
    st.none() | st.text('{[\\"}]', max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("{[", max_size=2), inner, max_size=3),
)


@given(VALUES)
def test_a_value_has_no_more_levels_than_its_text_tells(value: Any) -> None:
    assert not too_deep(value, levels_in(orjson.dumps(value)))


@pytest.mark.parametrize("levels", [DEEPEST - 3, DEEPEST - 2])
def test_an_event_is_nested_so_deep_and_no_deeper(levels: int) -> None:
    nested: Any = "{"
    for _ in range(levels):
        nested = [nested]
    document = event_document(more={"nested": nested})
    text = orjson.dumps(document)

    if levels + 2 <= DEEPEST:
        assert parse_all([document], levels_in(text)) == parse_all([document])
        return
    with pytest.raises(InvalidEvent, match="nested"):
        parse_all([document], levels_in(text))
