from __future__ import annotations

import inspect
import re
from pathlib import Path

from hookengine.store.records import FIELDS
from hookengine.store.records.filtering import _FIELDS
from hookengine.web.api import deliveries

PAGE = Path(__file__).parents[2] / "docs" / "reading.md"


def test_every_field_of_a_search_is_documented_filtered_and_a_parameter() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    source = inspect.getsource(deliveries.deliveries_router)

    assert dict(rows) == dict(FIELDS)
    assert set(_FIELDS) == set(FIELDS)
    assert all(f"        {name}: " in source for name in FIELDS)
