"""An empty SQLite database with all tables, copied for each test that wants one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hookengine.domain.hook import HookState
from hookengine.store.cold import definitions
from hookengine.store.migrations import upgrade
from hookengine.store.sqlite.connection import connect
from tests.conftest import NOW, make_hook
from tests.contract.conftest import SECOND
from tests.definitions import define_here
from tests.unit.store.worlds import HOOKS


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "hookengine.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def database(migrated: Path, tmp_path: Path) -> Path:
    """The file of an empty database."""
    return Path(shutil.copy(migrated, tmp_path / "hookengine.db"))


@pytest.fixture(scope="session")
def defined(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database with some hooks."""
    path = Path(shutil.copy(migrated, tmp_path_factory.mktemp("defined") / "hookengine.db"))
    connection = connect(path)
    hooks = tuple(make_hook(id=hook_id) for hook_id in HOOKS)
    connection.lend(lambda lent: define_here(lent, hooks))
    connection.lend(lambda lent: definitions.switch(lent, "paused", HookState.PAUSED, "", NOW))
    connection.lend(lambda lent: definitions.switch(lent, "off", HookState.DISABLED, "", NOW + 10 * SECOND))
    connection.close()
    return path
