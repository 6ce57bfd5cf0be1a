"""A store whose PostgreSQL is behind a proxy: it goes away, or does not answer, when a test says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from hookengine.store.postgres import PostgresStore, service, waiting
from hookengine.store.postgres.connecting import Patience
from tests.contract.conftest import Look
from tests.faults.proxy import Proxy
from tests.postgres import PostgresServer, Session, SharedDatabase

IMPATIENT = Patience(connect=30.0, statement=2.0, answer=0.4, lock=0.1)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets how many seconds calls wait for a database that is away: long enough, unless a test says otherwise."""

    def set_patience(seconds: float) -> None:
        monkeypatch.setattr(waiting, "PATIENCE", seconds)

    monkeypatch.setattr(service, "_LONGEST_PAUSE", 0.05)
    set_patience(20.0)
    return set_patience


@pytest.fixture
def proxy(postgres_server: PostgresServer) -> Iterator[Proxy]:
    with Proxy(("127.0.0.1", postgres_server.port)) as proxy:
        yield proxy


@pytest.fixture
async def store(
    postgres_database: SharedDatabase, postgres_server: PostgresServer, proxy: Proxy
) -> AsyncIterator[PostgresStore]:
    """Behind the proxy."""
    url = postgres_database.url.replace(f":{postgres_server.port}/", f":{proxy.port}/")
    store = await PostgresStore.open(url, patience=IMPATIENT, own_clock=False)
    yield store
    proxy.let_pass()
    await store.close()


@pytest.fixture
def look(postgres_database: SharedDatabase) -> Look:
    return Look(postgres_database)


@pytest.fixture
def somebody(postgres_database: SharedDatabase) -> Iterator[Session]:
    """A session of somebody else."""
    with Session(postgres_database.url) as session:
        yield session
