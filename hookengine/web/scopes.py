"""Which scope a token needs for what. What no rule is about is the admin's."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from hookengine.domain.token import Scope


class _Rule(NamedTuple):
    """`read` is for GET and HEAD, `write` for all other methods; None: any token will do."""

    path: re.Pattern[str]
    read: Scope | None
    write: Scope | None


def _rule(path: str, read: Scope | None, write: Scope | None) -> _Rule:
    return _Rule(re.compile(path), read, write)


_SEEN, _REPLAYED = Scope.DELIVERIES_READ, Scope.DELIVERIES_REPLAY

_RULES: Final = (  # the first that fits counts
    _rule(r"/api/events", _SEEN, Scope.EMIT),
    _rule(r"/api/events/explain", _SEEN, _SEEN),
    _rule(r"/api/(events|actions|deliveries|commits|deployments|replays)(/.*)?", _SEEN, _REPLAYED),
    _rule(r"/api/hooks/preview|/api/hooks/[^/]+/preview", Scope.HOOKS_READ, Scope.HOOKS_READ),
    _rule(r"/api/(hooks|incoming-hooks|pipelines|apply|export)(/.*)?", Scope.HOOKS_READ, Scope.HOOKS_WRITE),
    _rule(r"/hooks/(incoming|outgoing)/[^/]+/requests|/hook-requests/[^/]+", _SEEN, _SEEN),
    _rule(r"/(hooks|pipelines|applications)/.*", Scope.HOOKS_READ, Scope.HOOKS_WRITE),
    _rule(r"/api/(sources/.*|deployment-events)|/v1/custom-cicd", Scope.EMIT, Scope.EMIT),
    _rule(r"/api/secrets(/.*)?", Scope.SECRETS_WRITE, Scope.SECRETS_WRITE),
    _rule(r"/metrics|/openapi\.json", None, None),
)
_READS: Final = frozenset({"GET", "HEAD"})


def scope_of(method: str, path: str) -> Scope | None:
    for rule in _RULES:
        if rule.path.fullmatch(path):
            return rule.read if method in _READS else rule.write
    return Scope.ADMIN
