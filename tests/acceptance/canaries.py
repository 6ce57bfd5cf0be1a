"""Secrets that are planted so that they can be looked for, in every spelling."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus


def forms_of(canary: str) -> Iterator[bytes]:
    """As it may stand somewhere: plain, escaped, percent-encoded, in hex, in base64 at any offset."""
    plain = canary.encode()
    for text in (
        canary,
        json.dumps(canary)[1:-1],
        repr(canary)[1:-1],
        quote(canary, safe=""),
        quote_plus(canary),
    ):
        yield text.encode()
        yield json.dumps(text)[1:-1].encode()
    yield canary.replace("/", "\\/").encode()
    yield plain.hex().encode()
    yield plain.hex().upper().encode()
    for before in range(3):
        encoded = base64.b64encode(b"x" * before + plain)[4 if before else 0 : -4]
        yield encoded
        yield encoded.translate(bytes.maketrans(b"+/", b"-_"))


def found_in(haystacks: Mapping[str, bytes], planted: Iterable[str]) -> list[tuple[str, str]]:
    """(place, canary) of what lies in the open."""
    canaries = list(planted)
    return [
        (place, canary)
        for place, content in haystacks.items()
        for canary in canaries
        if any(form in content for form in forms_of(canary))
    ]
