from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert
from sqlmodel import SQLModel

from hookengine.store.migrations import upgrade
from hookengine.store.tables import GateRow
from tests.faults.history import Rows
from tests.faults.model import Run
from tests.faults.tables import rows_of


def test_all_tables_are_read(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hookengine.db'}"
    upgrade(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(insert(GateRow).values(key="host:far", open_at=7, passed="[]", updated_at=1))
    engine.dispose()

    rows = rows_of(url)

    assert [(row["key"], row["open_at"]) for row in rows.gate] == [("host:far", 7)]
    assert (rows.event, rows.delivery, rows.attempt, rows.lane) == ([], [], [], [])


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
