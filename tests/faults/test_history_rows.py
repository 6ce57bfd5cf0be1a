"""The model's rows, and the judge's, are those of the engine's tables."""

from __future__ import annotations

from dataclasses import fields

import pytest
from sqlmodel import SQLModel

import hookengine.store.tables  # noqa: F401  it fills the metadata
from tests.faults.history import Rows
from tests.faults.model import Run


@pytest.mark.parametrize("table", ["event", "delivery", "attempt", "lane", "action"])
def test_the_models_rows_have_the_tables_columns_and_no_others(table: str) -> None:
    run = Run()
    run.arrive()
    run.send()
    known = set(SQLModel.metadata.tables[table].columns.keys()) | {"newest"}  # the model's own memory

    (row,) = getattr(run.history().rows, table)
    assert set(row) <= known


def test_the_judge_asks_for_tables_that_exist() -> None:
    assert {field.name for field in fields(Rows)} <= set(SQLModel.metadata.tables)
