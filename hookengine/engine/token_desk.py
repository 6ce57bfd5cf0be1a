"""Where API tokens are made and revoked: a token's text is shown once, to whoever made it."""

from __future__ import annotations

from collections.abc import Iterable

from hookengine.domain.clock import Clock, Millis
from hookengine.domain.token import Token, checked_binding, checked_name, scopes_from
from hookengine.engine.reloading import Reloader
from hookengine.guard.tokens import new_token
from hookengine.store.care import Definitions
from hookengine.store.contract import Store


class TokenDesk:
    def __init__(self, store: Store, reloader: Reloader, clock: Clock) -> None:
        self._store = store
        self._reloader = reloader
        self._clock = clock

    async def create(
        self, name: str, scopes: Iterable[str], *, team: str | None = None, pipeline_id: int | None = None
    ) -> tuple[Token, str]:
        """The token and its text. Other nodes know it within a second. Raises InvalidToken, NotFound, StoreError."""
        token, text = make_token(name, scopes, team, pipeline_id, self._clock.now())
        await self._store.keep_token(token)
        await self._reloader.reload()
        return token, text

    async def list(self) -> tuple[Token, ...]:
        """The oldest first. Raises StoreError."""
        _, definitions = await self._store.definitions()
        return (definitions or Definitions()).tokens

    async def revoke(self, token_id: str) -> None:
        """It lets nobody in any more, on other nodes within a second. Raises NotFound, StoreError."""
        await self._store.drop_token(token_id)
        await self._reloader.reload()


def make_token(
    name: str, scopes: Iterable[str], team: str | None, pipeline_id: int | None, now: Millis
) -> tuple[Token, str]:
    """A new token and its text. Raises InvalidToken."""
    known = scopes_from(scopes)
    checked_binding(known, team, pipeline_id)
    text, token_id, digest = new_token()
    token = Token(
        id=token_id,
        name=checked_name(name),
        scopes=known,
        digest=digest,
        team=team,
        pipeline_id=pipeline_id,
        created_at=now,
    )
    return token, text
