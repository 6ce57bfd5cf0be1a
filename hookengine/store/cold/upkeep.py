"""What is due, and what the store holds, in numbers. Only indexes are read, however much waits."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, select, text

from hookengine.domain.clock import Millis
from hookengine.domain.gate import Circuit, Gate
from hookengine.store.care import Figures
from hookengine.store.cold.tables import GATE

MOST_COUNTED: Final = 100_000
"""Of deliveries that wait: so many, or more."""

# A lane is leased exactly while a delivery of it is being sent; of those there are few, and an index.
_EXPIRE = text(
    "UPDATE lane SET due_at = :now WHERE token IS NOT NULL"
    " AND id IN (SELECT lane_id FROM delivery WHERE status = 'sending')"
)
_LEASES = text("SELECT count(*) FROM delivery WHERE status = 'sending'")
# In the order of an index: else PostgreSQL might look for them all through the table.
_OF_STATUS = "(SELECT count(*) FROM (SELECT 1 FROM delivery WHERE status = '{0}' ORDER BY ended_at LIMIT :most) AS {0})"
_WAITING = text(f"SELECT {_OF_STATUS.format('queued')} + {_OF_STATUS.format('retrying')}")
NEXT_DUE: Final = """
SELECT min(due_at) FROM (
  SELECT min(due_at) AS due_at FROM lane WHERE head_id IS NOT NULL AND waits_for IS NULL
  UNION ALL
  SELECT min(open_at) FROM gate WHERE open_at > :now
    AND EXISTS (SELECT 1 FROM lane WHERE waits_for = gate.key)
) AS due
"""
_NEXT_DUE = text(NEXT_DUE)
_OLDEST_CLAIMABLE = text("SELECT min(due_at) FROM lane WHERE head_id IS NOT NULL AND waits_for IS NULL")
# From one name to the next, by the index of lanes set aside: there are few names, and many lanes.
_OLDEST_SET_ASIDE = text("""
WITH RECURSIVE waited(name) AS (
  SELECT min(waits_for) FROM lane WHERE waits_for IS NOT NULL
  UNION ALL
  SELECT (SELECT min(waits_for) FROM lane WHERE waits_for > name) FROM waited WHERE name IS NOT NULL
)
SELECT min((SELECT min(due_at) FROM lane WHERE waits_for = name)) FROM waited
""")


def expire_leases(connection: Connection, now: Millis) -> int:
    return connection.execute(_EXPIRE, {"now": now}).rowcount


def next_due(connection: Connection, now: Millis) -> Millis | None:
    """Behind a gate a lane is due when that opens; for room nobody knows when it comes."""
    due: Millis | None = connection.scalar(_NEXT_DUE, {"now": now})
    return due


def figures(connection: Connection, now: Millis) -> Figures:
    """Waiting deliveries are counted up to MOST_COUNTED."""
    oldest = (connection.scalar(_OLDEST_CLAIMABLE), connection.scalar(_OLDEST_SET_ASIDE))
    due = min((instant for instant in oldest if instant is not None), default=None)
    return Figures(
        waiting=min(connection.execute(_WAITING, {"most": MOST_COUNTED}).scalar_one(), MOST_COUNTED),
        oldest_due=due if due is not None and due <= now else None,
        leases=connection.execute(_LEASES).scalar_one(),
        circuits=_circuits(connection, now),
    )


def _circuits(connection: Connection, now: Millis) -> dict[str, str]:
    rows = connection.execute(
        select(GATE.c.key, GATE.c.open_at, GATE.c.trips, GATE.c.probed_at).where(GATE.c.trips > 0)
    )
    gates = (Gate(key=row[0], open_at=row[1], trips=row[2], probed_at=row[3]) for row in rows)
    states = {gate.key.removeprefix("host:"): gate.circuit(now) for gate in gates}
    return {host: str(state) for host, state in states.items() if state is not Circuit.CLOSED}
