"""A PostgreSQL that a test has for itself: it may be restarted, and its tables changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import asyncpg

from tests.postgres import PostgresServer, Session

LOST = (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.AdminShutdownError)
"""What a session raises whose server has gone."""


class OwnDatabase:
    """Looked at from beside, as `stage.Database` says, also after a restart. `template`: a migrated database."""

    def __init__(self, server: PostgresServer, name: str = "own", template: str | None = None) -> None:
        self.server = server
        self.url = server.create_database(name, template)
        self._name = name
        self._session: Session | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """What a query with `:name` parameters finds. Asked once more if the session has gone meanwhile."""
        try:
            return self._connected().rows(query, **values)
        except LOST:
            self._leave()
            return self._connected().rows(query, **values)

    def run(self, statements: str) -> None:
        """As the owner, without parameters; several are one transaction."""
        self._connected().execute(statements)

    @contextmanager
    def superuser(self) -> Iterator[Session]:
        """A session of its own, for what owners may not."""
        with Session(self.server.url(self._name, "postgres")) as session:
            yield session

    def _connected(self) -> Session:
        if self._session is None:
            self._session = Session(self.url)
        return self._session

    def _leave(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
