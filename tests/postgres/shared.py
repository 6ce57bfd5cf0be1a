"""One database for many tests, put back to its first state between them."""

from __future__ import annotations

from typing import Any

import asyncpg

from tests.postgres.server import PostgresServer
from tests.postgres.session import Session


class SharedDatabase:
    """One migrated database for many tests: putting it back takes far less than copying one."""

    # A long table is cut off at once; for a short one that takes longer than to delete its rows. What ANALYZE found
    # goes with them: plans of one test must not depend on another.
    _RESTORE = """
    DO $$ DECLARE name text; analyzed boolean; BEGIN
        PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid();
        FOR name, analyzed IN SELECT oid::regclass, reltuples >= 0 FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
        LOOP
            IF analyzed OR pg_relation_size(name) > 262144 THEN
                EXECUTE 'TRUNCATE ' || name;
                DELETE FROM pg_statistic WHERE starelid = name::regclass;
            ELSE
                EXECUTE 'DELETE FROM ' || name;
            END IF;
            EXECUTE format('INSERT INTO %s SELECT * FROM migrated.%s', name, name);
        END LOOP;
        PERFORM setval(oid, 1, false) FROM pg_class WHERE relkind = 'S';
    END $$
    """
    # Migrations write rows too: the first state of every table is kept beside it.
    _KEEP = """
    DO $$ DECLARE name text; BEGIN
        CREATE SCHEMA migrated;
        FOR name IN SELECT oid::regclass FROM pg_class WHERE relnamespace = 'public'::regnamespace
            AND relkind = 'r'
        LOOP
            EXECUTE format('CREATE TABLE migrated.%s AS TABLE %s', name, name);
        END LOOP;
    END $$
    """

    def __init__(self, server: PostgresServer, name: str, template: str) -> None:
        self.url = server.create_database(name, template)
        self._as_superuser = server.url(name, "postgres")
        self._session = Session(self._as_superuser)
        self._session.execute(self._KEEP)

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """What a query with `:name` parameters finds, or a statement returns, beside the store."""
        return self._session.rows(query, **values)

    def restore(self) -> None:
        """To what the migrations left: no other connections, their rows, numbers that count from 1."""
        try:
            self._session.execute(self._RESTORE)
        except (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError):  # a restart has ended it
            self.close()
            self._session = Session(self._as_superuser)
            self._session.execute(self._RESTORE)

    def close(self) -> None:
        self._session.close()
