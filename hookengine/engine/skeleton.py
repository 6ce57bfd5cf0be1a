"""The fixed shapes values are put into: a URL, a header value and a tree of JSON.

A shape is parsed before any value is seen. A value enters it encoded for its place, so that no value can
reach the host, add a segment, a parameter, a header or anything to the structure of JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from hookengine.domain.request import Part as RequestPart
from hookengine.domain.request import SecretRef, Text
from hookengine.guard.sandbox import NO_SEGMENT, EncodedText, Hole, Leaf, Part, PathText, Refusal, Run, text

MAX_URL: Final = 8 * 1024
MAX_HEADER: Final = 8 * 1024

_MARK: Final = "\ue000"
_UNFIT = re.compile(rf"[^\x21-\x7e{_MARK}]|\\")
_SHAPE = re.compile(r"(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?", re.IGNORECASE)
_AUTHORITY = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_HOST_VALUE = re.compile(rf"{_MARK}(:[0-9]{{1,5}})?")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._~/-]*")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]*")

Encode = Callable[[Run, Any], str]


def enter(run: Run, hole: Hole, encode: Encode = text) -> str:
    """The value for a hole as text, encoded for its place."""
    try:
        return encode(run, run.values[hole.slot])
    except Refusal as refusal:
        raise hole.site.error(refusal) from None
    except ValueError as error:
        raise hole.site.failure(error) from None


def text_of(run: Run, parts: Sequence[Part]) -> str:
    values = run.values
    words = [
        part
        if isinstance(part, str)
        else value
        if type(value := values[part.slot]) is str
        else enter(run, part)
        for part in parts
    ]
    try:
        run.emit(sum(map(len, words)))
    except Refusal as refusal:
        raise next(part for part in parts if isinstance(part, Hole)).site.error(refusal) from None
    return "".join(words)


# URLs


def _encoded(run: Run, value: Any) -> str:
    """One path segment, or the value of a query parameter."""
    if isinstance(value, EncodedText):
        encoded = str.__str__(value)
    else:
        encoded = value if type(value) is str else text(run, value)
        if len(encoded) > MAX_URL:
            raise Refusal("the value is too long for a URL")
        if not _UNRESERVED.fullmatch(encoded):
            encoded = quote(encoded, safe="")
    run.emit(len(encoded))
    return encoded


def _encoded_path(run: Run, value: Any) -> str:
    if type(value) is PathText and len(value) <= MAX_URL and _PLAIN_PATH.fullmatch(value):
        run.emit(len(value))
        return str.__str__(value)
    if isinstance(value, PathText):
        return "/".join([_encoded(run, segment) for segment in str.__str__(value).split("/")])
    return _encoded(run, value)


@dataclass(frozen=True, slots=True)
class Url:
    """`path` holds literal stretches and segments with holes, each with its leading slash."""

    leaf: Leaf
    origin: str
    host: Hole | None
    allowed_hosts: frozenset[str]
    path: tuple[str | tuple[Part, ...], ...]
    query: tuple[Part, ...]

    def fill(self, run: Run) -> str:
        out = [self.origin if self.host is None else self._origin(run, self.host)]
        out += [part if isinstance(part, str) else _segment(run, part) for part in self.path]
        out += [part if isinstance(part, str) else enter(run, part, _encoded) for part in self.query]
        url = "".join(out)
        if len(url) > MAX_URL:
            raise self.leaf.source.error(Refusal("the URL becomes longer than 8 KiB"))
        return url

    def _origin(self, run: Run, hole: Hole) -> str:
        host = enter(run, hole)
        if host not in self.allowed_hosts:
            raise hole.site.error(Refusal("the value is not one of the hosts allowed here"))
        return self.origin.replace(_MARK, host)


def _segment(run: Run, parts: tuple[Part, ...]) -> str:
    segment = "".join([part if isinstance(part, str) else enter(run, part, _encoded_path) for part in parts])
    if NO_SEGMENT.search(segment):
        hole = next(part for part in parts if isinstance(part, Hole))
        raise hole.site.error(Refusal("the value makes an empty, `.` or `..` segment of the path"))
    return segment


class UrlTemplate:
    """The URL of a hook. With statements in it, only its origin is known before it is rendered."""

    def __init__(self, leaf: Leaf, allow_host_values: Collection[str]) -> None:
        self._leaf, self._allowed_hosts = leaf, frozenset(allow_host_values)
        self._url = self._parsed(leaf.parts)
        if leaf.recording is not None and not (self._url.path or self._url.query):
            raise leaf.source.error(
                Refusal(
                    "scheme and host must be literal", "write https://host/ in front of the first {% tag %}"
                )
            )

    @property
    def known(self) -> str:
        """What is the same for every event: all of it, else scheme, host and port; nothing if not even the host."""
        if self._url.host is not None:
            return ""
        parts = (*self._url.path, *self._url.query)
        literal = [part for part in parts if isinstance(part, str)]
        whole = self._leaf.recording is None and len(literal) == len(parts)
        return self._url.origin + ("".join(literal) if whole else "/")

    def fill(self, run: Run) -> str:
        if self._leaf.recording is None:
            return self._url.fill(run)
        return self._parsed(self._leaf.parts_in(run)).fill(run)

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
        host = self._host(authority, remaining)
        return Url(
            leaf=self._leaf,
            origin=f"{scheme.lower()}://{authority}",
            host=host,
            allowed_hosts=self._allowed_hosts,
            path=self._path(path, remaining),
            query=self._query(query, remaining),
        )

    def _host(self, authority: str, holes: Any) -> Hole | None:
        if _MARK in authority:
            hole: Hole = next(holes)
            if self._allowed_hosts and _HOST_VALUE.fullmatch(authority):
                return hole
            raise hole.site.error(Refusal("values are not allowed in the host part of a URL", _HOST_HINT))
        if "@" in authority:
            raise self._wrong("a URL has no user or password", "use an Authorization header")
        if not _AUTHORITY.fullmatch(authority):
            raise self._wrong("the URL has no valid host", "international names are written as xn--...")
        return None

    def _path(self, path: str, holes: Any) -> tuple[str | tuple[Part, ...], ...]:
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

    def _query(self, query: str | None, holes: Any) -> tuple[Part, ...]:
        for pair in (query or "").split("&"):
            if _MARK in pair.partition("=")[0]:
                raise next(holes).site.error(Refusal("a query key is literal", "write ?key={{ value }}"))
        return () if query is None else _put_back("?" + query, holes)

    def _wrong(self, message: str, hint: str = "") -> Exception:
        return self._leaf.source.error(Refusal(message, hint))


_HOST_HINT: Final = "write the host, or put the whole base URL into a parameter at the start"


def _with_base(parts: Sequence[Part]) -> Sequence[Part]:
    """A constant parameter at the very start is literal text."""
    if not parts or not isinstance(parts[0], Hole) or parts[0].constant is None:
        return parts
    base, rest = parts[0].constant, parts[1:]
    if base.endswith("/") and rest and isinstance(rest[0], str) and rest[0].startswith("/"):
        base = base[:-1]
    return [base, *rest]


def _put_back(shape: str, holes: Any) -> tuple[Part, ...]:
    """Literals and holes in turn, from a shape with marks."""
    parts: list[Part] = []
    for number, literal in enumerate(shape.split(_MARK)):
        if number:
            parts.append(next(holes))
        if literal:
            parts.append(literal)
    return tuple(parts)


# Headers


def header_value(run: Run, leaf: Leaf) -> Text:
    """Printable ASCII with holes for secrets, trimmed. No error says what the value was."""
    pieces: list[RequestPart] = []
    words, length = "", 0
    for part in leaf.parts_in(run):
        if isinstance(part, str):
            entered = part if leaf.recording is None else printable(part, leaf)
        else:
            value = run.values[part.slot]
            if isinstance(value, SecretRef):
                pieces += (words, value)
                words = ""
                continue
            entered = printable(value if type(value) is str else enter(run, part), part)
        length += len(entered)
        if length > MAX_HEADER:
            raise leaf.source.error(Refusal("the value of a header cannot be longer than 8 KiB"))
        words += entered
    pieces.append(words)
    return _trimmed(pieces)


def printable(words: str, place: Leaf | Hole) -> str:
    if words.isascii() and words.isprintable():
        return words
    problem = "a control character, such as a line end" if words.isascii() else "a character beyond ASCII"
    refusal = Refusal(f"the value of a header cannot hold {problem}")
    raise (place.site.error if isinstance(place, Hole) else place.source.error)(refusal)


def literal_header(leaf: Leaf) -> Text | None:
    """A header value that is the same for every event; None if it has holes."""
    words = [printable(part, leaf) for part in leaf.parts if isinstance(part, str)]
    if sum(map(len, words)) > MAX_HEADER:
        raise leaf.source.error(Refusal("the value of a header cannot be longer than 8 KiB"))
    if leaf.recording is not None or len(words) < len(leaf.parts):
        return None
    return _trimmed(["".join(words)])


def _trimmed(pieces: list[RequestPart]) -> Text:
    for end, strip in ((0, str.lstrip), (-1, str.rstrip)):
        piece = pieces[end]
        if isinstance(piece, str):
            pieces[end] = strip(piece)
    return tuple([piece for piece in pieces if piece])
