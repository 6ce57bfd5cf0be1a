"""Questions that arrive while one is answered are asked together, as calls share transactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import asyncpg

from hookengine.store.calls import ActionKey, Remembered
from hookengine.store.postgres.failures import Fate, fate_of
from hookengine.store.postgres.service import Service
from hookengine.store.postgres.waiting import Call, settle

_REMEMBER: Final = """
SELECT id, digest, answer, NULL::bigint, NULL::bigint FROM event WHERE id = ANY ($1::text[])
UNION ALL
SELECT NULL, a.action_id, a.context, a.pipeline_id, a.revision
FROM unnest($2::bigint[], $3::text[]) AS k (pipeline_id, action_id)
JOIN action a ON a.pipeline_id = k.pipeline_id AND a.action_id = k.action_id
"""
_CONTEXT_SECRETS: Final = """
SELECT s.pipeline_id, s.path, s.sealed FROM unnest($1::bigint[], $2::text[]) AS k (pipeline_id, path)
JOIN context_secret s ON s.pipeline_id = k.pipeline_id AND s.path = k.path
"""
_STORED_SECRETS: Final = """
SELECT s.owner, s.name, ARRAY[s.sealed, s.hosts] FROM unnest($1::text[], $2::text[]) AS k (owner, name)
JOIN secret s ON s.owner = k.owner AND s.name = k.name
"""
# Rows are found by index, whatever the planner thinks of a table that was empty when it looked.
_BY_INDEX: Final = """
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
SET plan_cache_mode = force_generic_plan
"""


class Question(NamedTuple):
    """Answer: Remembered."""

    events: Sequence[str]
    actions: Sequence[ActionKey]


class ContextSecret(NamedTuple):
    """Answer: the newest one there, sealed, or None."""

    pipeline_id: int
    path: str


class OwnedSecret(NamedTuple):
    """Answer: it, sealed, and its hosts as JSON; or None."""

    owner: str
    name: str


_SECRETS: Final[Mapping[type, str]] = {ContextSecret: _CONTEXT_SECRETS, OwnedSecret: _STORED_SECRETS}


class Reader(Service):
    async def _use(self, connection: asyncpg.Connection, *, again: bool) -> None:
        await connection.execute(_BY_INDEX)

    async def _serve(self, connection: asyncpg.Connection, group: list[Call]) -> None:
        try:
            known = await _remember(
                connection, [call.ask for call in group if isinstance(call.ask, Question)]
            )
            secrets = await _secrets(connection, [call.ask for call in group])
        except Exception as error:  # noqa: BLE001  whatever it is, who asked is told
            self._failed(connection, group, error)
        else:
            self._trouble = None
            for call in group:
                ask = call.ask
                call.settle(_answer(ask, known) if isinstance(ask, Question) else secrets.get(ask))

    def _failed(self, connection: asyncpg.Connection, group: list[Call], error: Exception) -> None:
        fate = fate_of(error)
        if fate is Fate.LOST:
            connection.terminate()
            self._lost(group, error)
        elif fate is Fate.ALONE and len(group) > 1:
            for call in group:
                call.alone = True
            self._waiting.put_back(group)
        else:
            settle(group, self._told(error))


async def _remember(connection: asyncpg.Connection, questions: Sequence[Question]) -> Remembered:
    if not questions:
        return Remembered(events={}, actions={})
    events = {event_id for question in questions for event_id in question.events}
    actions = list({key for question in questions for key in question.actions})
    rows = await connection.fetch(
        _REMEMBER, list(events), [key[0] for key in actions], [key[1] for key in actions]
    )
    return Remembered(
        events={row[0]: (row[1], row[2]) for row in rows if row[0] is not None},
        actions={(row[3], row[1]): (row[4], row[2]) for row in rows if row[0] is None},
    )


async def _secrets(connection: asyncpg.Connection, asks: Sequence[Any]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for kind, query in _SECRETS.items():
        wanted = list({ask for ask in asks if isinstance(ask, kind)})
        if wanted:
            rows = await connection.fetch(query, *map(list, zip(*wanted, strict=True)))
            found |= {kind(row[0], row[1]): row[2] for row in rows}
    return found


def _answer(question: Question, known: Remembered) -> Remembered:
    return Remembered(
        events={event_id: known.events[event_id] for event_id in question.events if event_id in known.events},
        actions={key: known.actions[key] for key in question.actions if key in known.actions},
    )
