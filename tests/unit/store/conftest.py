"""An empty SQLite database with all tables, copied for each test that wants one."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookengine.domain.hook import HookState
from hookengine.store.cold import definitions
from hookengine.store.sqlite.connection import connect
from tests.conftest import NOW, make_hook
from tests.contract.conftest import SECOND
from tests.definitions import define_here
from tests.sqlite import empty_database
from tests.unit.store.worlds import HOOKS


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The file of an empty database."""
    return empty_database(tmp_path / "hookengine.db")


@pytest.fixture(scope="session")
def defined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database with some hooks."""
    path = empty_database(tmp_path_factory.mktemp("defined") / "hookengine.db")
    connection = connect(path)
    hooks = tuple(make_hook(id=hook_id) for hook_id in HOOKS)
    connection.lend(lambda lent: define_here(lent, hooks))
    connection.lend(lambda lent: definitions.switch(lent, "paused", HookState.PAUSED, "", NOW))
    connection.lend(lambda lent: definitions.switch(lent, "off", HookState.DISABLED, "", NOW + 10 * SECOND))
    connection.close()
    return path
