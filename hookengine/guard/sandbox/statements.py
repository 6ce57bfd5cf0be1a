"""The statements of the dialect: if, for and set around text and expressions."""

from __future__ import annotations

from collections.abc import Iterable

from jinja2 import nodes

from hookengine.guard.sandbox import operators
from hookengine.guard.sandbox.budget import MAX_NESTED_LOOPS
from hookengine.guard.sandbox.dialect import UNBOUND, Reader
from hookengine.guard.sandbox.forbidden import because
from hookengine.guard.sandbox.notes import LITERAL, VALUE, Notes, call, refused
from hookengine.guard.sandbox.parameters import constant_text
from hookengine.guard.sandbox.source import Source
from hookengine.guard.sandbox.values import text
from hookengine.guard.sandbox.wording import as_written


class Statements:
    """Rewrites the statements of one template, so that they record its texts and values in order."""

    def __init__(self, notes: Notes, source: Source) -> None:
        self._notes, self._source = notes, source
        self._reader = Reader(notes, source)
        self._loops = 0

    def front(self, tree: nodes.Template) -> str:
        """The literal text a template certainly begins with, a parameter at its very start included."""
        first = tree.body[0]
        front = ""
        for position, node in enumerate(first.nodes[:2] if isinstance(first, nodes.Output) else []):
            literal = isinstance(node, nodes.TemplateData) or position == 0
            known = constant_text(self._notes, node, self._source) if literal else None
            if known is None:
                break
            front += known
        return front

    def rewrite(self, body: Iterable[nodes.Node]) -> list[nodes.Node]:
        return [rewritten for node in body for rewritten in self._rewrite(node)]

    def _rewrite(self, node: nodes.Node) -> list[nodes.Node]:
        with self._notes.below(node, self._source):
            if isinstance(node, nodes.Output):
                return [self._output(part) for part in node.nodes]
            if isinstance(node, nodes.If):
                return [self._if(node)]
            if isinstance(node, nodes.For):
                return [self._for(node)]
            if isinstance(node, nodes.Assign):
                return [self._set(node)]
            raise because(node, self._source)

    def _output(self, node: nodes.Expr) -> nodes.ExprStmt:
        self._notes.count(node, self._source)
        if isinstance(node, nodes.TemplateData):
            return nodes.ExprStmt(call(LITERAL, nodes.Const(node.data)), lineno=1)
        site = self._notes.site(self._source, node, as_written(node), text)
        constant = constant_text(self._notes, node, self._source)
        return nodes.ExprStmt(call(VALUE, self._reader.expression(node), site, constant), lineno=1)

    def _if(self, node: nodes.If) -> nodes.If:
        return nodes.If(
            self._reader.decision(node.test),
            self.rewrite(node.body),
            [branch for inner in node.elif_ for branch in self._rewrite(inner)],
            self.rewrite(node.else_),
            lineno=1,
        )

    def _for(self, node: nodes.For) -> nodes.For:
        if node.recursive:
            message, hint = "`recursive` loops are not allowed", "nest two loops"
            raise refused(self._source, node, message, written="recursive", hint=hint)
        if self._loops == MAX_NESTED_LOOPS:
            message = f"loops are nested more than {MAX_NESTED_LOOPS} deep"
            hint = "|map(attribute=), |selectattr and |join work without a loop"
            raise refused(self._source, node, message, written="for", hint=hint)
        names = self._targets(node.target)
        listed = self._reader.applied(node.iter, as_written(node.iter), operators.rounds, len(names))
        self._loops += 1
        chosen = None if node.test is None else self._reader.decision(node.test)
        body = self.rewrite(node.body)
        self._loops -= 1
        return nodes.For(_store(names), listed, body, self.rewrite(node.else_), chosen, False, lineno=1)

    def _set(self, node: nodes.Assign) -> nodes.Assign:
        if not isinstance(node.target, nodes.Name):
            message, hint = "`set` binds one plain name at a time", "write {% set name = value %}"
            raise refused(self._source, node, message, written="set", hint=hint)
        names = self._targets(node.target)
        bound = self._reader.applied(node.node, as_written(node.node), operators.kept)
        return nodes.Assign(_store(names), bound, lineno=1)

    def _targets(self, node: nodes.Node) -> list[str]:
        names = []
        for member in node.items if isinstance(node, nodes.Tuple) else [node]:
            self._notes.count(member, self._source)
            if not isinstance(member, nodes.Name):
                message, hint = "only plain names can be bound", "write {% for name in list %}"
                raise refused(self._source, node, message, written="for", hint=hint)
            if member.name in UNBOUND or member.name in names or member.name.startswith("__"):
                message = f"`{member.name}` cannot be bound here"
                raise refused(self._source, node, message, written=member.name, hint="take another name")
            names.append(member.name)
        return names


def _store(names: list[str]) -> nodes.Expr:
    targets: list[nodes.Expr] = [nodes.Name(name, "store") for name in names]
    return targets[0] if len(targets) == 1 else nodes.Tuple(targets, "store")
