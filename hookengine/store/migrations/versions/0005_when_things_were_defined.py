"""when pipelines and incoming hooks were defined"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLES = ("pipeline", "incoming_hook")
_COLUMNS = ("created_at", "updated_at")


def upgrade() -> None:
    """Of those that are there already nobody knows it: 0."""
    for table in _TABLES:
        for column in _COLUMNS:
            op.add_column(table, sa.Column(column, _BIG, nullable=False, server_default="0"))


def downgrade() -> None:
    for table in _TABLES:
        for column in _COLUMNS:
            op.drop_column(table, column)
