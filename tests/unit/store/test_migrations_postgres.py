"""What only PostgreSQL's migrations meet: other nodes, a server elsewhere, and passwords."""

from __future__ import annotations

import socket
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from sqlalchemy import inspect

from hookengine.errors import StoreError
from hookengine.store.migrations import LOCK, connected, differences, pending, upgrade
from tests.postgres import PostgresServer, Session

PASSWORD = "open" + "sesame"
NODES = 3


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    yield postgres_server.create_database("migrating")
    postgres_server.drop_database("migrating")


def _refused(url: str, ask: Callable[[str], object] = pending) -> str:
    """What is said; nothing of it, nor of what led to it, is the password."""
    with pytest.raises(StoreError) as caught:
        ask(url)
    assert PASSWORD[:5] not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


def _wait_until_all_wait(session: Session, upgrading: list[Future[None]]) -> None:
    """For an advisory lock, each on its own connection."""
    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    while session.rows(query) != [{"count": len(upgrading)}]:
        assert not any(node.done() for node in upgrading)


def test_nodes_that_start_together_migrate_one_after_another(url: str) -> None:
    with Session(url) as session, ThreadPoolExecutor(NODES) as nodes:
        session.execute(f"SELECT pg_advisory_lock({LOCK})")

        upgrading = [nodes.submit(upgrade, url) for _ in range(NODES)]
        _wait_until_all_wait(session, upgrading)
        session.execute(f"SELECT pg_advisory_unlock({LOCK})")
        for node in upgrading:
            node.result()

    assert pending(url) == []
    assert differences(url) == []


def test_an_upgrade_that_fails_leaves_nothing_behind(url: str) -> None:
    with Session(url) as session:
        session.execute("CREATE TABLE lane (whatever int)")

    assert 'relation "lane" already exists' in _refused(url, upgrade)

    assert connected(url, lambda connection: inspect(connection).get_table_names()) == ["lane"]


def test_a_database_that_does_not_exist_is_to_be_made_by_hand(postgres_server: PostgresServer) -> None:
    for ask in (pending, upgrade, differences):
        said = _refused(postgres_server.url("nowhere", f"hookengine:{PASSWORD}"), ask)

        assert said == (
            f"PostgreSQL database 'nowhere' at 127.0.0.1:{postgres_server.port}: "
            'database "nowhere" does not exist (make it with `createdb`, owned by this user)'
        )


def test_a_wrong_password_is_told_without_it(postgres_server: PostgresServer, url: str) -> None:
    postgres_server.execute("CREATE ROLE guest LOGIN PASSWORD 'another one'")
    try:
        said = _refused(postgres_server.url("migrating", f"guest:{PASSWORD}"))
    finally:
        postgres_server.execute("DROP ROLE guest")

    assert said.endswith('password authentication failed for user "guest" (check user and password)')


def test_a_server_that_is_not_there_is_told_with_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    said = _refused(f"postgresql://u:{PASSWORD}@127.0.0.1:{port}/hooks")

    assert said == f"PostgreSQL database 'hooks' at 127.0.0.1:{port} cannot be reached: Connection refused"


def test_a_server_that_offers_no_tls_is_refused_where_tls_is_asked_for(url: str) -> None:
    assert "rejected SSL upgrade" in _refused(url.replace("sslmode=disable", "sslmode=require"))


@pytest.mark.parametrize("address", [f"u:{PASSWORD}/1@127.0.0.1/h", f"u@127.0.0.1/h?{PASSWORD}"])
def test_nothing_of_a_url_that_cannot_be_read_is_shown(address: str) -> None:
    assert _refused(f"postgresql://{address}") == "the URL of the PostgreSQL database cannot be understood"


def test_a_user_who_may_not_make_tables_is_told_why(postgres_server: PostgresServer) -> None:
    postgres_server.execute("CREATE DATABASE foreign_one")
    try:
        said = _refused(postgres_server.url("foreign_one"), upgrade)
    finally:
        postgres_server.drop_database("foreign_one")

    assert said.endswith("permission denied for schema public (the database must belong to this user)")
