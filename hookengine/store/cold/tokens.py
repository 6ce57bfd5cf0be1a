"""API tokens. Whoever changes them locks the row of `definitions` first."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from hookengine.domain.token import Scope, Token
from hookengine.errors import NotFound
from hookengine.store.cold.changes import count_up, lock
from hookengine.store.cold.tables import PIPELINE, TOKEN


def keep(connection: Connection, token: Token) -> None:
    """A new one. Raises NotFound for a pipeline that is not there."""
    lock(connection)
    if token.pipeline_id is not None:
        there = select(PIPELINE.c.id).where(PIPELINE.c.id == token.pipeline_id)
        if connection.execute(there).first() is None:
            raise NotFound("pipeline", str(token.pipeline_id))
    connection.execute(
        insert(TOKEN).values(
            id=token.id,
            name=token.name,
            scopes=" ".join(sorted(token.scopes)),
            digest=token.digest,
            team=token.team,
            pipeline_id=token.pipeline_id,
            created_at=token.created_at,
        )
    )
    count_up(connection)


def drop(connection: Connection, token_id: str) -> None:
    """Raises NotFound."""
    lock(connection)
    if connection.execute(delete(TOKEN).where(TOKEN.c.id == token_id)).rowcount != 1:
        raise NotFound("token", token_id)
    count_up(connection)


def listed(connection: Connection) -> tuple[Token, ...]:
    """The oldest first."""
    rows = connection.execute(select(TOKEN)).mappings()
    tokens = [Token(**{**row, "scopes": frozenset(map(Scope, row["scopes"].split()))}) for row in rows]
    return tuple(sorted(tokens, key=lambda token: (token.created_at, token.id)))
