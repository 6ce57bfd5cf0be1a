"""What is not in the dialect, in words, with what to use instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jinja2 import nodes

from hookengine.errors import TemplateError
from hookengine.guard.sandbox.filters import FILTERS
from hookengine.guard.sandbox.source import Refusal, Source

ENCODED: Final = "leave it out: every value is encoded for the place it enters"
OWN_DATA_ONLY: Final = "only the keys of the event's own data can be read"

_WORDS: Final[Mapping[type[nodes.Node], tuple[str, str, str]]] = {
    nodes.Pow: ("powers (`**`) are not allowed", "write the number itself", "**"),
    nodes.Div: ("`/` is not allowed", "`//` divides whole numbers", "/"),
    nodes.Macro: ("macros are not allowed", "use a parameter", "macro"),
    nodes.CallBlock: ("call blocks are not allowed", "write the text where it belongs", "call"),
    nodes.FilterBlock: ("filter blocks are not allowed", "use {{ value | filter }}", "filter"),
    nodes.With: ("`with` blocks are not allowed", "use {% set name = value %}", "with"),
    nodes.AssignBlock: ("`set` blocks are not allowed", "write {% set name = 'a' ~ b %}", "set"),
    nodes.Block: ("blocks are not allowed", "a template stands alone", "block"),
    nodes.Extends: ("`extends` is not allowed", "a template stands alone", "extends"),
    nodes.Include: ("`include` is not allowed", "a template stands alone", "include"),
    nodes.Import: ("`import` is not allowed", "a template stands alone", "import"),
    nodes.FromImport: ("`import` is not allowed", "a template stands alone", "from"),
    nodes.ScopedEvalContextModifier: ("`autoescape` is not allowed", ENCODED, "autoescape"),
    nodes.NSRef: ("namespaces are not allowed", "use |map, |selectattr or |join on the list", ""),
}

_METHODS: Final[Mapping[str, str]] = {
    "get": "write object.key | default('...')",
    "items": "write object | items",
    "keys": "write `for key, value in object | items`",
    "values": "write `for key, value in object | items`",
    "format": "write 'text ' ~ value",
    "strip": "use |trim",
    "startswith": "write text[:4] == 'abcd'",
    "endswith": "write text[-4:] == 'abcd'",
    "encode": "use |b64encode or |urlencode",
    "isoformat": "use |datetime",
    "strftime": "use |datetime, |epoch or |epoch_ms",
    "range": "loop over a list of the context",
    "now": "use event.occurred_at",
    "namespace": "use |map, |selectattr or |join on the list",
    "dict": "write {'key': value}",
    "cycle": "write ['a', 'b'][loop.index0 % 2]",
}

INSTEAD_OF_FILTERS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("safe", "e", "escape", "forceescape", "xmlattr"), ENCODED),
    "attr": "write value.name or value[name]",
    "format": "write 'text ' ~ value",
    "strftime": "use |datetime, |epoch or |epoch_ms",
    "dictsort": "use |items | sort(attribute=0)",
    "indent": "leave it out: JSON is written compactly",
    "pprint": "use |tojson",
    "striptags": "use |replace",
    "wordwrap": "use |truncate",
}
"""Of filters people know from elsewhere."""


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
    hint = _METHODS.get(name) or "use a filter, such as value | replace('a', 'b')"
    if name in FILTERS and name not in _METHODS:
        hint = f"write value | {name}"
    message = f"calls such as {name}() are not allowed" if name else "calls are not allowed"
    return Refusal(message, hint), written


def _other(node: nodes.Node) -> tuple[Refusal, str]:
    message, hint, written = _WORDS.get(
        type(node), (f"`{type(node).__name__}` is not allowed", "docs/hooks.md lists what is", "")
    )
    return Refusal(message, hint), written
