"""A real PostgreSQL for tests: private, on a loopback port, and gone when the tests are, however they end."""

from __future__ import annotations

from tests.postgres.programs import PostgresMissing
from tests.postgres.server import PostgresServer
from tests.postgres.session import Session
from tests.postgres.shared import SharedDatabase

__all__ = ["PostgresMissing", "PostgresServer", "Session", "SharedDatabase"]
