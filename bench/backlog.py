"""Rows of deliveries that wait, made in the database itself: lanes of ten, half of them of hosts to die.

Claiming and finishing look at lanes, deliveries, attempts, requests, gates and hooks; events and actions are
left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from databases import execute

from hookengine.domain.request import RenderedRequest

DEEP = 10  # deliveries of a lane
DEAD_HOSTS = 10
HOUR = 3_600_000  # milliseconds

_REQUEST = RenderedRequest(
    method="POST",
    url="http://127.0.0.1:8080/repos/acme/shop/statuses/9fceb02d0ae598e95dc970b74767f19372d61af8",
    headers=(("content-type", ("application/json",)), ("accept", ("application/json",))),
    body=(f'{{"state":"success","context":"ci/build(deploy)","description":"{"x" * 300}"}}',),
).to_json()

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count})"
_ID = "('dlv_' || (1000000000 + i))"
_HOST = "((CASE WHEN {lane} % 2 = 0 THEN 'dying' ELSE 'well' END) || ({lane} % {hosts}) || '.example')"


def fill(url: str, waiting: int, now: int) -> None:
    """So many deliveries, due for a while, in `waiting` / DEEP lanes in turn."""
    lanes = waiting // DEEP
    every, each = _NUMBERS.format(count=waiting), _NUMBERS.format(count=lanes)
    host = _HOST.format(lane=f"(i % {lanes} + 1)", hosts=2 * DEAD_HOSTS)
    execute(
        url,
        [
            f"INSERT INTO request (id, document) {every} SELECT {_ID}, '{_REQUEST}' FROM n",
            f"""INSERT INTO delivery (id, event_id, hook_id, hook_revision, lane_id, request_id, digest, host,
                account, rate, number, first_seq, rank, seq, status, attempts, strikes, cancel_asked, doubt_until,
                because, accepted_at)
            {every} SELECT {_ID}, '1:evt_' || (1000000000 + i), 'hook_1', 1, i % {lanes} + 1, {_ID},
                'digest of ' || i, {host}, {host} || ' token', '', NULL, i + 1, 2, i / {lanes} + 1, 'queued', 0, 0,
                FALSE, 0, '', {now - waiting} + i FROM n""",
            f"""INSERT INTO lane (key, policy, head_id, due_at, not_before, next_seq, newest_first, newest_rank,
                newest_seq, cleared_to, doubt_until)
            {each} SELECT 'hook_1:' || i, 'ordered', {_ID}, {now - waiting} + i, 0, {DEEP + 1},
                {waiting - lanes} + i + 1, 2, {DEEP}, 0, 0 FROM n""",
            *analyze(url),
        ],
    )


def die(url: str, now: int) -> None:
    """The hosts of every second lane: half of these wait for a circuit, half have a head in back-off."""
    host = _HOST.format(lane="id", hosts=2 * DEAD_HOSTS)
    keys = [f"host:dying{number}.example" for number in range(0, 2 * DEAD_HOSTS, 2)]
    execute(
        url,
        [
            *(
                f"""INSERT INTO gate (key, open_at, failures, trips, recovering_since, passed, updated_at)
                VALUES ('{key}', {now + HOUR}, 9, 5, -1, '', {now})"""
                for key in keys
            ),
            f"UPDATE lane SET waits_for = 'host:' || {host} WHERE id % 4 = 0 AND head_id IS NOT NULL",
            f"UPDATE lane SET due_at = {now + HOUR} WHERE id % 4 = 2 AND head_id IS NOT NULL",
            *analyze(url),
        ],
    )


def analyze(url: str) -> Sequence[str]:
    """What upkeep of the database itself comes to in time. SQLite has none."""
    return [] if url.startswith("sqlite") else ["VACUUM ANALYZE lane", "VACUUM ANALYZE delivery"]
