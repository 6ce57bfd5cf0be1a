"""Parts of a parsed template, as their author wrote them."""

from __future__ import annotations

from jinja2 import nodes

Step = str | int


def chain(node: nodes.Getattr | nodes.Getitem) -> tuple[nodes.Expr, list[Step]]:
    """A look-up taken apart: `a.b[0].c` is the name `a` and the steps `b`, 0 and `c`."""
    steps: list[Step] = []
    base: nodes.Expr = node
    while isinstance(base, nodes.Getattr | nodes.Getitem):
        step = _step(base)
        if step is None:
            break
        steps.append(step)
        base = base.node
    return base, steps[::-1]


def _step(node: nodes.Getattr | nodes.Getitem) -> Step | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    key = node.arg
    if isinstance(key, nodes.Neg) and isinstance(key.node, nodes.Const) and type(key.node.value) is int:
        return -key.node.value
    if isinstance(key, nodes.Const) and type(key.value) in (str, int):
        step: Step = key.value
        return step
    return None


def as_written(node: nodes.Node) -> str:
    """A variable as it was written; for other expressions what is typical of them, or nothing."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr | nodes.Getitem):
        base, steps = chain(node)
        if isinstance(base, nodes.Getitem):
            return as_written(base.node) + "[...]" + _shown(steps)
        return (as_written(base) or "(...)") + _shown(steps)
    if isinstance(node, nodes.Filter):
        return f"|{node.name}"
    return ""


def _shown(steps: list[Step]) -> str:
    return "".join(
        f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{step!r}]" for step in steps
    )


def param_name(node: nodes.Node) -> str | None:
    """NAME, if this is `params.NAME` and nothing more."""
    if not isinstance(node, nodes.Getattr | nodes.Getitem):
        return None
    base, steps = chain(node)
    if isinstance(base, nodes.Name) and base.name == "params" and len(steps) == 1:
        return steps[0] if isinstance(steps[0], str) else None
    return None
