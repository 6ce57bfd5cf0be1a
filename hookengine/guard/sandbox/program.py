"""All templates of one hook, read into leaves and compiled into one function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from jinja2 import nodes, pass_context
from jinja2.environment import Template
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from hookengine.domain.context import Context
from hookengine.errors import TemplateError
from hookengine.guard.sandbox.budget import OPERATION, Run
from hookengine.guard.sandbox.dialect import Expression, Reader
from hookengine.guard.sandbox.notes import (
    APPLY,
    LITERAL,
    LOOK_UP,
    OPEN,
    RESULT,
    VALUE,
    Notes,
    call,
    is_template,
)
from hookengine.guard.sandbox.operators import look_up
from hookengine.guard.sandbox.source import Hole, Part, Read, Refusal, Site, Source
from hookengine.guard.sandbox.statements import Statements
from hookengine.guard.sandbox.values import Missing, text

_NOWHERE: Final = Source("", "")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One template, read: literal texts and holes in turn.

    A template with statements has its parts only once it ran: `recording` finds them, and `parts` holds
    just the literal text in front of its first tag.
    """

    source: Source
    parts: tuple[Part, ...]
    recording: int | None = None
    reads: tuple[Read, ...] = ()

    @property
    def hole(self) -> Hole | None:
        """The hole that is the whole leaf, so that the value keeps its type."""
        only = self.parts[0] if len(self.parts) == 1 and self.recording is None else None
        return only if isinstance(only, Hole) else None

    def parts_in(self, run: Run) -> tuple[Part, ...] | list[Part]:
        return self.parts if self.recording is None else run.recording[self.recording]


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's compiler and nothing else of it: checked trees have neither look-ups nor calls left."""

    def __init__(self) -> None:
        super().__init__(optimized=False, undefined=Missing, keep_trailing_newline=True, cache_size=0)
        self.globals.clear()
        self.tests.clear()
        self.filters.clear()
        self.filters.update(_OPERATIONS)

    def getattr(self, obj: Any, attribute: str) -> NoReturn:
        raise SecurityError("attributes are looked up by the dialect only")

    def getitem(self, obj: Any, argument: Any) -> NoReturn:
        raise SecurityError("members are looked up by the dialect only")

    def call(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise SecurityError("calls are not part of the dialect")


def _apply(run: Run, value: Any, site: int, *arguments: Any, **named: Any) -> Any:
    place = run.sites[site]
    try:
        run.charge(OPERATION)
        return place.call(run, value, *arguments, **named)
    except Refusal as refusal:
        raise place.error(refusal) from None
    except TemplateError:
        raise
    except Exception as error:  # noqa: BLE001 (whatever a filter stumbles over is the author's to know)
        raise place.failure(error) from None


def _open(run: Run, site: int) -> None:
    run.place = run.sites[site]
    run.recording.append([])


def _literal(run: Run, words: str) -> None:
    run.charge(OPERATION + len(words))
    run.emit(len(words))
    run.recording[-1].append(words)


def _value(run: Run, value: Any, site: int, constant: str | None) -> None:
    run.charge(2 * OPERATION)
    run.recording[-1].append(Hole(run.size + len(run.recorded), run.sites[site], constant))
    run.recorded.append(value)
    if isinstance(value, str):
        run.emit(len(value))


def _result(run: Run, values: list[Any]) -> None:
    run.values = values


_OPERATIONS: Final[Mapping[str, Callable[..., Any]]] = {
    name: pass_context(function)
    for name, function in (
        (APPLY, _apply),
        (LOOK_UP, look_up),
        (OPEN, _open),
        (LITERAL, _literal),
        (VALUE, _value),
        (RESULT, _result),
    )
}


class Program:
    """The compiled templates of one hook. Safe to run from many threads and tasks at once."""

    def __init__(self, root: Callable[[Any], Iterator[str]], sites: tuple[Site, ...], size: int) -> None:
        self._root, self._sites, self._size = root, sites, size

    def run(self, context: Context) -> Run:
        """All values, unrendered. Raises TemplateError."""
        run = Run(context, self._sites, self._size)
        try:
            for _ in self._root(run):
                pass
        except Refusal as refusal:
            raise (run.place or _NOWHERE).error(refusal) from None
        except TemplateError:
            raise
        except Exception as error:  # noqa: BLE001 (one bad hook must not stop the others)
            raise _NOWHERE.failure(error) from None
        run.values += run.recorded
        return run


class Unit:
    """Reads the templates of one hook, one by one, and compiles them together. Raises TemplateError."""

    def __init__(self, params: Mapping[str, Any] | None = None) -> None:
        self._environment = _Environment()
        self._notes = Notes(self._environment, params or {})
        self._statements: list[nodes.Node] = []
        self._expressions: list[nodes.Expr] = []
        self._recordings = 0

    def leaf(self, field: str, template: str, *, spread: bool = False) -> Leaf:
        """Read one template. With `spread`, the text around the holes of a parameter counts as literal."""
        source = Source(field, template)
        if not is_template(template):
            return Leaf(source, (template,) if template else ())
        try:
            return self._read(source, spread)
        except RecursionError as error:
            raise source.failure(error) from None

    def _read(self, source: Source, spread: bool) -> Leaf:
        tree = self._notes.parse(source)
        before = len(self._notes.reads)
        if all(isinstance(node, nodes.Output) for node in tree.body):
            pieces = Reader(self._notes, source).pieces(tree, spread=spread)
            parts = tuple(self._part(piece) for piece in pieces)
            return Leaf(source, parts, reads=tuple(self._notes.reads[before:]))
        statements = Statements(self._notes, source)
        start = self._notes.site(source, tree, "", text)
        opening = nodes.ExprStmt(call(OPEN, nodes.Const(start)), lineno=1)
        self._statements.append(nodes.Scope([opening, *statements.rewrite(tree.body)], lineno=1))
        self._recordings += 1
        front = statements.front(tree)
        reads = tuple(self._notes.reads[before:])
        return Leaf(source, (front,) if front else (), self._recordings - 1, reads)

    def _part(self, piece: str | Expression) -> Part:
        if isinstance(piece, str):
            return piece
        self._expressions.append(piece.node)
        return Hole(len(self._expressions) - 1, self._notes.sites[piece.site], piece.constant)

    def compile(self) -> Program:
        try:
            result = nodes.ExprStmt(call(RESULT, nodes.List(self._expressions)), lineno=1)
            tree = nodes.Template([*self._statements, result], lineno=1)
            tree.set_environment(self._environment)
            code = self._environment.compile(tree)
            template = Template.from_code(self._environment, code, {})
        except Exception as error:  # noqa: BLE001 (one bad hook must not stop the others)
            raise _NOWHERE.failure(error) from None
        return Program(template.root_render_func, tuple(self._notes.sites), len(self._expressions))
