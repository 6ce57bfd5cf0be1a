"""The fixed shape of a URL, parsed before any value is seen.

A value enters it encoded for its place: it cannot reach the host, add a segment or a parameter. Only where
the operator has listed hosts may a value be the whole host, and then it is one of these.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from hookengine.domain.capture import CaptureRef, without_captures
from hookengine.engine.json_body import is_captured
from hookengine.engine.skeleton import enter
from hookengine.errors import TemplateError
from hookengine.guard.hostname import Refused
from hookengine.guard.permissions import Permissions
from hookengine.guard.sandbox import NO_SEGMENT, EncodedText, Hole, Leaf, Part, PathText, Refusal, Run, text
from hookengine.guard.url import Target, check_url

MAX_URL: Final = 8 * 1024

_MARK: Final = "\ue000"
_UNFIT = re.compile(rf"[^\x21-\x7e{_MARK}]|\\")
_SHAPE = re.compile(r"(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?", re.IGNORECASE)
_AUTHORITY = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_HOST_VALUE = re.compile(rf"{_MARK}(:[0-9]{{1,5}})?")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._~/-]*")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]*")
_ENCODED: Final = tuple(quote(bytes([byte]), safe="") for byte in range(256))
_SENT_AS_IT_IS = re.compile(r"/[!$-;=?-\[\]^_a-z|~]*")
"""Path and query of which `check_url` would change nothing, if no segment begins with a dot."""


def _encoded(run: Run, value: Any) -> str:
    """One path segment, or the value of a query parameter."""
    if isinstance(value, CaptureRef):
        return str(value)
    if isinstance(value, EncodedText):
        encoded = str.__str__(value)
    else:
        encoded = value if type(value) is str else text(run, value)
        if len(encoded) > MAX_URL:
            raise Refusal("the value is too long for a URL")
        if not _UNRESERVED.fullmatch(encoded):
            encoded = "".join([_ENCODED[byte] for byte in encoded.encode()])
    run.emit(len(encoded))
    return encoded


def _encoded_path(run: Run, value: Any) -> str:
    if isinstance(value, PathText):
        return "/".join([_encoded(run, segment) for segment in str.__str__(value).split("/")])
    return _encoded(run, value)


def _needs_no_encoding(value: Any) -> bool:
    """Whether it is one segment as it stands; or several, which `path` has looked at."""
    if type(value) is str:
        return 0 < len(value) <= MAX_URL and value[0] != "." and _UNRESERVED.fullmatch(value) is not None
    return type(value) is PathText and len(value) <= MAX_URL and _PLAIN_PATH.fullmatch(value) is not None


def _segment(run: Run, parts: tuple[Part, ...]) -> str:
    if len(parts) == 2 and parts[0] == "/" and isinstance(parts[1], Hole):
        value = run.values[parts[1].slot]
        if _needs_no_encoding(value):
            run.emit(len(value))
            return f"/{value}"
    segment = "".join([part if isinstance(part, str) else enter(run, part, _encoded_path) for part in parts])
    if NO_SEGMENT.search(segment):
        hole = next(part for part in parts if isinstance(part, Hole))
        raise hole.site.error(Refusal("the value makes an empty, `.` or `..` segment of the path"))
    return segment


@dataclass(frozen=True, slots=True)
class Url:
    """`origin`, such as https://api.github.com, is None where a value is the host. `path` holds literal stretches
    and segments with holes, each with its leading slash.
    """

    origin: str | None
    host: str | None
    authority: tuple[Part, ...]
    path: tuple[str | tuple[Part, ...], ...]
    query: tuple[Part, ...]

    def path_and_query(self, run: Run) -> str:
        out = [part if isinstance(part, str) else _segment(run, part) for part in self.path]
        out += [part if isinstance(part, str) else enter(run, part, _encoded) for part in self.query]
        return "".join(out)


class UrlTemplate:
    """The URL of a hook. With statements in it, only its origin is known before it is rendered."""

    def __init__(self, leaf: Leaf, permissions: Permissions) -> None:
        self._leaf, self._permissions = leaf, permissions
        self._captures = any(is_captured(read.path) for read in leaf.reads)
        self._url = self._parsed(leaf.parts)
        if leaf.recording is not None and not (self._url.path or self._url.query):
            raise leaf.source.error(
                Refusal(
                    "scheme and host must be literal", "write https://host/ in front of the first {% tag %}"
                )
            )

        if leaf.recording is None and not any(isinstance(part, Hole) for part in _with_base(leaf.parts)):
            self._judged("".join(map(str, _with_base(leaf.parts))))

    @property
    def host(self) -> str | None:
        """None if values decide it."""
        return self._url.host

    def fill(self, run: Run) -> str:
        """Judged once more as a whole; what was literal and fine when it was prepared is not read again."""
        url = self._url if self._leaf.recording is None else self._parsed(self._leaf.parts_in(run))
        rest = url.path_and_query(run)
        if self._captures:
            return self._with_captures(url.origin, rest)
        if url.origin is not None and _SENT_AS_IT_IS.fullmatch(rest) and "/." not in rest:
            filled = url.origin + rest
            if len(filled) > MAX_URL:
                raise self._wrong("the URL becomes longer than 8 KiB")
            return filled
        return self._judged(self._origin_in(run, url) + rest).url

    def _with_captures(self, origin: str | None, rest: str) -> str:
        """Its holes stand in it until it is sent, and nothing else that would have to be encoded."""
        filled = without_captures(rest)
        if origin is None or not _SENT_AS_IT_IS.fullmatch(filled) or "/." in filled:
            raise self._wrong("a URL with captured values must be literal and encoded up to them")
        if len(origin + filled) > MAX_URL:
            raise self._wrong("the URL becomes longer than 8 KiB")
        return origin + rest

    def _origin_in(self, run: Run, url: Url) -> str:
        if url.origin is not None:
            return url.origin
        return "".join(
            [part if isinstance(part, str) else self._host_value(run, part) for part in url.authority]
        )

    def _host_value(self, run: Run, hole: Hole) -> str:
        host = enter(run, hole)
        if host not in self._permissions.host_values:
            hint = "an operator lists them in delivery.allow_host_values"
            raise hole.error(Refusal("the value is not one of the hosts that a value may name", hint))
        return host

    def _judged(self, url: str) -> Target:
        try:
            return check_url(url, self._permissions.addresses)
        except Refused as refused:
            raise self._wrong(str(refused)) from None

    def _parsed(self, parts: Sequence[Part]) -> Url:
        parts = _with_base(parts)
        holes = [part for part in parts if isinstance(part, Hole)]
        shape = "".join(part if isinstance(part, str) else _MARK for part in parts)
        if shape.count(_MARK) != len(holes) or _UNFIT.search(shape):
            raise self._wrong("the URL has a blank, a backslash or another character that must be encoded")
        if "#" in shape:
            raise self._wrong("a URL to call has no fragment", "encode # as %23")
        found = _SHAPE.fullmatch(shape)
        if found is None:
            raise self._wrong("the URL must start with a literal http:// or https:// and a host")
        scheme, authority, path, query = found.groups()
        remaining = iter(holes)
        origin = None if _MARK in authority else self._origin(scheme, authority)
        return Url(
            origin=None if origin is None else origin.url[:-1],
            host=None if origin is None else origin.host,
            authority=() if origin else self._open_authority(scheme, authority, remaining),
            path=self._path(path, remaining),
            query=self._query(query, remaining),
        )

    def _origin(self, scheme: str, authority: str) -> Target:
        if "@" in authority:
            raise self._wrong("a URL has no user or password", "use an Authorization header")
        if not _AUTHORITY.fullmatch(authority):
            raise self._wrong("the URL has no valid host", "international names are written as xn--...")
        return self._judged(f"{scheme}://{authority}/")

    def _open_authority(self, scheme: str, authority: str, holes: Iterator[Hole]) -> tuple[Part, ...]:
        """With a value as the host, where the operator has listed which."""
        if not self._permissions.host_values or not _HOST_VALUE.fullmatch(authority):
            refusal = Refusal("values are not allowed in the host part of a URL", _HOST_HINT)
            raise next(holes).error(refusal)
        return (f"{scheme.lower()}://", *_put_back(authority, holes))

    def _path(self, path: str, holes: Iterator[Hole]) -> tuple[str | tuple[Part, ...], ...]:
        stretches: list[str | tuple[Part, ...]] = []
        for segment in path.split("/")[1:]:
            if _MARK in segment:
                stretches.append(_put_back("/" + segment, holes))
                continue
            if segment.lower().replace("%2e", ".") in (".", ".."):
                raise self._wrong("the URL has a `.` or `..` segment")
            before = stretches.pop() if stretches and isinstance(stretches[-1], str) else ""
            stretches.append(f"{before}/{segment}")
        return tuple(stretches)

    def _query(self, query: str | None, holes: Iterator[Hole]) -> tuple[Part, ...]:
        for pair in (query or "").split("&"):
            if _MARK in pair.partition("=")[0]:
                raise next(holes).error(Refusal("a query key is literal", "write ?key={{ value }}"))
        return () if query is None else _put_back("?" + query, holes)

    def _wrong(self, message: str, hint: str = "") -> TemplateError:
        return self._leaf.source.error(Refusal(message, hint))


_HOST_HINT: Final = (
    "write the host, or put the whole base URL into a parameter at the start; "
    "an operator can list hosts that values may name in delivery.allow_host_values"
)


def _with_base(parts: Sequence[Part]) -> Sequence[Part]:
    """A constant parameter at the very start is literal text."""
    if not parts or not isinstance(parts[0], Hole) or parts[0].constant is None:
        return parts
    base, rest = parts[0].constant, parts[1:]
    if base.endswith("/") and rest and isinstance(rest[0], str) and rest[0].startswith("/"):
        base = base[:-1]
    return [base, *rest]


def _put_back(shape: str, holes: Iterator[Hole]) -> tuple[Part, ...]:
    """Literals and holes in turn, from a shape with marks."""
    parts: list[Part] = []
    for number, literal in enumerate(shape.split(_MARK)):
        if number:
            parts.append(next(holes))
        if literal:
            parts.append(literal)
    return tuple(parts)
