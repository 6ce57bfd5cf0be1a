"""Bodies of JSON: a tree whose shape no value can change."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hookengine.guard.sandbox import Hole, Leaf, Part, Refusal

Tree = Any
"""Of dicts, lists and scalars; in it Holes, Spliced holes, and leaves of text with holes."""

MAX_DEPTH: Final = 40
CAPTURED: Final = "captured"

_IN_STRING, _ALONE, _END = "\ue000", "\ue001", "\ue002"
_FORGED = re.compile(r"[\ue000-\ue002]|\\u[eE]00[0-2]")
_HOLE = re.compile(rf"([{_IN_STRING}{_ALONE}]\d+{_END})")
_QUOTE = re.compile(r'["\\]')


@dataclass(frozen=True, slots=True)
class Spliced:
    """A hole outside the strings of a JSON text: what `tojson` made goes in as the JSON it is."""

    hole: Hole


@dataclass(frozen=True, slots=True)
class Late:
    """A captured value that is a whole member of an object; such members come last in it."""

    hole: Hole


@dataclass(frozen=True, slots=True)
class Mixed:
    """A string with holes in it."""

    parts: tuple[Part, ...]


def tree_of(value: Any, field: str, leaf: Callable[[str, str], Leaf], depth: int = 0) -> Tree:
    """The tree of a body that is JSON itself, with templates in its strings."""
    if depth > MAX_DEPTH:
        raise leaf(field, "").source.error(Refusal(f"the body is nested more than {MAX_DEPTH} deep"))
    if isinstance(value, str):
        return _leaf_tree(leaf(field, value))
    if isinstance(value, Mapping):
        tree = {
            _literal_key(key, f"{field}.{key}", leaf): tree_of(member, f"{field}.{key}", leaf, depth + 1)
            for key, member in value.items()
        }
        if len(tree) > 1 and all(isinstance(member, Late) for member in tree.values()):
            raise leaf(field, "").source.error(
                Refusal(
                    "an object of several captured values needs another member",
                    'add one, such as "via": "hook"',
                )
            )
        return tree
    if isinstance(value, list | tuple):
        return [tree_of(member, f"{field}[{index}]", leaf, depth + 1) for index, member in enumerate(value)]
    return value


def is_captured(path: str) -> bool:
    """Whether a variable of this dotted path is one of the captures."""
    return path == CAPTURED or path.startswith(f"{CAPTURED}.")


def _leaf_tree(leaf: Leaf) -> Tree:
    if leaf.recording is not None:
        return leaf
    if leaf.hole is not None:
        return Late(leaf.hole) if any(is_captured(read.path) for read in leaf.reads) else leaf.hole
    literal = all(isinstance(part, str) for part in leaf.parts)
    return "".join(map(str, leaf.parts)) if literal else Mixed(leaf.parts)


def _literal_key(key: Any, field: str, leaf: Callable[[str, str], Leaf]) -> str:
    if not isinstance(key, str) or any(mark in key for mark in ("{{", "{%", "{#")):
        raise leaf(field, "").source.error(
            Refusal("keys are literal texts", "put the template into the value, or use an object | tojson")
        )
    return key


def tree_of_text(parts: Sequence[Part], leaf: Leaf) -> Tree:
    """The tree of a text that is JSON once its holes are filled."""
    holes: list[Hole] = []
    shape: list[str] = []
    in_string = False
    for part in parts:
        if isinstance(part, Hole):
            shape.append(f"{_IN_STRING}{len(holes)}{_END}" if in_string else f'"{_ALONE}{len(holes)}{_END}"')
            holes.append(part)
            continue
        if _FORGED.search(part):
            raise leaf.source.error(Refusal("the characters U+E000 to U+E002 are not allowed here"))
        in_string = _ends_in_string(part, in_string)
        shape.append(part)
    try:
        parsed = json.loads("".join(shape), object_pairs_hook=_object, parse_constant=_no_constant)
    except Refusal as refusal:
        raise leaf.source.error(refusal) from None
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 0)
        raise leaf.source.error(Refusal("the body is not valid JSON", _HINT), line) from None
    return _put_back(parsed, holes)


_HINT: Final = "write the body as an object, or quote what is text and leave holes unquoted that are not"


def _ends_in_string(literal: str, in_string: bool) -> bool:
    position = 0
    while found := _QUOTE.search(literal, position):
        position = found.end()
        if found[0] == '"':
            in_string = not in_string
        elif in_string:
            position += 1
    return in_string


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Refusal("the body has a key twice")
    if any(_HOLE.search(key) for key in made):
        raise Refusal("keys are literal texts", "put the template into the value")
    return made


def _no_constant(name: str) -> None:
    raise Refusal(f"{name} is not JSON")


def _put_back(tree: Any, holes: list[Hole]) -> Tree:
    if isinstance(tree, dict):
        return {key: _put_back(member, holes) for key, member in tree.items()}
    if isinstance(tree, list):
        return [_put_back(member, holes) for member in tree]
    if not isinstance(tree, str) or _END not in tree:
        return tree
    parts: list[Part] = []
    for piece in filter(None, _HOLE.split(tree)):
        if piece[0] == _ALONE:
            return Spliced(holes[int(piece[1:-1])])
        parts.append(holes[int(piece[1:-1])] if piece[0] == _IN_STRING else piece)
    return Mixed(tuple(parts))
