"""What is not in the dialect, in words, with what to use instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jinja2 import nodes

from hookengine.errors import TemplateError
from hookengine.guard.sandbox.source import Refusal, Source

_WORDS: Final[Mapping[type[nodes.Node], tuple[str, str, str]]] = {
    nodes.Pow: ("powers (`**`) are not allowed", "", "**"),
    nodes.Div: ("`/` is not allowed", "`//` divides whole numbers", "/"),
    nodes.Macro: ("macros are not allowed", "use a parameter", "macro"),
    nodes.CallBlock: ("call blocks are not allowed", "", "call"),
    nodes.FilterBlock: ("filter blocks are not allowed", "use {{ value | filter }}", "filter"),
    nodes.With: ("`with` blocks are not allowed", "use {% set name = value %}", "with"),
    nodes.AssignBlock: ("`set` blocks are not allowed", "write {% set name = 'a' ~ b %}", "set"),
    nodes.Block: ("blocks are not allowed", "a template stands alone", "block"),
    nodes.Extends: ("`extends` is not allowed", "a template stands alone", "extends"),
    nodes.Include: ("`include` is not allowed", "a template stands alone", "include"),
    nodes.Import: ("`import` is not allowed", "a template stands alone", "import"),
    nodes.FromImport: ("`import` is not allowed", "a template stands alone", "from"),
    nodes.ScopedEvalContextModifier: ("`autoescape` is not allowed", "", "autoescape"),
    nodes.NSRef: ("namespaces are not allowed", "", ""),
}

_METHODS: Final[Mapping[str, str]] = {
    "get": "write object.key | default('...')",
    "items": "write object | items",
    "format": "write 'text ' ~ value",
    "strip": "use |trim",
    "encode": "use |b64encode or |urlencode",
    "range": "loop over a list of the context",
    "now": "use event.occurred_at",
}


def because(node: nodes.Node, source: Source) -> TemplateError:
    """Why this is refused."""
    refusal, written = _call(node) if isinstance(node, nodes.Call) else _other(node)
    return source.error(refusal, node.lineno, written)


def _call(node: nodes.Call) -> tuple[Refusal, str]:
    called = node.node
    if isinstance(called, nodes.Name):
        name = written = called.name
    else:
        name = getattr(called, "attr", "")
        written = f".{name}" if name else ""
    hint = _METHODS.get(name, "use a filter, such as value | replace('a', 'b')")
    return Refusal(
        f"calls such as {name}() are not allowed" if name else "calls are not allowed", hint
    ), written


def _other(node: nodes.Node) -> tuple[Refusal, str]:
    message, hint, written = _WORDS.get(type(node), (f"`{type(node).__name__}` is not allowed", "", ""))
    return Refusal(message, hint), written
