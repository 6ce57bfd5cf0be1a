"""Values entering texts and the values of headers: text without structure, which no value can end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from hookengine.domain.capture import CaptureRef
from hookengine.domain.request import Part as RequestPart
from hookengine.domain.request import SecretRef, Text
from hookengine.guard.sandbox import Hole, Leaf, Part, Refusal, Run, text

MAX_HEADER: Final = 8 * 1024

Encode = Callable[[Run, Any], str]


def enter(run: Run, hole: Hole, encode: Encode = text) -> str:
    """The value for a hole as text, encoded for its place."""
    try:
        return encode(run, run.values[hole.slot])
    except (Refusal, ValueError) as error:
        raise hole.error(error) from None


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


def header_value(run: Run, leaf: Leaf) -> Text:
    """Printable ASCII with holes for secrets, trimmed. No error says what the value was."""
    pieces: list[RequestPart] = []
    words, length, values = "", 0, run.values
    for part in leaf.parts_in(run):
        if isinstance(part, str):
            entered = part if leaf.recording is None else printable(part, leaf)
        else:
            value = values[part.slot]
            if type(value) is SecretRef or type(value) is CaptureRef:
                pieces += (words, value)
                words = ""
                continue
            entered = printable(value if type(value) is str else enter(run, part), part)
        length += len(entered)
        if length > MAX_HEADER:
            raise leaf.source.error(Refusal("the value of a header cannot be longer than 8 KiB"))
        words += entered
    run.emit(length)
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
    first, last = pieces[0], pieces[-1]
    if isinstance(first, str):
        pieces[0] = first.lstrip()
    if isinstance(last, str):
        pieces[-1] = pieces[-1].rstrip()  # type: ignore[union-attr]
    return tuple([piece for piece in pieces if piece])
