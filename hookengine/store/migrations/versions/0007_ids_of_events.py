"""ids of events are each pipeline's own, and the events of an action have an order"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PIPELINE = "SELECT a.pipeline_id FROM action a WHERE a.first_seq = event.action_seq"
_OF_DELIVERY = (
    "SELECT a.pipeline_id FROM event e JOIN action a ON a.first_seq = e.action_seq"
    " WHERE e.id = delivery.event_id"
)
_NUMBERED = (
    "SELECT id, row_number() OVER (PARTITION BY action_seq ORDER BY accepted_at, id) AS place FROM event"
)


def upgrade() -> None:
    """The events of an action that are there already are in the order of their times."""
    op.add_column("event", sa.Column("revision", _BIG, nullable=False, server_default="0"))
    op.execute(f"UPDATE event SET revision = n.place FROM ({_NUMBERED}) n WHERE n.id = event.id")
    op.execute(f"UPDATE delivery SET event_id = coalesce(({_OF_DELIVERY}), 0) || ':' || event_id")
    op.execute(f"UPDATE event SET id = coalesce(({_PIPELINE}), 0) || ':' || id")


def downgrade() -> None:
    """Fails if several pipelines have an event of one id."""
    colon = "strpos({0}, ':')" if op.get_bind().dialect.name == "postgresql" else "instr({0}, ':')"
    for table, column in (("event", "id"), ("delivery", "event_id")):
        op.execute(f"UPDATE {table} SET {column} = substr({column}, {colon.format(column)} + 1)")
    op.drop_column("event", "revision")
