"""YAML text as plain data that remembers where every value stood."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scanner import Scanner

from hookengine.errors import ConfigError, Problem

LARGEST_FILE = 4 * 1024 * 1024
MOST_REPEATED = 20_000
"""How many values aliases may repeat in one file: a short chain of them can stand for billions."""

DEEPEST = 100
"""How many lists and mappings may stand inside of each other."""

QUOTE_TEMPLATES = 'quote templates that start with {{, such as "{{ x }}"'

Location = tuple[str | int, ...]
"""Where a value stands in the data: keys and indexes from the top."""

Mark = tuple[int, int]
"""Line and column, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file's data. `faults` are mistakes of the text that left the rest readable, each where it stands."""

    name: str
    folder: Path
    data: Mapping[str, Any]
    marks: Mapping[Location, tuple[Mark, Mark]] = field(repr=False)
    faults: tuple[tuple[Location, Problem], ...] = ()

    def place(self, at: Location, *, key: bool = False) -> str:
        """As `config.yaml:12:7`: the value there, or its key, or what holds it if it is not there at all."""
        while at not in self.marks:
            at, key = at[:-1], False
        line, column = self.marks[at][0 if key else 1]
        return f"{self.name}:{line}:{column}"

    def problem(self, at: Location, message: str, *, hint: str = "", key: bool = False) -> Problem:
        text = f"{spell(at)}: {message}" if at else message
        return Problem(place=self.place(at, key=key), message=text, hint=hint)


