"""What `params.NAME` stands for: a template of its own, or plain data, in which texts may be templates again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import nodes

from hookengine.guard.sandbox.budget import MAX_SOURCE
from hookengine.guard.sandbox.notes import Notes, is_template, refused
from hookengine.guard.sandbox.source import Refusal, Source
from hookengine.guard.sandbox.wording import param_name


def template_of(notes: Notes, node: nodes.Node) -> tuple[str, Source] | None:
    """Name and text of the parameter, if this node is one that holds a template."""
    name = param_name(node)
    value = None if name is None else notes.params.get(name)
    if name is None or not isinstance(value, str) or not is_template(value):
        return None
    return name, Source(f"params.{name}", value)


def parts_of(notes: Notes, source: Source) -> list[nodes.Expr]:
    """The texts and expressions of a parameter that holds a template."""
    parts: list[nodes.Expr] = []
    for node in notes.param_tree(source).body:
        if not isinstance(node, nodes.Output):
            raise source.error(Refusal("a parameter holds text and expressions, no statements"), node.lineno)
        parts += node.nodes
    return parts


def constant_text(notes: Notes, node: nodes.Node, source: Source) -> str | None:
    """The text of a parameter that is nothing but text, through all the parameters it is made of."""
    if isinstance(node, nodes.TemplateData):
        return node.data
    inner = template_of(notes, node)
    if inner is None:
        name = param_name(node)
        value = None if name is None else notes.params.get(name)
        return value if isinstance(value, str) else None
    name, text = inner
    with notes.unfolded(name, node, source):
        texts = [constant_text(notes, part, text) for part in parts_of(notes, text)]
    known = [part for part in texts if part is not None]
    if sum(map(len, known)) > MAX_SOURCE:
        raise text.error(Refusal("the parameter becomes larger than 16 KiB"))
    return "".join(known) if len(known) == len(texts) else None


def one_of(parts: list[nodes.Expr]) -> nodes.Expr:
    """A template's parts as one expression, which keeps its type where it is alone."""
    whole = [
        nodes.Const(part.data, lineno=part.lineno) if isinstance(part, nodes.TemplateData) else part
        for part in parts
    ]
    return whole[0] if len(whole) == 1 else nodes.Concat(whole or [nodes.Const("")], lineno=1)


def literal(notes: Notes, value: Any, node: nodes.Node, source: Source, field: str) -> nodes.Expr:
    """Data as the expression an author could have written. `field` is where it stands."""
    if isinstance(value, Mapping):
        pairs = [
            nodes.Pair(
                nodes.Const(str(key)),
                literal(notes, member, node, source, f"{field}.{key}"),
                lineno=node.lineno,
            )
            for key, member in value.items()
        ]
        return nodes.Dict(pairs, lineno=node.lineno)
    if isinstance(value, list | tuple):
        members = [
            literal(notes, member, node, source, f"{field}[{index}]") for index, member in enumerate(value)
        ]
        return nodes.List(members, lineno=node.lineno)
    if isinstance(value, str) and is_template(value):
        return one_of(parts_of(notes, Source(field, value)))
    if value is None or isinstance(value, int | float):
        return nodes.Const(value, lineno=node.lineno)
    if isinstance(value, str):
        return nodes.Const(str(value), lineno=node.lineno)
    raise refused(source, node, "the parameter is not plain data")
