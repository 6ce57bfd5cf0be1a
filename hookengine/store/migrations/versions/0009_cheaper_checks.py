"""statuses and types are compared word by word: for a list SQLite makes a table, for every row that is written"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_LISTS = {  # by the table or index that has them
    "delivery": (
        ("status", ("queued", "sending", "retrying", "delivered", "failed", "superseded", "cancelled")),
        ("status", ("delivered", "failed", "superseded", "cancelled")),
    ),
    "event_last": (("type", ("action.completed", "action.failed", "action.cancelled", "action.timed_out")),),
}


def upgrade() -> None:
    _write_anew(
        (name, _as_list(*said), _word_by_word(*said)) for name, lists in _LISTS.items() for said in lists
    )


def downgrade() -> None:
    _write_anew(
        (name, _word_by_word(*said), _as_list(*said)) for name, lists in _LISTS.items() for said in lists
    )


def _as_list(column: str, words: Iterable[str]) -> str:
    return f"{column} IN ({','.join(map(repr, words))})"


def _word_by_word(column: str, words: Iterable[str]) -> str:
    return " OR ".join(f"{column} = '{word}'" for word in words)


def _write_anew(changes: Iterable[tuple[str, str, str]]) -> None:
    """Of what SQLite keeps as text only the text changes: no row is read. An SQLite that lets nobody do so goes
    on with what there is, which means the same."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    try:
        for name, old, new in changes:
            connection.execute(
                sa.text("UPDATE sqlite_master SET sql = replace(sql, :old, :new) WHERE name = :name"),
                {"old": old, "new": new, "name": name},
            )
        connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    except sa.exc.OperationalError as error:
        if "may not be modified" not in str(error.orig):
            raise
    finally:
        connection.exec_driver_sql("PRAGMA writable_schema = RESET")
