"""Deliveries that wait, made in the database itself: thousands in a moment."""

from __future__ import annotations

from hookengine.domain.clock import Millis
from tests.conftest import make_request
from tests.contract.conftest import Database


def fill(
    database: Database,
    name: str,
    count: int,
    *,
    due: Millis,
    host: str = "target.example",
    behind: str = "",
) -> None:
    """Each in a lane of its own, due one after another from `due` on, of the hook and with the credential of
    this name, so the first is `dlv_NAME_0`; set aside for what they wait `behind`. They share a request."""
    database.rows(
        "INSERT INTO request (id, document) VALUES (:id, :document)",
        id=f"req_{name}",
        document=make_request(url=f"https://{host}/{name}").to_json(),
    )
    database.rows(
        f"""
        INSERT INTO lane (key, policy, head_id, due_at, waits_for, next_seq, newest_first, newest_rank, newest_seq)
        WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count})
        SELECT 'lane {name} ' || i, 'none', 'dlv_{name}_' || i, {due} + i,
            nullif(CAST(:behind AS text), ''), 2, i + 1, 1, 1 FROM n
        """,
        behind=behind,
    )
    database.rows(
        f"""
        INSERT INTO delivery (id, event_id, hook_id, hook_revision, lane_id, request_id, digest, host, account,
            rate, first_seq, rank, seq, status, attempts, strikes, cancel_asked, doubt_until, because, accepted_at)
        SELECT head_id, '1:' || 'evt_' || head_id, '{name}', 1, id, 'req_{name}', '', '{host}', '{host} {name}',
            '', newest_first, 1, 1, 'queued', 0, 0, FALSE, 0, '', due_at
        FROM lane WHERE key LIKE 'lane {name} %'
        """
    )
