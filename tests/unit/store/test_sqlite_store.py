from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hookengine.errors import StoreBusy, StoreError
from hookengine.store.migrations import downgrade, pending
from hookengine.store.sqlite import SqliteStore

pytestmark = pytest.mark.anyio

OPEN_AND_CLOSE = """
import asyncio, pathlib, sys
from hookengine.errors import StoreBusy
from hookengine.store.sqlite import SqliteStore

async def main():
    try:
        store = await SqliteStore.open(pathlib.Path(sys.argv[1]))
    except StoreBusy as error:
        print(error)
    else:
        await store.close()
        print("opened")

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "hookengine.db"


def _open_in_another_process(path: Path) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", OPEN_AND_CLOSE, str(path)], capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()


async def test_a_second_process_is_refused_until_the_first_closes(path: Path) -> None:
    store = await SqliteStore.open(path)

    refused = _open_in_another_process(path)
    await store.close()
    opened = _open_in_another_process(path)

    assert f"in use by process {os.getpid()}" in refused
    assert opened == "opened"


async def test_a_second_store_in_the_same_process_is_refused(path: Path) -> None:
    store = await SqliteStore.open(path)

    with pytest.raises(StoreBusy):
        await SqliteStore.open(path)

    assert await store.next_due(0) is None
    await store.close()


async def test_others_may_read_and_write_beside_the_owner(path: Path) -> None:
    store = await SqliteStore.open(path)
    beside = await SqliteStore.open(path, own=False)

    asked = [each.new_action(1, 0) for _ in range(50) for each in (store, beside)]
    actions = await asyncio.gather(*asked)
    await beside.close()
    await store.close()

    assert len(set(actions)) == 100


async def test_nobody_migrates_under_an_owner(path: Path) -> None:
    store = await SqliteStore.open(path)
    downgrade(f"sqlite:///{path}", "0005")

    with pytest.raises(StoreBusy):
        await SqliteStore.open(path, own=False)

    await store.close()
    await (await SqliteStore.open(path, own=False)).close()
    assert pending(f"sqlite:///{path}") == []


async def test_the_files_are_readable_by_their_owner_only(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.new_action(1, 0)

    modes = {
        file.name: stat.S_IMODE(file.stat().st_mode)
        for file in path.parent.iterdir()
        if not file.name.endswith(".lock")
    }
    await store.close()

    assert modes == {"hookengine.db": 0o600, "hookengine.db-wal": 0o600, "hookengine.db-shm": 0o600}


@pytest.fixture
def broken(path: Path) -> Path:
    path.parent.mkdir()
    path.write_bytes(b"this is no database " * 100)
    return path


async def test_a_store_that_cannot_be_opened_lets_go_of_its_lock(broken: Path, path: Path) -> None:
    with pytest.raises(StoreError, match="not a database"):
        await SqliteStore.open(broken)
    os.truncate(path, 0)

    store = await SqliteStore.open(path)

    await store.close()


async def test_what_was_written_is_there_after_opening_again(path: Path) -> None:
    store = await SqliteStore.open(path)
    first = await store.new_action(1, 0)
    await store.close()

    store = await SqliteStore.open(path)
    second = await store.new_action(1, 0)
    await store.close()

    assert second > first


async def test_a_closed_store_writes_nothing(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.close()

    with pytest.raises(StoreError, match="closed"):
        await store.sweep(0, 0)


async def test_a_folder_that_cannot_be_made_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match=r"file/data/hookengine\.db\.lock cannot be made.*a folder"):
        await SqliteStore.open(tmp_path / "file" / "data" / "hookengine.db")


async def test_a_lock_file_that_cannot_be_made_is_told_with_its_path(path: Path) -> None:
    path.with_name(path.name + ".lock").mkdir(parents=True)

    with pytest.raises(StoreError, match=r"hookengine\.db\.lock cannot be made"):
        await SqliteStore.open(path)
