"""what many nodes share: gates, waiting behind them, and when hooks and actions went quiet"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BUSY = ("lane", "delivery", "attempt", "action", "gate")
_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_HEADED = sa.text("head_id IS NOT NULL")
_CLAIMABLE = sa.text("head_id IS NOT NULL AND waits_for IS NULL")
_OPEN = sa.text("open_since IS NOT NULL")
_WAITS = sa.text("waits_for IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "gate",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("open_at", _BIG, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("trips", sa.Integer(), nullable=False),
        sa.Column("probed_at", _BIG, server_default="-1", nullable=False),
        sa.Column("recovering_since", _BIG, server_default="-1", nullable=False),
        sa.Column("passed", sa.Text(), nullable=False),
        sa.Column("updated_at", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "definitions",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute("INSERT INTO definitions (id, version) VALUES (1, 1)")
    op.add_column("hook", sa.Column("failing_since", _BIG, server_default="-1", nullable=False))
    op.add_column("action", sa.Column("open_since", sa.BigInteger(), nullable=True))
    op.add_column("action", sa.Column("ended_number", sa.BigInteger(), nullable=True))
    op.create_index("action_open", "action", ["open_since"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.add_column("lane", sa.Column("waits_for", sa.String(), nullable=True))
    op.drop_index("lane_due", "lane")
    op.create_index("lane_due", "lane", ["due_at"], sqlite_where=_CLAIMABLE, postgresql_where=_CLAIMABLE)
    op.create_index(
        "lane_waits_for", "lane", ["waits_for", "due_at"], sqlite_where=_WAITS, postgresql_where=_WAITS
    )
    for name in ("host", "account", "rate"):
        op.add_column("delivery", sa.Column(name, sa.Text(), server_default="", nullable=False))
    if op.get_bind().dialect.name == "postgresql":
        for table in _BUSY:  # most rows die within seconds: a fifth of a large table is too late
            op.execute(f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.01, fillfactor = 80)")
    op.add_column("attempt", sa.Column("node", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in _BUSY:
            op.execute(f"ALTER TABLE {table} RESET (autovacuum_vacuum_scale_factor, fillfactor)")
    op.drop_column("attempt", "node")
    for name in ("rate", "account", "host"):
        op.drop_column("delivery", name)
    op.drop_index("lane_waits_for", "lane")
    op.drop_index("lane_due", "lane")
    op.drop_column("lane", "waits_for")
    op.create_index("lane_due", "lane", ["due_at"], sqlite_where=_HEADED, postgresql_where=_HEADED)
    op.drop_index("action_open", "action")
    op.drop_column("action", "ended_number")
    op.drop_column("action", "open_since")
    op.drop_column("hook", "failing_since")
    op.drop_table("definitions")
    op.drop_table("gate")
