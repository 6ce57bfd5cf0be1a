"""the first tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "action",
        sa.Column("first_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("pipeline_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("action_id", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("first_seq"),
        sa.UniqueConstraint("pipeline_id", "action_id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("action", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_action_updated_at"), ["updated_at"], unique=False)

    op.create_table(
        "attempt",
        sa.Column("delivery_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("certainty", sa.String(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("because", sa.Text(), nullable=True),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.Column("late_outcome", sa.String(), nullable=True),
        sa.Column("late_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("delivery_id", "number"),
        sa.UniqueConstraint("token"),
    )
    op.create_table(
        "context_secret",
        sa.Column(
            "pipeline_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("pipeline_id", "path"),
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("hook_id", sa.String(), nullable=False),
        sa.Column("hook_revision", sa.Integer(), nullable=False),
        sa.Column("lane_id", sa.BigInteger(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("first_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("strikes", sa.Integer(), nullable=False),
        sa.Column("cancel_asked", sa.Boolean(), nullable=False),
        sa.Column(
            "doubt_until",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            server_default="0",
            nullable=False,
        ),
        sa.Column("superseded_by", sa.String(), nullable=True),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("replay_of", sa.String(), nullable=True),
        sa.Column("repair_of", sa.String(), nullable=True),
        sa.Column("accepted_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(ended_at IS NOT NULL) = (status IN ('delivered','failed','superseded','cancelled'))",
            name="ended_has_time",
        ),
        sa.CheckConstraint(
            "status IN ('queued','sending','retrying','delivered','failed','superseded','cancelled')",
            name="delivery_status",
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index("delivery_ended", ["status", "ended_at"], unique=False)
        batch_op.create_index(
            "delivery_in_doubt",
            ["lane_id", "doubt_until"],
            unique=False,
            sqlite_where=sa.text("doubt_until > 0"),
            postgresql_where=sa.text("doubt_until > 0"),
        )
        batch_op.create_index("delivery_lane", ["lane_id", "ended_at"], unique=False)
        batch_op.create_index(
            "delivery_once",
            ["event_id", "hook_id"],
            unique=True,
            sqlite_where=sa.text("replay_of IS NULL AND repair_of IS NULL"),
            postgresql_where=sa.text("replay_of IS NULL AND repair_of IS NULL"),
        )
        batch_op.create_index(
            "delivery_waiting",
            ["lane_id", "seq"],
            unique=False,
            sqlite_where=sa.text("status IN ('queued','retrying')"),
            postgresql_where=sa.text("status IN ('queued','retrying')"),
        )
        batch_op.create_index(batch_op.f("ix_delivery_event_id"), ["event_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_delivery_hook_id"), ["hook_id"], unique=False)

    op.create_table(
        "event",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("action_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("accepted_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_event_accepted_at"), ["accepted_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_event_action_seq"), ["action_seq"], unique=False)

    op.create_table(
        "hook",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("because", sa.String(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column(
            "off_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            server_default="-1",
            nullable=False,
        ),
        sa.Column("managed_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "hook_revision",
        sa.Column("hook_id", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("hook_id", "revision"),
    )
    op.create_table(
        "incoming_hook",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("managed_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "lane",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("head_id", sa.String(), nullable=True),
        sa.Column(
            "due_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), server_default="0", nullable=False
        ),
        sa.Column("token", sa.BigInteger(), nullable=True),
        sa.Column(
            "not_before",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            server_default="0",
            nullable=False,
        ),
        sa.Column(
            "next_seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            server_default="1",
            nullable=False,
        ),
        sa.Column("scope", sa.String(), nullable=True),
        sa.Column("newest_number", sa.BigInteger(), nullable=True),
        sa.Column("newest_first", sa.BigInteger(), nullable=True),
        sa.Column("newest_rank", sa.Integer(), nullable=True),
        sa.Column("newest_seq", sa.BigInteger(), nullable=True),
        sa.Column("shown_id", sa.String(), nullable=True),
        sa.Column("shown_digest", sa.String(), nullable=True),
        sa.Column(
            "cleared_to",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            server_default="0",
            nullable=False,
        ),
        sa.Column(
            "doubt_until",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            server_default="0",
            nullable=False,
        ),
        sa.CheckConstraint("token IS NULL OR head_id IS NOT NULL", name="lease_has_head"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("lane", schema=None) as batch_op:
        batch_op.create_index(
            "lane_at_rest",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("head_id IS NULL"),
            postgresql_where=sa.text("head_id IS NULL"),
        )
        batch_op.create_index(
            "lane_due",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("head_id IS NOT NULL"),
            postgresql_where=sa.text("head_id IS NOT NULL"),
        )

    op.create_table(
        "pipeline",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("managed_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "request",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Indexes go with their tables."""
    op.drop_table("request")
    op.drop_table("pipeline")
    op.drop_table("lane")
    op.drop_table("incoming_hook")
    op.drop_table("hook_revision")
    op.drop_table("hook")
    op.drop_table("event")
    op.drop_table("delivery")
    op.drop_table("context_secret")
    op.drop_table("attempt")
    op.drop_table("action")
