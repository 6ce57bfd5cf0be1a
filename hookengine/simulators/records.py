"""What a simulator keeps: the requests that came, the answers given, the entries shown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote


class Place(NamedTuple):
    """Where an entry hangs. It equals the plain tuple of its parts."""

    repository: str
    sha: str
    context: str


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What people see at one place, in the host's own words; `history` has every state it accepted there."""

    context: str
    state: str
    description: str | None = None
    url: str | None = None
    history: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer of the host. A `str` goes out as plain text, anything else as JSON."""

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request as it came over the wire.

    `path` is still percent-encoded and without its query, `headers` have lower-case names, `at` is in
    milliseconds since the epoch. `body` is the JSON object or the form that was sent, and empty when it
    was neither. `status` stays None until the host has answered, and for ever when it hung up (`dropped`).
    `abandoned`: the sender hung up first.
    """

    number: int
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    content: bytes
    at: int
    body: Mapping[str, Any] = field(init=False)
    status: int | None = None
    dropped: bool = False
    abandoned: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "body", self._parsed())

    @property
    def segments(self) -> list[str]:
        """Path parts, each decoded once and only after splitting: an encoded slash does not separate."""
        return [unquote(part) for part in self.path.removeprefix("/").split("/")]

    @property
    def parameters(self) -> dict[str, str]:
        """The query. Of a repeated name the last value counts."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def is_form(self) -> bool:
        return self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")

    def json(self) -> Any:
        """Raises ValueError when the content is not JSON; nothing sent counts as an empty object."""
        return json.loads(self.content) if self.content.strip() else {}

    def _parsed(self) -> Mapping[str, Any]:
        if self.is_form:
            return dict(parse_qsl(self.content.decode("utf-8", "replace"), keep_blank_values=True))
        try:
            parsed = self.json()
        except ValueError:
            return {}
        return parsed if isinstance(parsed, dict) else {}
