"""What is noted while the templates of one hook are read: bounds used up, and the place of each construct."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from jinja2 import Environment, TemplateSyntaxError, nodes

from hookengine.errors import TemplateError
from hookengine.guard.sandbox.budget import MAX_DEPTH, MAX_NODES, MAX_SOURCE
from hookengine.guard.sandbox.source import Read, Refusal, Site, Source

# The calls a rewritten tree is made of; no template can write these names.
APPLY: Final = "apply"
LOOK_UP: Final = "look up"
OPEN: Final = "open"
LITERAL: Final = "literal"
VALUE: Final = "value"
RESULT: Final = "result"


def call(operation: str, first: nodes.Expr, *arguments: Any) -> nodes.Filter:
    given = [part if isinstance(part, nodes.Expr) else nodes.Const(part) for part in arguments]
    return nodes.Filter(first, operation, given, [], None, None, lineno=1)


SMALLER: Final = "let the platform send what it takes so much to say"


def _hint_to(problem: str) -> str:
    """What to do about a mistake that Jinja's parser found."""
    if "unknown tag" in problem:
        return "there are if, for and set"
    if "Unexpected end" in problem:
        return "close every {% if %} with {% endif %}, every {% for %} with {% endfor %}"
    return "an expression stands in {{ }}, a statement in {% %}"


def is_template(text: str) -> bool:
    return "{{" in text or "{%" in text or "{#" in text


@dataclass(slots=True)
class Notes:
    """`unfolding` are the parameters that are being replaced by what they stand for; `reads` are the variables
    of the context that are read, but for those that are only asked whether they are there.
    """

    environment: Environment
    params: Mapping[str, Any]
    sites: list[Site] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    unfolding: tuple[str, ...] = ()
    _source_left: int = MAX_SOURCE
    _nodes_left: int = MAX_NODES
    _depth: int = 0
    _trees: dict[str, nodes.Template] = field(default_factory=dict)

    def parse(self, source: Source) -> nodes.Template:
        """Only parses: Jinja folds constants when it compiles, and nothing unchecked may get there."""
        self._source_left -= len(source.text)
        if self._source_left < 0:
            raise source.error(Refusal("the templates of this hook are larger than 16 KiB together", SMALLER))
        try:
            return self.environment.parse(source.text)
        except TemplateSyntaxError as error:
            got = re.search(r"(?:got|tag) '([^']+)'", error.message or "")
            refusal = Refusal(error.message or "the template cannot be read", _hint_to(error.message or ""))
            raise source.error(refusal, error.lineno, got[1] if got else "") from None
        except Exception as error:  # noqa: BLE001 (a RecursionError of the parser, a ValueError of a number)
            raise source.failure(error) from None

    def param_tree(self, source: Source) -> nodes.Template:
        """The same for a parameter, which is parsed once however often it is named."""
        tree = self._trees.get(source.field)
        if tree is None:
            tree = self._trees[source.field] = self.parse(source)
        return tree

    @contextmanager
    def below(self, node: nodes.Node, source: Source) -> Iterator[None]:
        """Counts the node, and one level of depth for what is done in it."""
        self.count(node, source)
        if self._depth >= MAX_DEPTH:
            refusal = Refusal(f"it is nested more than {MAX_DEPTH} deep", "name parts of it with {% set %}")
            raise source.error(refusal, node.lineno)
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def count(self, node: nodes.Node, source: Source) -> None:
        self._nodes_left -= 1
        if self._nodes_left < 0:
            message = f"the templates of this hook have more than {MAX_NODES:,} parts together"
            refusal = Refusal(message, SMALLER)
            raise source.error(refusal, node.lineno)

    @contextmanager
    def unfolded(self, name: str, node: nodes.Node, source: Source) -> Iterator[None]:
        """For what a parameter stands for. A parameter never stands for itself."""
        if name in self.unfolding:
            circle = " -> ".join(f"params.{each}" for each in (*self.unfolding, name))
            raise source.error(
                Refusal(f"parameters refer to each other in a circle: {circle}"),
                node.lineno,
                f"params.{name}",
            )
        before, self.unfolding = self.unfolding, (*self.unfolding, name)
        try:
            with self.below(node, source):
                yield
        finally:
            self.unfolding = before

    def site(
        self,
        source: Source,
        node: nodes.Node,
        written: str,
        function: Callable[..., Any],
        steps: tuple[str | int, ...] = (),
    ) -> int:
        self.sites.append(Site(source, node.lineno, written, function, steps))
        return len(self.sites) - 1


def refused(
    source: Source, node: nodes.Node, message: str, *, written: str = "", hint: str = ""
) -> TemplateError:
    return source.error(Refusal(message, hint), node.lineno, written)
