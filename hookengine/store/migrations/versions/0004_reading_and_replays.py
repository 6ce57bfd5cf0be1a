"""commits of lanes, when events occurred, deliveries of a hook in order, and replays of many"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hookengine.domain.status_call import commit_of

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OF_COMMIT = sa.text("sha IS NOT NULL")
_LAST = sa.text("type IN ('action.completed','action.failed','action.cancelled','action.timed_out')")
_RUNNING = sa.text("state = 'running'")


def upgrade() -> None:
    op.add_column("lane", sa.Column("sha", sa.String(), nullable=True))
    _find_commits()
    op.create_index("lane_commit", "lane", ["sha"], sqlite_where=_OF_COMMIT, postgresql_where=_OF_COMMIT)
    op.add_column("event", sa.Column("occurred_at", sa.BigInteger(), nullable=True))
    op.execute("UPDATE event SET occurred_at = accepted_at")
    op.create_index("event_last", "event", ["occurred_at"], sqlite_where=_LAST, postgresql_where=_LAST)
    op.drop_index("ix_delivery_hook_id", "delivery")
    op.create_index("delivery_hook", "delivery", ["hook_id", "id"])
    op.create_table(
        "replay",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("per_minute", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("replayed", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("problems", sa.Text(), nullable=False),
        sa.Column("up_to", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("due_at", _BIG, nullable=False),
        sa.Column("created_at", _BIG, nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("replay_due", "replay", ["due_at"], sqlite_where=_RUNNING, postgresql_where=_RUNNING)


def _find_commits() -> None:
    lane = sa.table("lane", sa.column("id"), sa.column("key"), sa.column("sha"))
    connection = op.get_bind()
    rows = connection.execute(sa.select(lane.c.id, lane.c.key).where(lane.c.key.like("status%"))).all()
    found = [{"lane_id": row.id, "commit": sha} for row in rows if (sha := commit_of(row.key))]
    if found:
        known = sa.update(lane).where(lane.c.id == sa.bindparam("lane_id"))
        connection.execute(known.values(sha=sa.bindparam("commit")), found)


def downgrade() -> None:
    op.drop_index("replay_due", "replay")
    op.drop_table("replay")
    op.drop_index("delivery_hook", "delivery")
    op.create_index("ix_delivery_hook_id", "delivery", ["hook_id"])
    op.drop_index("event_last", "event")
    op.drop_column("event", "occurred_at")
    op.drop_index("lane_commit", "lane")
    op.drop_column("lane", "sha")