def spell(at: Location) -> str:
    """As people write it: `pipelines[0].hooks[1].target_url`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in at)
    return "".join(steps).removeprefix(".")


def load(source: Path | str, *, name: str = "config.yaml", folder: Path | None = None) -> Document:
    """A `Path` is read, a `str` is the text itself, which mistakes then call `name`, and whose relative paths
    are counted from `folder`, or where the process runs.

    Raises ConfigError where nothing can be made of the text.
    """
    if isinstance(source, str):
        return _parse(source, name, folder or Path.cwd())
    name = str(source)
    try:
        with source.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        hint = (
            "name another file, or make one with `hookengine init`"
            if isinstance(error, FileNotFoundError)
            else ""
        )
        raise _unreadable(name, f"cannot be read: {error.strerror}", hint) from None
    try:
        return _parse(content.decode("utf-8-sig"), name, source.absolute().parent)
    except UnicodeDecodeError:
        raise _unreadable(name, "is not UTF-8 text") from None


def _unreadable(place: str, message: str, hint: str = "") -> ConfigError:
    return ConfigError([Problem(place=place, message=message, hint=hint)])


def _parse(text: str, name: str, folder: Path) -> Document:
    if len(text) > LARGEST_FILE:
        raise _unreadable(name, f"is larger than {LARGEST_FILE} bytes")
    reading = _Reading(text, name)
    root = _compose(text, name)
    try:
        data = {} if root is None else reading.value(root, ())
    except RecursionError:
        raise _unreadable(name, "is nested too deeply") from None
    reading.marks.setdefault((), ((1, 1), (1, 1)))
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise _unreadable(f"{name}:1:1", "the file must be a mapping of keys to values")
    return Document(name=name, folder=folder, data=data, marks=reading.marks, faults=tuple(reading.faults))


class _Shallow(Scanner):
    """Stops where brackets open too deeply: it looks ahead for a thousand of them, and at each for all before it."""

    def fetch_flow_collection_start(self, TokenClass: Any, to_push: str) -> None:  # noqa: N803  its own name
        if len(self.flow_context) > DEEPEST:
            raise RecursionError
        super().fetch_flow_collection_start(TokenClass, to_push)


def _compose(text: str, name: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner = _Shallow
    try:
        node: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        hint = QUOTE_TEMPLATES if _starts_with_a_template(text, line) else ""
        said = str(error.problem or error.context)
        if "'\\t' that cannot start any token" in said:
            said, hint = "a tab stands where YAML wants spaces", "indent with spaces"
        elif said.startswith("expected <block end>"):
            said, hint = (
                "this does not go on with what stands before it",
                hint or "is it indented as its neighbours?",
            )
        raise _unreadable(f"{name}:{line}:{column}", said, hint) from None
    except ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise _unreadable(f"{name}:{line}:{column}", f"a character {error.reason}") from None
    except YAMLError as error:
        raise _unreadable(name, str(error)) from None
    except RecursionError:
        raise _unreadable(name, "is nested too deeply") from None
    return node


def _starts_with_a_template(text: str, line: int) -> bool:
    lines = text.splitlines()
    return line <= len(lines) and re.search(r"(: |- )\s*\{\{", lines[line - 1]) is not None


class _Reading:
    """One walk over the nodes of a file."""

    def __init__(self, text: str, name: str) -> None:
        self.marks: dict[Location, tuple[Mark, Mark]] = {}
        self.faults: list[tuple[Location, Problem]] = []
        self._text, self._name = text, name
        self._seen: set[int] = set()
        self._open: set[int] = set()
        self._repeated = 0

    def value(self, node: Node, at: Location, key: Node | None = None) -> Any:
        if len(at) > DEEPEST:
            raise RecursionError
        self.marks[at] = (_mark(key or node), _mark(node))
        self._count(node)
        if isinstance(node, ScalarNode):
            return self._scalar(node, at)
        if self._is_bare_template(node):
            self._fault(node, at, "an unquoted template is read as a mapping", QUOTE_TEMPLATES)
            return self._text[node.start_mark.index : node.end_mark.index]
        if _kind(node) not in ("map", "seq"):
            self._fault(node, at, f"the tag {node.tag} is not allowed here")
        self._open.add(id(node))
        try:
            if isinstance(node, SequenceNode):
                return [self.value(item, (*at, number)) for number, item in enumerate(node.value)]
            return {
                name: self.value(item, (*at, name), key)
                for name, (key, item) in self._entries(node, at).items()
            }
        finally:
            self._open.discard(id(node))

    def _count(self, node: Node) -> None:
        place = f"{self._name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
        if id(node) in self._open:
            raise _unreadable(place, "an alias stands inside of what it names")
        if id(node) not in self._seen:
            self._seen.add(id(node))
            return
        self._repeated += 1
        if self._repeated > MOST_REPEATED:
            raise _unreadable(place, f"aliases repeat more than {MOST_REPEATED} values")

    def _fault(self, node: Node, at: Location, message: str, hint: str = "") -> None:
        place = "{}:{}:{}".format(self._name, *_mark(node))
        text = f"{spell(at)}: {message}" if at else message
        self.faults.append((at, Problem(place=place, message=text, hint=hint)))

    def _is_bare_template(self, node: Node) -> bool:
        return (
            isinstance(node, MappingNode)
            and len(node.value) > 0
            and isinstance(node.value[0][0], MappingNode)
            and self._text.startswith("{{", node.start_mark.index)
        )

    def _entries(self, node: Node, at: Location) -> dict[str, tuple[Node, Node]]:
        """Key to key and value; what `<<` merges in gives way to what the mapping says itself."""
        merged: dict[str, tuple[Node, Node]] = {}
        own: dict[str, tuple[Node, Node]] = {}
        for key, item in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                for part in self._merged(item, at):
                    merged = {**part, **merged}
            elif (name := self._key(key, at)) is None:
                continue
            elif name in own:
                first = _mark(own[name][0])[0]
                self._fault(key, (*at, name), f"this key stands twice, first in line {first}")
            else:
                own[name] = (key, item)
        return {**merged, **own}

    def _merged(self, item: Node, at: Location) -> Iterator[dict[str, tuple[Node, Node]]]:
        for part in item.value if isinstance(item, SequenceNode) else [item]:
            if isinstance(part, MappingNode):
                self._count(part)
                self._open.add(id(part))
                yield self._entries(part, at)
                self._open.discard(id(part))
            else:
                self._fault(part, at, "<< takes a mapping or a list of mappings")

    def _key(self, node: Node, at: Location) -> str | None:
        if isinstance(node, ScalarNode):
            if _kind(node) in _TEXTS:
                return self._text_of(node, at)
            self._fault(node, at, "keys are texts", f'put quotes around it: "{node.value}"')
        else:
            self._fault(node, at, "keys are texts", QUOTE_TEMPLATES)
        return None

    def _scalar(self, node: ScalarNode, at: Location) -> Any:
        if _kind(node) in _TEXTS:
            return self._text_of(node, at)
        try:
            return _scalar(node)
        except ValueError as error:
            self._fault(node, at, str(error))
            return node.value

    def _text_of(self, node: ScalarNode, at: Location) -> str:
        """JSON, which is YAML, writes a character such as an emoji as two escapes, which YAML leaves apart."""
        try:
            return str(node.value).encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self._fault(node, at, r"half of a character: \uD800 to \uDFFF stand in pairs only")
            return ""


_TEXTS = frozenset({"str", "timestamp", "value", "merge"})
"""Times stay texts: JSON has no type for them."""


def _kind(node: Node) -> str:
    return str(node.tag).removeprefix("tag:yaml.org,2002:")


def _scalar(node: ScalarNode) -> Any:
    """Of all but texts."""
    kind, value = _kind(node), str(node.value)
    match kind:
        case "null":
            return None
        case "bool":
            return value.lower() in ("true", "yes", "on", "y")
        case "int":
            return _integer(value)
        case "float" if math.isfinite(number := float(_spelt_for_python(value))):
            return number
        case "float":
            raise ValueError("a number must be finite")
    raise ValueError(f"the tag {node.tag} is not allowed here")


def _integer(value: str) -> int:
    if len(value) > 40:
        raise ValueError("this number has too many digits")
    digits = value.lstrip("+-")
    number = int(digits, 0) if digits[:2].lower() in ("0o", "0x", "0b") else int(digits)
    return -number if value.startswith("-") else number


def _spelt_for_python(value: str) -> str:
    return re.sub(r"\.(inf|nan)$", r"\1", value.lower())


def _mark(node: Node) -> Mark:
    return node.start_mark.line + 1, node.start_mark.column + 1
