"""The text of a JSON body: literal stretches, and between them the places of values, each knowing its encoding."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from json.encoder import encode_basestring as quoted
from typing import Any, Protocol

import orjson

from hookengine.domain.capture import CaptureRef
from hookengine.domain.request import Part as RequestPart
from hookengine.domain.request import SecretRef, Text, as_json
from hookengine.engine.json_body import Late, Mixed, Spliced, Tree
from hookengine.engine.secret_use import MayHold
from hookengine.guard.sandbox import Hole, JsonText, Leaf, Refusal, Run, secret_refusal, text, weigh


class Place(Protocol):
    def put(self, run: Run, out: list[RequestPart], may_hold: MayHold) -> None: ...


@dataclass(frozen=True, slots=True)
class Alone:
    """A value with its type. With `spliced`, what `tojson` made goes in as the JSON it is."""

    hole: Hole
    spliced: bool = False

    def put(self, run: Run, out: list[RequestPart], may_hold: MayHold) -> None:
        value = run.values[self.hole.slot]
        try:
            if type(value) is str:
                run.emit(len(value))
                out.append(quoted(value))
            elif type(value) is int:
                out.append(str(value))
            else:
                self._put(run, value, out, may_hold)
        except (Refusal, ValueError) as error:
            raise self.hole.error(error) from None

    def _put(self, run: Run, value: Any, out: list[RequestPart], may_hold: MayHold) -> None:
        if isinstance(value, SecretRef):
            out += ('"', _held(value, may_hold), '"')
        elif isinstance(value, CaptureRef):
            out.append(replace(value, place="value"))
        elif self.spliced and isinstance(value, JsonText):
            run.emit(len(value))
            out.append(str.__str__(value))
        else:
            run.emit(weigh(run, value))
            out.append(serialised(value))


@dataclass(frozen=True, slots=True)
class LateMember:
    """A captured value with its key and the comma before it: both are left out while it need not be known."""

    key: str
    hole: Hole

    def put(self, run: Run, out: list[RequestPart], may_hold: MayHold) -> None:
        value = run.values[self.hole.slot]
        if isinstance(value, CaptureRef) and value.optional:
            out.append(replace(value, place="member", before=self.key))
            return
        out.append(self.key)
        Alone(self.hole).put(run, out, may_hold)


@dataclass(frozen=True, slots=True)
class Inside:
    """The text of a value, within a string."""

    hole: Hole

    def put(self, run: Run, out: list[RequestPart], may_hold: MayHold) -> None:
        value = run.values[self.hole.slot]
        try:
            if type(value) is str:
                run.emit(len(value))
                out.append(quoted(value)[1:-1])
            elif isinstance(value, SecretRef):
                out.append(_held(value, may_hold))
            elif isinstance(value, CaptureRef):
                out.append(replace(value, place="string"))
            else:
                words = text(run, value)
                run.emit(len(words))
                out.append(quoted(words)[1:-1])
        except (Refusal, ValueError) as error:
            raise self.hole.error(error) from None


@dataclass(frozen=True, slots=True)
class Said:
    """A string whose parts are known once its template ran."""

    leaf: Leaf

    def put(self, run: Run, out: list[RequestPart], may_hold: MayHold) -> None:
        out.append('"')
        for part in self.leaf.parts_in(run):
            if isinstance(part, str):
                out.append(quoted(part)[1:-1])
            else:
                Inside(part).put(run, out, may_hold)
        out.append('"')


Piece = str | Place


def pieces_of(tree: Tree) -> tuple[Piece, ...]:
    """The compact JSON of a tree."""
    pieces: list[Piece] = []
    for piece in _written(tree):
        if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
            pieces[-1] += piece
        else:
            pieces.append(piece)
    return tuple(pieces)


def _written(tree: Tree) -> Iterator[Piece]:
    if isinstance(tree, dict):
        yield from _object(tree)
    elif isinstance(tree, list):
        for number, member in enumerate(tree):
            yield "," if number else "["
            yield from _written(member)
        yield "]" if tree else "[]"
    elif isinstance(tree, Mixed):
        yield '"'
        yield from (quoted(part)[1:-1] if isinstance(part, str) else Inside(part) for part in tree.parts)
        yield '"'
    elif isinstance(tree, Leaf):
        yield Said(tree)
    elif isinstance(tree, Hole):
        yield Alone(tree)
    elif isinstance(tree, Late):
        yield Alone(tree.hole)
    elif isinstance(tree, Spliced):
        yield Alone(tree.hole, spliced=True)
    else:
        yield serialised(tree)


def _object(tree: Mapping[str, Tree]) -> Iterator[Piece]:
    late = {key: member for key, member in tree.items() if isinstance(member, Late)}
    for number, key in enumerate([key for key in tree if key not in late]):
        yield f"{',' if number else '{'}{quoted(key)}:"
        yield from _written(tree[key])
    if len(late) == len(tree):
        yield "{"
    for key, member in late.items():
        yield LateMember(f"{'' if len(tree) == 1 else ','}{quoted(key)}:", member.hole)
    yield "}"


def fill(run: Run, pieces: Sequence[Piece], may_hold: MayHold) -> Text:
    """The JSON with all values in it, and holes for the secrets that may be there."""
    out: list[RequestPart] = []
    for piece in pieces:
        if type(piece) is str:
            out.append(piece)
        else:
            piece.put(run, out, may_hold)  # type: ignore[union-attr]
    return joined(out)


def joined(parts: Sequence[RequestPart]) -> Text:
    """With the texts between secrets made one."""
    try:
        return ("".join(parts),)  # type: ignore[arg-type]
    except TypeError:
        pass  # there are secrets
    whole: list[RequestPart] = []
    words: list[str] = []
    for part in parts:
        if isinstance(part, str):
            words.append(part)
        else:
            whole += ("".join(words), part)
            words.clear()
    return (*whole, "".join(words))


def _held(secret: SecretRef, may_hold: MayHold) -> SecretRef:
    if not may_hold(secret.name):
        raise secret_refusal(secret)
    return as_json(secret)


def serialised(value: Any) -> str:
    """Compact. Numbers beyond 64 bits keep all their digits."""
    try:
        return orjson.dumps(value, default=_plain, option=orjson.OPT_PASSTHROUGH_DATACLASS).decode()
    except TypeError:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError("not plain data")
