"""The allow-list over the parsed tree: what is on it is rewritten into calls of our own functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import nodes

from hookengine.guard.sandbox import operators
from hookengine.guard.sandbox.arguments import check_arguments
from hookengine.guard.sandbox.checks import TESTS
from hookengine.guard.sandbox.filters import FILTERS
from hookengine.guard.sandbox.forbidden import INSTEAD_OF_FILTERS, OWN_DATA_ONLY, because
from hookengine.guard.sandbox.notes import APPLY, LOOK_UP, Notes, call, is_template, refused
from hookengine.guard.sandbox.parameters import constant_text, literal, one_of, parts_of, template_of
from hookengine.guard.sandbox.source import Read, Source
from hookengine.guard.sandbox.values import Missing, near, text
from hookengine.guard.sandbox.wording import Step, as_written, chain

JINJAS_OWN: Final = frozenset({"self", "super", "caller", "varargs", "kwargs"})
LONGEST_CHAIN: Final = 8
UNBOUND: Final = JINJAS_OWN | {"loop", "params", "secrets"}


@dataclass(frozen=True, slots=True)
class Expression:
    """One rewritten expression; `constant` is its text where it is a parameter that is one."""

    node: nodes.Expr
    site: int
    constant: str | None


Piece = str | Expression


class Reader:
    """Checks and rewrites the expressions of one template."""

    def __init__(self, notes: Notes, source: Source) -> None:
        self._notes, self._source = notes, source
        self._may_be_missing = False

    def pieces(self, tree: nodes.Template, *, spread: bool) -> list[Piece]:
        """Of a template without statements: its literal texts and its expressions, in order."""
        outputs = [node for output in tree.body if isinstance(output, nodes.Output) for node in output.nodes]
        return [piece for node in outputs for piece in self._pieces(node, spread)]

    def _pieces(self, node: nodes.Expr, spread: bool) -> list[Piece]:
        if isinstance(node, nodes.TemplateData):
            self._notes.count(node, self._source)
            return [node.data]
        inner = template_of(self._notes, node) if spread else None
        if inner is not None:
            name, source = inner
            reader = Reader(self._notes, source)
            with self._notes.unfolded(name, node, self._source):
                return [
                    piece for part in parts_of(self._notes, source) for piece in reader._pieces(part, True)
                ]
        constant = constant_text(self._notes, node, self._source)
        site = self._notes.site(self._source, node, as_written(node), text)
        return [Expression(self.expression(node), site, constant)]

    def expression(self, node: nodes.Node) -> nodes.Expr:
        rewrite = _EXPRESSIONS.get(type(node))
        if rewrite is None:
            raise because(node, self._source)
        with self._notes.below(node, self._source):
            return rewrite(self, node)

    def applied(
        self,
        first: nodes.Node,
        written: str,
        function: Callable[..., Any],
        *arguments: nodes.Node | str | int,
    ) -> nodes.Expr:
        """A call of our own function with rewritten expressions and constants."""
        site = self._notes.site(self._source, first, written, function)
        rest = [self.expression(part) if isinstance(part, nodes.Node) else part for part in arguments]
        return call(APPLY, self.expression(first), site, *rest)

    def decision(self, node: nodes.Node) -> nodes.Expr:
        """An expression whose truth is asked for."""
        if isinstance(node, nodes.Compare | nodes.Test | nodes.Not):
            return self.expression(node)
        return self.applied(node, as_written(node), operators.plain)

    def _const(self, node: nodes.Const) -> nodes.Expr:
        value = node.value
        if isinstance(value, float) and not math.isfinite(value):
            raise refused(self._source, node, "the number is too large", hint="numbers have up to 18 digits")
        if isinstance(value, int) and abs(value) > operators.LARGEST_NUMBER:
            raise refused(self._source, node, "the number is too large", hint="numbers have up to 18 digits")
        return nodes.Const(value)

    def _name(self, node: nodes.Name) -> nodes.Expr:
        if node.name in JINJAS_OWN or node.name.startswith("__"):
            raise refused(
                self._source, node, f"`{node.name}` is not allowed", written=node.name, hint=OWN_DATA_ONLY
            )
        if node.name == "params":
            message = "`params` is not a value"
            raise refused(self._source, node, message, written="params", hint="name one: params.NAME")
        return nodes.Name(node.name, "load")

    def _member(self, node: nodes.Getattr | nodes.Getitem) -> nodes.Expr:
        """A whole chain of constant steps at once, so that it is one look-up and one name in errors."""
        base, steps = chain(node)
        for step in steps:
            self._notes.count(node, self._source)
            if isinstance(step, str) and step.startswith("__"):
                message = f"`{step}` is not allowed"
                raise refused(self._source, node, message, written=f".{step}", hint=OWN_DATA_ONLY)
        if isinstance(base, nodes.Name) and base.name == "params" and steps and isinstance(steps[0], str):
            value, steps = self._param(node, steps[0]), steps[1:]
        elif isinstance(node, nodes.Getitem) and not steps:
            return self._computed_member(node)
        else:
            value = self.expression(base)
        if not steps:
            return value
        stepped = self._stepped(value, node, steps)
        if isinstance(base, nodes.Name) and base.name not in {"params", "loop"}:
            path = ".".join(map(str, (base.name, *steps)))
            self._notes.reads.append(Read(path, self._notes.sites[-1]))
        return stepped

    def _stepped(self, value: nodes.Expr, node: nodes.Expr, steps: list[Step]) -> nodes.Expr:
        site = self._notes.site(self._source, node, as_written(node), operators.look_up, tuple(steps))
        return call(LOOK_UP, value, site, tuple(steps))

    def _computed_member(self, node: nodes.Getitem) -> nodes.Expr:
        key, written = node.arg, as_written(node)
        if not isinstance(key, nodes.Slice):
            return self.applied(node.node, written, operators.subscript, key, written)
        if key.step is not None:
            raise refused(self._source, node, "a slice has no step", hint="write [start:stop]")
        bounds = [nodes.Const(None) if bound is None else bound for bound in (key.start, key.stop)]
        return self.applied(node.node, written, operators.cut, *bounds)

    def _param(self, node: nodes.Expr, name: str) -> nodes.Expr:
        """The expression a parameter stands for."""
        written = f"params.{name}"
        if name not in self._notes.params:
            if self._may_be_missing:
                return call(APPLY, nodes.Const(None), self._notes.site(self._source, node, written, _absent))
            near_names = near(name, self._notes.params)
            hint = f"did you mean {near_names}?" if near_names else "fill it in under `with:`"
            raise refused(self._source, node, f"{written} is not given", written=written, hint=hint)
        value = self._notes.params[name]
        with self._notes.unfolded(name, node, self._source):
            if not isinstance(value, str) or not is_template(value):
                return self.expression(literal(self._notes, value, node, self._source, written))
            inside = Source(written, value)
            return Reader(self._notes, inside).expression(one_of(parts_of(self._notes, inside)))

    def _filter(self, node: nodes.Filter) -> nodes.Expr:
        function, written = FILTERS.get(node.name), f"|{node.name}"
        if function is None or node.node is None:
            hint = INSTEAD_OF_FILTERS.get(node.name) or _known(node.name, FILTERS)
            message = f"the filter `{node.name}` is not allowed"
            raise refused(self._source, node, message, written=written, hint=hint)
        return self._called(node, node.node, written, function)

    def _test(self, node: nodes.Test) -> nodes.Expr:
        function = TESTS.get(node.name)
        if function is None:
            hint = _known(node.name, [name for name in TESTS if name.isalpha()])
            message = f"the test `{node.name}` is not allowed"
            raise refused(self._source, node, message, written=node.name, hint=hint)
        return self._called(node, node.node, node.name, function)

    def _called(
        self,
        node: nodes.Filter | nodes.Test,
        first: nodes.Expr,
        written: str,
        function: Callable[..., Any],
    ) -> nodes.Expr:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            message = "`*` and `**` arguments are not allowed"
            raise refused(self._source, node, message, written=written, hint="name them one by one")
        # Jinja's parser makes Keywords of them, whatever its own annotation says.
        named: dict[str, nodes.Expr] = {str(pair.key): pair.value for pair in node.kwargs}
        problem, known = check_arguments(function, len(node.args), named)
        if problem:
            raise refused(self._source, node, f"`{written}` {problem}", written=written, hint=known)
        site = self._notes.site(self._source, node, written, function)
        before, self._may_be_missing = self._may_be_missing, node.name in _FOR_MISSING
        reads = len(self._notes.reads)
        value = self.expression(first)
        self._may_be_missing = before
        if isinstance(node, nodes.Test) and node.name in _FOR_MISSING:
            del self._notes.reads[reads:]
        called = call(APPLY, value, site, *map(self.expression, node.args))
        keywords: list[Any] = [nodes.Keyword(key, self.expression(value)) for key, value in named.items()]
        called.kwargs = keywords
        return called

    def _compare(self, node: nodes.Compare) -> nodes.Expr:
        """`a < b < c` is `a < b and b < c`."""
        if len(node.ops) > LONGEST_CHAIN:
            message = f"more than {LONGEST_CHAIN} comparisons are chained"
            raise refused(self._source, node, message, hint="join some of them with `and`")
        left, whole = node.expr, None
        for operand in node.ops:
            written, function = operators.COMPARISONS[operand.op]
            compared = self.applied(left, written, function, operand.expr)
            whole = compared if whole is None else nodes.And(whole, compared)
            left = operand.expr
        return whole or self.expression(left)

    def _reckoning(self, node: nodes.BinExpr) -> nodes.Expr:
        written, function = operators.ARITHMETIC[type(node).__name__]
        return self.applied(node.left, written, function, node.right)

    def _negative(self, node: nodes.Neg) -> nodes.Expr:
        return self.applied(node.node, "-", operators.negative)

    def _positive(self, node: nodes.Pos) -> nodes.Expr:
        return self.applied(node.node, "+", operators.positive)

    def _concat(self, node: nodes.Concat) -> nodes.Expr:
        return self.applied(node.nodes[0], "~", operators.joined, *node.nodes[1:])

    def _both(self, node: nodes.And | nodes.Or) -> nodes.Expr:
        return type(node)(self.decision(node.left), self.expression(node.right))

    def _not(self, node: nodes.Not) -> nodes.Expr:
        return nodes.Not(self.decision(node.node))

    def _inline_if(self, node: nodes.CondExpr) -> nodes.Expr:
        """Without an `else` it is an empty text where the condition does not hold."""
        chosen = self.expression(node.expr1)
        other = nodes.Const("") if node.expr2 is None else self.expression(node.expr2)
        return nodes.CondExpr(self.decision(node.test), chosen, other)

    def _list(self, node: nodes.List | nodes.Tuple) -> nodes.Expr:
        if not node.items:
            return nodes.List([])
        if all(isinstance(member, nodes.Const) for member in node.items):
            return self._fixed(nodes.List([self.expression(member) for member in node.items]), node)
        return self.applied(node.items[0], "", operators.list_of, *node.items[1:])

    def _dict(self, node: nodes.Dict) -> nodes.Expr:
        if not node.items:
            return nodes.Dict([])
        if all(isinstance(part, nodes.Const) for pair in node.items for part in (pair.key, pair.value)):
            return self._fixed(nodes.Dict([self._pair(pair) for pair in node.items]), node)
        flat = [part for pair in node.items for part in (pair.key, pair.value)]
        return self.applied(flat[0], "", operators.object_of, *flat[1:])

    def _pair(self, pair: nodes.Pair) -> nodes.Pair:
        key = self.expression(pair.key)
        if not isinstance(key, nodes.Const) or not isinstance(key.value, str):
            raise refused(self._source, pair, "a key of an object is a text")
        return nodes.Pair(key, self.expression(pair.value))

    def _fixed(self, made: nodes.List | nodes.Dict, node: nodes.Expr) -> nodes.Expr:
        site = self._notes.site(self._source, node, "", operators.fixed)
        return call(APPLY, made, site, len(made.items))


def _known(name: str, names: Collection[str]) -> str:
    near_names = near(name, names)
    return f"did you mean {near_names}?" if near_names else f"there are {', '.join(sorted(names))}"


_FOR_MISSING: Final = frozenset({"default", "d", "defined", "undefined"})


def _absent(_run: Any, _value: Any) -> Missing:
    return Missing(hint="the parameter is not given")


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
    nodes.Neg: Reader._negative,
    nodes.Pos: Reader._positive,
    nodes.List: Reader._list,
    nodes.Tuple: Reader._list,
    nodes.Dict: Reader._dict,
}
