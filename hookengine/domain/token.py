"""API tokens: who may come in, what for, and whose pipelines they get to see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hookengine.domain import views
from hookengine.domain.clock import Millis, as_text
from hookengine.domain.pipeline import Pipeline
from hookengine.errors import InvalidToken

LONGEST_NAME: Final = 100
LONGEST_TEAM: Final = 80
LARGEST_PIPELINE: Final = 2**53


class Scope(StrEnum):
    EMIT = "emit"  #: send events
    HOOKS_READ = "hooks:read"  #: see pipelines and hooks, and preview what hooks render
    HOOKS_WRITE = "hooks:write"  #: define pipelines and hooks
    SECRETS_WRITE = "secrets:write"  #: set and delete secrets
    DELIVERIES_READ = "deliveries:read"  #: see events, deliveries and attempts
    DELIVERIES_REPLAY = "deliveries:replay"  #: replay and cancel deliveries
    ADMIN = "admin"  #: everything, tokens included


_IMPLIED: Final[Mapping[Scope, frozenset[Scope]]] = {
    Scope.HOOKS_WRITE: frozenset({Scope.HOOKS_READ}),
    Scope.DELIVERIES_REPLAY: frozenset({Scope.DELIVERIES_READ}),
    Scope.ADMIN: frozenset(Scope),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """All there is to know of one but its text, of which only `digest` is kept: SHA-256 in hex.

    With a `team` it gets to see that team's pipelines only, with a `pipeline_id` that one only.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    digest: str
    team: str | None = None
    pipeline_id: int | None = None
    created_at: Millis = 0

    def allows(self, scope: Scope) -> bool:
        return scope in self.scopes or any(scope in _IMPLIED.get(own, ()) for own in self.scopes)

    @property
    def is_bound(self) -> bool:
        return self.team is not None or self.pipeline_id is not None

    def shown(self) -> views.Token:
        """All but the digest, in plain JSON values."""
        return {
            "id": self.id,
            "name": self.name,
            "scopes": sorted(self.scopes),
            "team": self.team,
            "pipeline": self.pipeline_id,
            "created_at": as_text(self.created_at),
        }

    def covers(self, pipeline: Pipeline) -> bool:
        return self.team in (None, pipeline.team) and self.pipeline_id in (None, pipeline.id)


ANYBODY: Final = Token(id="", name="anybody", scopes=frozenset({Scope.ADMIN}), digest="")
"""Who comes in where no token is asked for."""


def scopes_from(names: Iterable[str]) -> frozenset[Scope]:
    """Raises InvalidToken."""
    names = list(names)
    unknown = [name for name in names if name not in set(Scope)]
    if unknown or not names:
        known = ", ".join(Scope)
        said = f"there is no scope {unknown[0]!r}" if unknown else "a token needs a scope"
        raise InvalidToken(f"{said}; the scopes are {known}")
    return frozenset(map(Scope, names))


def checked_binding(scopes: frozenset[Scope], team: str | None, pipeline_id: int | None) -> None:
    """An admin is one for all pipelines; nobody's pipelines are no team's. Raises InvalidToken."""
    if team is not None and not (0 < len(team) <= LONGEST_TEAM and team.isprintable()):
        raise InvalidToken(f"the team of a token has 1 to {LONGEST_TEAM} printable characters")
    if pipeline_id is not None and not 0 < pipeline_id <= LARGEST_PIPELINE:
        raise InvalidToken(f"the pipeline of a token is its id, from 1 to {LARGEST_PIPELINE}")
    if team is not None and pipeline_id is not None:
        raise InvalidToken("a token is bound to a team or to a pipeline, not to both")
    if Scope.ADMIN in scopes and (team is not None or pipeline_id is not None):
        raise InvalidToken(
            "an admin's token is not bound to a team or a pipeline; give it the scopes it needs"
        )


def checked_name(name: str) -> str:
    """Raises InvalidToken."""
    if not 0 < len(name.strip()) <= LONGEST_NAME or not name.isprintable():
        raise InvalidToken(f"the name of a token has 1 to {LONGEST_NAME} printable characters")
    return name.strip()
