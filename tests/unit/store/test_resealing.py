from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection, Table, insert, update

from hookengine.store.cold.resealing import Batch, Sealed, keys_in_use, reseal
from hookengine.store.cold.tables import CONTEXT_SECRET
from hookengine.store.migrations import connected, upgrade

OLD, NEW = "v1.00000001.", "v1.00000002."


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'hookengine.db'}"
    upgrade(url)
    return url


def fill(connection: Connection, *values: str) -> None:
    rows = [
        {"pipeline_id": number // 2, "path": f"p{number % 2}", "sealed": value, "updated_at": 1}
        for number, value in enumerate(values)
    ]
    connection.execute(insert(CONTEXT_SECRET), rows)


def kept(connection: Connection) -> list[str]:
    query = CONTEXT_SECRET.select().order_by(CONTEXT_SECRET.c.pipeline_id, CONTEXT_SECRET.c.path)
    return [row.sealed for row in connection.execute(query)]


def anew(table: Table, sealed: Sealed) -> str:
    return sealed.value.replace(OLD, NEW)


def if_old(table: Table, sealed: Sealed) -> str | None:
    return anew(table, sealed) if sealed.value.startswith(OLD) else None


def test_batches_go_through_a_table_and_leave_what_has_the_new_key(url: str) -> None:
    def work(connection: Connection) -> list[Batch]:
        fill(connection, *[f"{OLD}{number}" for number in range(5)], f"{NEW}5")
        batches = [reseal(connection, CONTEXT_SECRET, NEW[3:-1], None, 2, anew)]
        while batches[-1].last is not None:
            batches.append(reseal(connection, CONTEXT_SECRET, NEW[3:-1], batches[-1].last, 2, anew))
        assert kept(connection) == [f"{NEW}{number}" for number in range(6)]
        return batches

    assert [batch.resealed for batch in connected(url, work, writes=True)] == [2, 2, 1]


def test_a_value_that_is_written_meanwhile_is_not_replaced_by_the_one_of_before(url: str) -> None:
    def work(connection: Connection) -> list[str]:
        fill(connection, f"{OLD}old")

        def slow(table: Table, sealed: Sealed) -> str:
            connection.execute(update(table).values(sealed=f"{NEW}newer"))
            return anew(table, sealed)

        reseal(connection, CONTEXT_SECRET, NEW[3:-1], None, 10, slow)
        return kept(connection)

    assert connected(url, work, writes=True) == [f"{NEW}newer"]


def test_what_cannot_be_opened_is_passed_over_and_does_not_come_again(url: str) -> None:
    def work(connection: Connection) -> tuple[Batch, Batch]:
        fill(connection, "plain", f"{OLD}1", "v1.0000000f.2")
        first = reseal(connection, CONTEXT_SECRET, NEW[3:-1], None, 2, if_old)
        second = reseal(connection, CONTEXT_SECRET, NEW[3:-1], first.last, 2, lambda table, row: None)
        return first, second

    first, second = connected(url, work, writes=True)

    assert (first.resealed, second) == (1, Batch(0, None))
    assert dict(connected(url, keys_in_use)) == {"": 1, NEW: 1, "v1.0000000f.": 1}
