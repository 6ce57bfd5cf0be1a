"""API tokens, cared for by a command beside the nodes. These functions block."""

from __future__ import annotations

from collections.abc import Iterable

from hookengine.domain.clock import SystemClock
from hookengine.domain.token import Token
from hookengine.engine.token_desk import make_token
from hookengine.store.cold import tokens
from hookengine.store.migrations import connected


def create_token(
    url: str, name: str, scopes: Iterable[str], team: str | None, pipeline_id: int | None
) -> tuple[Token, str]:
    """As TokenDesk.create. Raises InvalidToken, NotFound, StoreError."""
    token, text = make_token(name, scopes, team, pipeline_id, SystemClock().now())
    connected(url, lambda connection: tokens.keep(connection, token), writes=True)
    return token, text


def list_tokens(url: str) -> tuple[Token, ...]:
    return connected(url, tokens.listed)


def revoke_token(url: str, token_id: str) -> None:
    """Raises NotFound, StoreError."""
    connected(url, lambda connection: tokens.drop(connection, token_id), writes=True)
