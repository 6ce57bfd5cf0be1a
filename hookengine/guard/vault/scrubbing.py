"""Secrets go into requests, and are taken out of answers."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from urllib.parse import quote

from hookengine.domain.request import SecretRef

_SHORTEST_SCRUBBED = 6
_TELLING = 64  # characters that nothing but this secret begins with
_KEPT = 4096  # characters of secrets whose forms are kept: of longer ones they would fill the memory
_REMOVED = "[secret]"

_BASE64_FOR_URLS = str.maketrans("+/", "-_")
_TRIPLET = re.compile("%[0-9A-F]{2}")
_FIT_FOR_HTML = {ord(letter): f"\\u{ord(letter):04x}" for letter in "&<>"}
_FIT_FOR_ALL = {ord(letter): f"\\u{ord(letter):04X}" for letter in "&<>'+`"}
_SHORTEST_INSIDE = 12  # bytes, of which enough is left when what its neighbours share is cut off


def fill(ref: SecretRef, values: Mapping[str, str]) -> str:
    value = ref.prefix + values[ref.name]
    if ref.form == "json":
        return json.dumps(value, ensure_ascii=False)[1:-1]
    return base64.b64encode(value.encode()).decode() if ref.form == "base64" else value


def scrub(text: str, values: Iterable[str], *, cut: bool = False) -> str:
    """Take secrets out of what a target answered, also in base64, percent-encoded, in hex and escaped for JSON.

    `cut`: the text goes on where nobody has read; then the beginning of a secret is taken off its end too.
    """
    longest = sys.maxsize if cut else len(text)  # no form of a value is shorter than the value
    known = frozenset([value for value in values if _SHORTEST_SCRUBBED <= len(value) <= longest])
    if not (known or cut):
        return text
    kept = sum(map(len, known)) <= _KEPT
    longest_first = _forms(known) if kept else _forms.__wrapped__(known)
    for form in longest_first:
        text = text.replace(form, _REMOVED)
    if not cut:
        return text
    text = text.rstrip("\N{REPLACEMENT CHARACTER}")
    begun = max((_begun_at_the_end(text, form) for form in longest_first), default=0)
    return text[:-begun] + _REMOVED if begun else text


@lru_cache(maxsize=256)
def _forms(values: frozenset[str]) -> tuple[str, ...]:
    """The longest first."""
    return tuple(sorted({form for value in values for form in _each_form(value)}, key=len, reverse=True))


def _each_form(value: str) -> Iterator[str]:
    plain = value.encode()
    encoded = base64.b64encode(plain).decode()
    yield from (value, plain.hex(), plain.hex().upper())
    yield from _percent_encoded(value)
    yield from _escaped_for_json(value)
    inside = _inside_base64(plain) if len(plain) >= _SHORTEST_INSIDE else ()
    for form in (encoded, encoded.rstrip("="), *inside):
        yield from (form, form.translate(_BASE64_FOR_URLS))


def _percent_encoded(value: str) -> Iterator[str]:
    """As Python, paths and JavaScript have it, and with small letters, as .NET does."""
    for kept in ("", "/", "!'()*"):
        encoded = quote(value, safe=kept)
        yield from (encoded, _TRIPLET.sub(lambda found: found[0].lower(), encoded))


def _escaped_for_json(value: str) -> Iterator[str]:
    """As most do it, as PHP, as Go and Rails, and as .NET does."""
    escaped = json.dumps(value)[1:-1]
    yield from (escaped, escaped.replace("/", "\\/"), escaped.translate(_FIT_FOR_HTML))
    yield escaped.replace('\\"', "\\u0022").translate(_FIT_FOR_ALL)


def _inside_base64(plain: bytes) -> Iterator[str]:
    """What base64 of a longer text shows of it, wherever in there it begins."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + plain).decode()
        yield encoded[4 if before else 0 : len(encoded) - (4 if (before + len(plain)) % 3 else 0)]


def _begun_at_the_end(text: str, form: str) -> int:
    """How many characters of the text's end begin the form; 0 if too few to be of use to anybody."""
    if len(form) > _TELLING:
        begun = text.find(form[:_TELLING], max(len(text) - len(form) + 1, 0))
        if begun >= 0:
            return len(text) - begun
    sizes = range(min(len(form) - 1, _TELLING - 1, len(text)), _SHORTEST_SCRUBBED // 2, -1)
    return next((size for size in sizes if text.endswith(form[:size])), 0)
