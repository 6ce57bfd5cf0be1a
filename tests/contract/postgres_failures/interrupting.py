"""Ends connections, and raises errors, in the middle of what a store does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hookengine.store.calls import Leased
from hookengine.store.contract import Store
from hookengine.store.postgres import transactions
from tests.conftest import NOW
from tests.contract.conftest import accept, owed, terms
from tests.postgres import SharedDatabase


class Interruption:
    """Ends all connections of the store when the given step is answered, so many times."""

    def __init__(self, database: SharedDatabase, times: int = 1) -> None:
        self._database = database
        self.times = times

    def strike(self) -> None:
        if self.times:
            self.times -= 1
            end_connections(self._database)


def end_connections(database: SharedDatabase) -> None:
    database.rows(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'hookengine'"
    )


def at(monkeypatch: pytest.MonkeyPatch, step: type, do: Callable[[], None]) -> None:
    """What happens before each step of this kind."""
    answer = transactions.STEPS[step]

    async def answered(connection: Any, asked: Any) -> Any:
        do()
        return await answer(connection, asked)

    monkeypatch.setattr(transactions, "STEPS", {**transactions.STEPS, step: answered})


def raising(error: Exception, times: int) -> Callable[[], None]:
    errors = [error] * times

    def do() -> None:
        if errors:
            raise errors.pop()

    return do


async def a_lease(store: Store, name: str = "a", **changes: Any) -> Leased:
    (leased,) = (await accept(store, owed(name, **changes), now=NOW, terms=terms())).leased
    return leased
