"""Hooks and pipelines by what people call them: an id or a name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from hookengine.cli.failing import AnswerIsNo, Misused

if TYPE_CHECKING:
    from hookengine.cli.client import Client

HOOKS: Final = "/api/hooks"
PIPELINES: Final = "/api/pipelines"


def hook_called(client: Client, name: str) -> dict[str, Any]:
    """Raises AnswerIsNo, and Misused if several are called so."""
    known = client.all(HOOKS)
    found = [hook for hook in known if hook["id"] == name] or [hook for hook in known if hook["name"] == name]
    if len(found) > 1:
        ids = ", ".join(hook["id"] for hook in found)
        raise Misused(f"{len(found)} hooks have the name '{name}'; say which one: {ids}")
    if not found:
        raise _unknown("hook", name, [word for hook in known for word in (hook["name"], hook["id"])])
    return found[0]


def pipeline_names(client: Client) -> dict[int, str]:
    return {pipeline["id"]: pipeline["name"] for pipeline in client.all(PIPELINES)}


def pipeline_called(reference: str, names: dict[int, str]) -> int:
    """Its id. Raises AnswerIsNo."""
    by_name = {name: pipeline_id for pipeline_id, name in names.items()}
    by_id = {str(pipeline_id): pipeline_id for pipeline_id in names}
    found = by_id.get(reference, by_name.get(reference))
    if found is None:
        raise _unknown("pipeline", reference, list(by_name))
    return found


def _unknown(kind: str, name: str, known: Sequence[str]) -> AnswerIsNo:
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1)
    return AnswerIsNo(f"there is no {kind} '{name}'{f', did you mean {near[0]!r}?' if near else ''}")
