"""several requests of a hook for one event, and what their answers told"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ORIGINAL = sa.text("replay_of IS NULL AND repair_of IS NULL")


def upgrade() -> None:
    op.add_column("delivery", sa.Column("part", sa.Integer(), server_default="0", nullable=False))
    op.add_column("delivery", sa.Column("provides", sa.Text(), server_default="", nullable=False))
    _once("event_id", "hook_id", "part")
    op.create_table(
        "capture",
        sa.Column("lane_id", _BIG, autoincrement=False, nullable=False),
        sa.Column("action_seq", _BIG, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("lane_id", "action_seq", "name"),
    )


def downgrade() -> None:
    """Of what an event owes by one hook, the tables before know one delivery only: the last one stays the one."""
    op.execute(
        "UPDATE delivery SET replay_of = id WHERE replay_of IS NULL AND repair_of IS NULL AND EXISTS"
        " (SELECT 1 FROM delivery later WHERE later.event_id = delivery.event_id"
        " AND later.hook_id = delivery.hook_id AND later.part > delivery.part"
        " AND later.replay_of IS NULL AND later.repair_of IS NULL)"
    )
    op.drop_table("capture")
    _once("event_id", "hook_id")
    op.drop_column("delivery", "provides")
    op.drop_column("delivery", "part")


def _once(*columns: str) -> None:
    op.drop_index("delivery_once", "delivery")
    op.create_index(
        "delivery_once",
        "delivery",
        list(columns),
        unique=True,
        sqlite_where=_ORIGINAL,
        postgresql_where=_ORIGINAL,
    )
