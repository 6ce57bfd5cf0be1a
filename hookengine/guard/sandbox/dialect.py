"""The allow-list over the parsed tree: what is on it is rewritten into calls of our own functions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jinja2 import Environment, TemplateSyntaxError, nodes

from hookengine.errors import TemplateError
from hookengine.guard.sandbox import operators
from hookengine.guard.sandbox.arguments import check_arguments
from hookengine.guard.sandbox.budget import MAX_DEPTH, MAX_NESTED_LOOPS, MAX_NODES, MAX_SOURCE
from hookengine.guard.sandbox.checks import TESTS
from hookengine.guard.sandbox.filters import FILTERS
from hookengine.guard.sandbox.refused import because
from hookengine.guard.sandbox.source import Refusal, Site, Source
from hookengine.guard.sandbox.values import Missing, near, text
from hookengine.guard.sandbox.wording import chain, param_name
from hookengine.guard.sandbox.wording import written as written_as

APPLY: Final = "apply"
LOOK_UP: Final = "look up"
OPEN: Final = "open"
LITERAL: Final = "literal"
VALUE: Final = "value"
RESULT: Final = "result"

MARKS: Final = ("{{", "{%", "{#")

_OWN_NAMES: Final = frozenset({"self", "super", "caller", "varargs", "kwargs"})
_NOT_BOUND: Final = _OWN_NAMES | {"loop", "params", "secrets"}


@dataclass(frozen=True, slots=True)
class Expression:
    """One rewritten expression; `constant` is its text where it is a parameter that is one."""

    node: nodes.Expr
    site: int
    constant: str | None = None


Piece = str | Expression


@dataclass(slots=True)
class Notes:
    """What the readers of all templates of one hook share."""

    environment: Environment
    params: Mapping[str, Any]
    sites: list[Site] = field(default_factory=list)
    nodes_left: int = MAX_NODES
    depth: int = 0
    unfolding: tuple[str, ...] = ()
    trees: dict[str, nodes.Template] = field(default_factory=dict)


def call(operation: str, first: nodes.Expr, *arguments: Any) -> nodes.Filter:
    given = [part if isinstance(part, nodes.Expr) else nodes.Const(part) for part in arguments]
    return nodes.Filter(first, operation, given, [], None, None, lineno=1)


class Reader:
    """Checks and rewrites one template."""

    def __init__(self, notes: Notes, source: Source) -> None:
        self._notes, self._source = notes, source
        self._loops = 0
        self._lenient = False

    def parse(self) -> nodes.Template:
        """Only parses: Jinja folds constants when it compiles, and nothing unchecked may get there."""
        if len(self._source.text) > MAX_SOURCE:
            raise self._source.error(Refusal("the template is larger than 16 KiB"))
        try:
            return self._notes.environment.parse(self._source.text)
        except TemplateSyntaxError as error:
            got = re.search(r"(?:got|tag) '([^']+)'", error.message or "")
            refusal = Refusal(error.message or "the template cannot be read")
            raise self._source.error(refusal, error.lineno, got[1] if got else "") from None
        except Exception as error:
            raise Site(self._source, 0, "", text).failure(error) from None

    def pieces(self, tree: nodes.Template, *, spread: bool = False) -> list[Piece]:
        """Of a template without statements: its literal texts and its expressions, in order."""
        pieces: list[Piece] = []
        for output in tree.body:
            assert isinstance(output, nodes.Output)
            for node in output.nodes:
                pieces += self._spread(node) if spread else [self._piece(node)]
        return pieces

    def _piece(self, node: nodes.Expr) -> Piece:
        if isinstance(node, nodes.TemplateData):
            return node.data
        constant = self._constant_text(node)
        return Expression(self.expression(node), self._site(node, written_as(node), text), constant)

    def front(self, tree: nodes.Template) -> tuple[str, ...]:
        """The literal text a template certainly begins with, a parameter at its very start included."""
        first = tree.body[0]
        texts = []
        for node in first.nodes[:2] if isinstance(first, nodes.Output) else []:
            literal = node.data if isinstance(node, nodes.TemplateData) else None
            if literal is None and not texts:
                literal = self._constant_text(node)
            if literal is None:
                break
            texts.append(literal)
        return ("".join(texts),) if texts else ()

    # Statements

    def statements(self, body: Iterable[nodes.Node]) -> list[nodes.Node]:
        rewritten: list[nodes.Node] = []
        for node in body:
            with_depth = self._enter(node)
            if isinstance(node, nodes.Output):
                rewritten += [self._output(part) for part in node.nodes]
            elif isinstance(node, nodes.If):
                rewritten.append(self._if(node))
            elif isinstance(node, nodes.For):
                rewritten.append(self._for(node))
            elif isinstance(node, nodes.Assign):
                rewritten.append(self._set(node))
            else:
                raise self._refuse(node)
            self._notes.depth = with_depth
        return rewritten

    def _output(self, node: nodes.Expr) -> nodes.ExprStmt:
        if isinstance(node, nodes.TemplateData):
            return nodes.ExprStmt(call(LITERAL, nodes.Const(node.data)), lineno=1)
        site = self._site(node, written_as(node), text)
        return nodes.ExprStmt(call(VALUE, self.expression(node), site, self._constant_text(node)), lineno=1)

    def _if(self, node: nodes.If) -> nodes.If:
        branches = []
        for branch in node.elif_:
            before = self._enter(branch)
            branches.append(self._if(branch))
            self._notes.depth = before
        otherwise = self.statements(node.else_)
        return nodes.If(self._decision(node.test), self.statements(node.body), branches, otherwise, lineno=1)

    def _for(self, node: nodes.For) -> nodes.For:
        if node.recursive:
            raise self._error(node, Refusal("`recursive` loops are not allowed"), "recursive")
        names = self._targets(node.target)
        iterated = self._apply(node.iter, written_as(node.iter), operators.rounds, len(names))
        if self._loops == MAX_NESTED_LOOPS:
            raise self._error(node, Refusal(f"loops are nested more than {MAX_NESTED_LOOPS} deep"), "for")
        self._loops += 1
        chosen = None if node.test is None else self._decision(node.test)
        body = self.statements(node.body)
        self._loops -= 1
        otherwise = self.statements(node.else_)
        return nodes.For(_store(names), iterated, body, otherwise, chosen, False, lineno=1)

    def _set(self, node: nodes.Assign) -> nodes.Assign:
        names = self._targets(node.target)
        if len(names) != 1 or isinstance(node.target, nodes.Tuple):
            raise self._error(node, Refusal("`set` binds one name at a time"), "set")
        return nodes.Assign(
            _store(names), self._apply(node.node, written_as(node.node), operators.kept), lineno=1
        )

    def _targets(self, node: nodes.Node) -> list[str]:
        before = self._enter(node)
        members = node.items if isinstance(node, nodes.Tuple) else [node]
        names = []
        for member in members:
            if not isinstance(member, nodes.Name):
                raise self._error(node, Refusal("only plain names can be bound"), "set")
            if member.name in _NOT_BOUND or member.name.startswith("__"):
                raise self._error(node, Refusal(f"`{member.name}` cannot be bound"), member.name)
            names.append(member.name)
        if len(set(names)) != len(names):
            raise self._error(node, Refusal("a name is bound twice"), names[0])
        self._notes.depth = before
        return names

    # Expressions

    def expression(self, node: nodes.Expr) -> nodes.Expr:
        before = self._enter(node)
        rewrite = _EXPRESSIONS.get(type(node))
        if rewrite is None:
            raise self._refuse(node)
        rewritten = rewrite(self, node)
        self._notes.depth = before
        return rewritten

    def _const(self, node: nodes.Const) -> nodes.Expr:
        value = node.value
        if isinstance(value, float) and not math.isfinite(value):
            raise self._error(node, Refusal("the number is too large"), "")
        if isinstance(value, int) and abs(value) > operators.LARGEST_NUMBER:
            raise self._error(node, Refusal("the number is too large"), "")
        return nodes.Const(value)

    def _name(self, node: nodes.Name) -> nodes.Expr:
        if node.name in _OWN_NAMES or node.name.startswith("__"):
            raise self._error(node, Refusal(f"`{node.name}` is not allowed"), node.name)
        if node.name == "params":
            raise self._error(node, Refusal("`params` is not a value"), "params", "name one: params.NAME")
        return nodes.Name(node.name, "load")

    def _member(self, node: nodes.Getattr | nodes.Getitem) -> nodes.Expr:
        """A whole chain of constant steps at once, so that it is one look-up and one name in errors."""
        base, steps = chain(node)
        for _ in steps[1:]:
            self._enter(node)
        for step in steps:
            if isinstance(step, str) and step.startswith("__"):
                raise self._error(node, Refusal(f"`{step}` is not allowed"), "")
        if isinstance(base, nodes.Name) and base.name == "params" and isinstance(steps[0], str):
            base, steps = self._param(node, steps[0]), steps[1:]
            if not steps:
                return base
        elif steps:
            base = self.expression(base)
        elif isinstance(node, nodes.Getitem):
            return self._computed_member(node)
        site = self._site(node, written_as(node), operators.look_up, tuple(steps))
        return call(LOOK_UP, base, site)

    def _computed_member(self, node: nodes.Getitem) -> nodes.Expr:
        written = written_as(node)
        if isinstance(node.arg, nodes.Slice):
            if node.arg.step is not None:
                raise self._error(node, Refusal("a slice has no step"), "", "write [start:stop]")
            bounds = [
                nodes.Const(None) if bound is None else bound for bound in (node.arg.start, node.arg.stop)
            ]
            return self._apply(node.node, written, operators.cut, *bounds)
        return self._apply(node.node, written, operators.subscript, node.arg, written)

    def _filter(self, node: nodes.Filter) -> nodes.Expr:
        function = FILTERS.get(node.name)
        written = f"|{node.name}"
        if function is None:
            fitting = near(node.name, FILTERS)
            hint = f"did you mean {fitting}?" if fitting else f"there are {', '.join(sorted(FILTERS))}"
            raise self._error(node, Refusal(f"the filter `{node.name}` is not allowed"), written, hint)
        if node.node is None:
            raise self._error(node, Refusal("filter blocks are not allowed"), "filter")
        return self._called(node, node.node, written, function, node.name in ("default", "d"))

    def _test(self, node: nodes.Test) -> nodes.Expr:
        function = TESTS.get(node.name)
        if function is None:
            hint = f"there are {', '.join(name for name in TESTS if name.isalpha())}"
            raise self._error(node, Refusal(f"the test `{node.name}` is not allowed"), node.name, hint)
        lenient = node.name in ("defined", "undefined")
        return self._called(node, node.node, node.name, function, lenient)

    def _called(
        self,
        node: nodes.Filter | nodes.Test,
        first: nodes.Expr,
        written: str,
        function: Callable[..., Any],
        lenient: bool,
    ) -> nodes.Expr:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise self._error(node, Refusal("`*` and `**` arguments are not allowed"), written)
        named = {pair.key: pair.value for pair in node.kwargs}
        problem = check_arguments(function, len(node.args), named)
        if problem:
            raise self._error(node, Refusal(f"`{written}` {problem}"), written)
        was, self._lenient = self._lenient, lenient
        value = self.expression(first)
        self._lenient = was
        applied = call(APPLY, value, self._site(node, written, function), *map(self.expression, node.args))
        applied.kwargs = [nodes.Keyword(key, self.expression(value)) for key, value in named.items()]
        return applied

    def _compare(self, node: nodes.Compare) -> nodes.Expr:
        if len(node.ops) != 1:
            raise self._error(node, Refusal("comparisons cannot be chained"), "", "join two with `and`")
        written, function = operators.COMPARISONS[node.ops[0].op]
        return self._apply(node.expr, written, function, node.ops[0].expr)

    def _reckoning(self, node: nodes.BinExpr) -> nodes.Expr:
        written, function = operators.ARITHMETIC[type(node).__name__]
        return self._apply(node.left, written, function, node.right)

    def _sign(self, node: nodes.UnaryExpr) -> nodes.Expr:
        function = operators.negative if isinstance(node, nodes.Neg) else operators.positive
        return self._apply(node.node, "-" if isinstance(node, nodes.Neg) else "+", function)

    def _concat(self, node: nodes.Concat) -> nodes.Expr:
        return self._apply(node.nodes[0], "~", operators.joined, *node.nodes[1:])

    def _both(self, node: nodes.And | nodes.Or) -> nodes.Expr:
        return type(node)(self._decision(node.left), self.expression(node.right))

    def _not(self, node: nodes.Not) -> nodes.Expr:
        return nodes.Not(self._decision(node.node))

    def _inline_if(self, node: nodes.CondExpr) -> nodes.Expr:
        if node.expr2 is None:
            raise self._error(node, Refusal("an inline `if` needs its `else`"), "if", "add: else ''")
        return nodes.CondExpr(
            self._decision(node.test), self.expression(node.expr1), self.expression(node.expr2)
        )

    def _list(self, node: nodes.List | nodes.Tuple) -> nodes.Expr:
        if not node.items:
            return nodes.List([])
        return self._apply(node.items[0], "[", operators.list_of, *node.items[1:])

    def _dict(self, node: nodes.Dict) -> nodes.Expr:
        if not node.items:
            return nodes.Dict([])
        flat = [part for pair in node.items for part in (pair.key, pair.value)]
        return self._apply(flat[0], "{", operators.object_of, *flat[1:])

    def _decision(self, node: nodes.Expr) -> nodes.Expr:
        """An expression whose truth is asked for."""
        return self._apply(node, written_as(node), operators.plain)

    # Parameters

    def _constant_text(self, node: nodes.Expr) -> str | None:
        """The text of `params.NAME` where the parameter is a text without holes."""
        name = param_name(node)
        if name is None:
            return None
        value = self._notes.params.get(name)
        if not isinstance(value, str) or name in self._notes.unfolding:
            return None
        if not _is_template(value):
            return value
        texts = []
        for part in self._inside(name, value, node):
            constant = part.data if isinstance(part, nodes.TemplateData) else self._nested_text(name, part)
            if constant is None:
                return None
            texts.append(constant)
        whole = "".join(texts)
        if len(whole) > MAX_SOURCE:
            raise self._error(node, Refusal("the parameter is larger than 16 KiB"), f"params.{name}")
        return whole

    def _nested_text(self, name: str, node: nodes.Expr) -> str | None:
        before, depth = self._notes.unfolding, self._enter(node)
        self._notes.unfolding = (*before, name)
        constant = self._constant_text(node)
        self._notes.unfolding, self._notes.depth = before, depth
        return constant

    def _param(self, node: nodes.Expr, name: str) -> nodes.Expr:
        """The expression a parameter stands for."""
        written = f"params.{name}"
        if name not in self._notes.params:
            if self._lenient:
                return call(APPLY, nodes.Const(None), self._site(node, written, _absent(written)))
            fitting = near(name, self._notes.params)
            hint = f"did you mean {fitting}?" if fitting else "fill it in under `with:`"
            raise self._error(node, Refusal(f"{written} is not given"), written, hint)
        value = self._notes.params[name]
        if not isinstance(value, str) or not _is_template(value):
            return self.expression(self._literal(node, written, value))
        parts = self._inside(name, value, node)
        reader = Reader(self._notes, Source(written, value))
        before = self._notes.unfolding
        self._notes.unfolding = (*before, name)
        texts = [nodes.Const(p.data, lineno=1) if isinstance(p, nodes.TemplateData) else p for p in parts]
        whole = texts[0] if len(texts) == 1 else nodes.Concat(texts, lineno=1)
        rewritten = reader.expression(whole)
        self._notes.unfolding = before
        return rewritten

    def _spread(self, node: nodes.Expr) -> list[Piece]:
        """The pieces a parameter of mixed text and holes stands for; any other expression as it is."""
        name = param_name(node)
        value = None if name is None else self._notes.params.get(name)
        if name is None or not isinstance(value, str) or not _is_template(value):
            return [self._piece(node)]
        parts = self._inside(name, value, node)
        reader = Reader(self._notes, Source(f"params.{name}", value))
        before, depth = self._notes.unfolding, self._enter(node)
        self._notes.unfolding = (*before, name)
        pieces = [piece for part in parts for piece in reader._spread(part)]
        self._notes.unfolding, self._notes.depth = before, depth
        return pieces

    def _inside(self, name: str, value: str, node: nodes.Expr) -> list[nodes.Expr]:
        """What a parameter that is a template consists of."""
        if name in self._notes.unfolding:
            circle = " -> ".join(f"params.{each}" for each in (*self._notes.unfolding, name))
            raise self._error(node, Refusal(f"parameters refer to each other in a circle: {circle}"), "")
        source = Source(f"params.{name}", value)
        tree = self._notes.trees.get(name)
        if tree is None:
            tree = self._notes.trees[name] = Reader(self._notes, source).parse()
        if not all(isinstance(part, nodes.Output) for part in tree.body):
            raise source.error(Refusal("a parameter holds text and expressions, no statements"))
        return [part for output in tree.body if isinstance(output, nodes.Output) for part in output.nodes]

    def _literal(self, node: nodes.Expr, written: str, value: Any) -> nodes.Expr:
        if isinstance(value, Mapping):
            pairs = [
                nodes.Pair(nodes.Const(str(key)), self._literal(node, written, member), lineno=node.lineno)
                for key, member in value.items()
            ]
            return nodes.Dict(pairs, lineno=node.lineno)
        if isinstance(value, list | tuple):
            return nodes.List([self._literal(node, written, each) for each in value], lineno=node.lineno)
        if value is None or isinstance(value, str | int | float):
            return nodes.Const(str(value) if isinstance(value, str) else value, lineno=node.lineno)
        raise self._error(node, Refusal(f"{written} is not plain data"), written)

    # Bounds and places

    def _enter(self, node: nodes.Node) -> int:
        """Count a node and step one level down; gives the level to go back to."""
        before = self._notes.depth
        self._notes.nodes_left -= 1
        self._notes.depth += 1
        if self._notes.nodes_left < 0:
            raise self._error(
                node, Refusal(f"the templates of this hook have more than {MAX_NODES:,} parts"), ""
            )
        if self._notes.depth > MAX_DEPTH:
            raise self._error(node, Refusal(f"it is nested more than {MAX_DEPTH} deep"), "")
        return before

    def _apply(
        self,
        first: nodes.Expr,
        written: str,
        function: Callable[..., Any],
        *arguments: nodes.Expr | str | int,
    ) -> nodes.Expr:
        site = self._site(first, written, function)
        rest = [self.expression(part) if isinstance(part, nodes.Expr) else part for part in arguments]
        return call(APPLY, self.expression(first), site, *rest)

    def _site(
        self,
        node: nodes.Node,
        written: str,
        function: Callable[..., Any],
        steps: tuple[str | int, ...] = (),
    ) -> int:
        self._notes.sites.append(Site(self._source, node.lineno, written, function, steps))
        return len(self._notes.sites) - 1

    def _refuse(self, node: nodes.Node) -> TemplateError:
        refusal, written = because(node)
        return self._error(node, refusal, written)

    def _error(self, node: nodes.Node, refusal: Refusal, written: str, hint: str = "") -> TemplateError:
        return self._source.error(Refusal(refusal.message, refusal.hint or hint), node.lineno, written)


def _is_template(value: str) -> bool:
    return any(mark in value for mark in MARKS)


def _absent(written: str) -> Callable[..., Any]:
    return lambda run, value: Missing.part(written, "params", written.partition(".")[2], {})


def _store(names: list[str]) -> nodes.Expr:
    targets: list[nodes.Expr] = [nodes.Name(name, "store") for name in names]
    return targets[0] if len(targets) == 1 else nodes.Tuple(targets, "store")


_EXPRESSIONS: Final[Mapping[type[nodes.Node], Callable[[Reader, Any], nodes.Expr]]] = {
    nodes.Const: Reader._const,
    nodes.Name: Reader._name,
    nodes.Getattr: Reader._member,
    nodes.Getitem: Reader._member,
    nodes.Filter: Reader._filter,
    nodes.Test: Reader._test,
    nodes.Compare: Reader._compare,
    nodes.And: Reader._both,
    nodes.Or: Reader._both,
    nodes.Not: Reader._not,
    nodes.CondExpr: Reader._inline_if,
    nodes.Concat: Reader._concat,
    nodes.Add: Reader._reckoning,
    nodes.Sub: Reader._reckoning,
    nodes.Mul: Reader._reckoning,
    nodes.FloorDiv: Reader._reckoning,
    nodes.Mod: Reader._reckoning,
    nodes.Neg: Reader._sign,
    nodes.Pos: Reader._sign,
    nodes.List: Reader._list,
    nodes.Tuple: Reader._list,
    nodes.Dict: Reader._dict,
}
