"""Where the templates of a hook read secrets: told when the hook is written, not by the first event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from hookengine.errors import TemplateError
from hookengine.guard.permissions import Permissions
from hookengine.guard.sandbox import Leaf, Read, Refusal

MayHold = Callable[[str], bool]
"""Whether the secret of this name may stand in the hook's body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretUse:
    """The templates of one hook by their places; `host` is None if values decide it."""

    host: str | None
    headers: Sequence[Leaf]
    json_body: Sequence[Leaf]
    elsewhere: Sequence[tuple[str, Leaf]]

    def check(self, permissions: Permissions, may_hold: MayHold) -> None:
        """Raises TemplateError for a secret in a place, or towards a host, that no event could make right."""
        for place, leaf in self.elsewhere:
            for path, read in _secrets(permissions, [leaf]):
                raise _refused(
                    read, f"{path} is a secret: it may not stand in {place}", "it may be sent in a header"
                )
        for path, read in _secrets(permissions, self.json_body):
            if not may_hold(path):
                raise _refused(read, f"{path} is a secret: it may not stand in a body", _how_to_allow(path))
        for path, read in _secrets(permissions, [*self.headers, *self.json_body]):
            refusal = None if self.host is None else permissions.refusal(path, self.host)
            if refusal is not None:
                raise _refused(read, *refusal)


def _secrets(permissions: Permissions, leaves: Iterable[Leaf]) -> Iterator[tuple[str, Read]]:
    for leaf in leaves:
        for read in leaf.reads:
            if permissions.is_secret(read.path):
                yield read.path, read


def _how_to_allow(path: str) -> str:
    if path.startswith("secrets."):
        return f"send it in a header; an operator can allow it here with {path}.in_bodies: true"
    return "send it in a header"


def _refused(read: Read, message: str, hint: str) -> TemplateError:
    return read.site.error(Refusal(message, hint))
