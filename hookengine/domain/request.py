"""The request a hook makes: final except for its named holes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import orjson

from hookengine.domain import views
from hookengine.domain.capture import Capture, Captured, CaptureRef, Capturing, fill_url
from hookengine.domain.confirmation import Reading
from hookengine.domain.struct import struct

Form = Literal["plain", "base64", "json"]

_ADDRESS = re.compile(r"(?:[^:/?#]+:)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?")
"""RFC 3986, appendix B. It matches any text; whether that is a URL to call was judged when it was rendered."""


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A hole for a secret, filled at send time and only towards hosts of its audience.

    `name` is `secrets.NAME` for a named secret, `context:PIPELINE:PATH` for one that came with an event.
    In the form `json` it stands within a string of a JSON text, and is escaped for that.
    """

    name: str
    form: Form = "plain"
    prefix: str = ""  # set before the secret inside the encoding: `user:` for Basic authentication

    def __str__(self) -> str:
        return f"<{self.name}>"


def as_json(secret: SecretRef) -> SecretRef:
    """The same within a string of JSON: base64 needs no escaping there."""
    return replace(secret, form="json") if secret.form == "plain" else secret


Hole = SecretRef | CaptureRef
Part = str | Hole
Text = tuple[Part, ...]
"""Literal text and holes in turn."""


class Address(NamedTuple):
    """The parts of a URL. `host` is in lower case and has the port, where there is one."""

    host: str
    path: str
    query: str


@lru_cache(maxsize=512)
def address_of(url: str) -> Address:
    found = _ADDRESS.match(url)
    host, path, query = found.groups("") if found else ("", "", "")
    return Address(host.lower(), path, query)


@struct()
class RenderedRequest:
    """Method, URL, headers and body with nothing left to fill in but named holes. The URL has none for secrets;
    those for captures stand in it as their texts. `capturing` is None where nothing is captured, `confirming`
    where nobody asks what came of it.
    """

    method: str
    url: str
    headers: tuple[tuple[str, Text], ...] = ()
    body: Text | None = None
    capturing: Capturing | None = None
    confirming: Confirming | None = None

    @property
    def secrets(self) -> frozenset[str]:
        """The names of the secrets it needs."""
        texts = [*[value for _, value in self.headers], self.body or ()]
        return frozenset([part.name for text in texts for part in text if type(part) is SecretRef])

    def with_captured(self, captured: Captured) -> RenderedRequest:
        """The same with its holes for captures filled. Raises CaptureMissing."""
        if self.capturing is None:
            return self
        return replace(
            self,
            url=fill_url(self.url, captured),
            headers=tuple((name, _with_captured(value, captured)) for name, value in self.headers),
            body=None if self.body is None else _with_captured(self.body, captured),
        )

    def filled(self, fill: Callable[[Hole], str]) -> tuple[tuple[tuple[str, str], ...], bytes]:
        """Headers and body as they go out, with every hole given to `fill`."""
        headers = tuple([(name, fill_text(value, fill)) for name, value in self.headers])
        return headers, fill_text(self.body or (), fill).encode()

    def shown(self) -> views.Request:
        """For people: secrets appear as their names in angle brackets."""
        return {
            "method": self.method,
            "url": self.url,
            "headers": [{"name": name, "value": fill_text(value, str)} for name, value in self.headers],
            "body": None if self.body is None else fill_text(self.body, str),
        }

    def to_json(self) -> str:
        """Equal requests have equal texts, whatever their secrets are by the time they are sent."""
        headers = [[name, _parts_out(value)] for name, value in self.headers]
        body = None if self.body is None else _parts_out(self.body)
        more = {}
        if self.capturing is not None:
            more["capturing"] = asdict(self.capturing)
        if self.confirming is not None:
            more["confirming"] = {
                **asdict(self.confirming.reading),
                "request": self.confirming.request.to_json(),
            }
        return orjson.dumps([self.method, self.url, headers, body, *([more] if more else [])]).decode()

    @classmethod
    def from_json(cls, text: str) -> RenderedRequest:
        method, url, headers, body, *more = orjson.loads(text)
        return cls(
            method=method,
            url=url,
            headers=tuple((name, _parts_in(value)) for name, value in headers),
            body=None if body is None else _parts_in(body),
            capturing=_capturing(more[0]) if more and "capturing" in more[0] else None,
            confirming=_confirming(more[0]) if more and "confirming" in more[0] else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirming:
    """How the target is asked what it shows, and where its answer tells."""

    request: RenderedRequest
    reading: Reading


def fill_text(text: Text, fill: Callable[[Hole], str]) -> str:
    if len(text) == 1 and isinstance(text[0], str):
        return text[0]
    return "".join([part if isinstance(part, str) else fill(part) for part in text])


def _parts_out(text: Text) -> list[Any]:
    return [part if isinstance(part, str) else _hole_out(part) for part in text]


def _parts_in(parts: list[Any]) -> Text:
    return tuple(part if isinstance(part, str) else _hole_in(part) for part in parts)


def _hole_out(hole: Hole) -> Any:
    return [hole.name, hole.form, hole.prefix] if isinstance(hole, SecretRef) else asdict(hole)


def _hole_in(hole: Any) -> Hole:
    return SecretRef(*hole) if isinstance(hole, list) else CaptureRef(**hole)


def _confirming(more: dict[str, Any]) -> Confirming:
    values = more["confirming"]
    request = RenderedRequest.from_json(values.pop("request"))
    match = tuple((path, text) for path, text in values.pop("match"))
    return Confirming(request=request, reading=Reading(match=match, **values))


def _capturing(more: dict[str, Any]) -> Capturing:
    values = more["capturing"]
    return Capturing(
        takes=tuple(Capture(**capture) for capture in values["takes"]), uses=tuple(values["uses"])
    )


def _with_captured(text: Text, captured: Captured) -> Text:
    return tuple(part.filled(captured) if isinstance(part, CaptureRef) else part for part in text)
