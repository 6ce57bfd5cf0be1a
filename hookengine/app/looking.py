"""What is defined, as the API shows it, looked at and switched by a command beside the nodes. These block."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import Connection

from hookengine.domain.clock import SystemClock
from hookengine.domain.definition import Kind
from hookengine.domain.hook import HookState
from hookengine.store.cold import definitions
from hookengine.store.cold.single import notes
from hookengine.store.migrations import connected
from hookengine.web.api import hooks, pipelines


def hooks_beside(url: str) -> list[dict[str, Any]]:
    """By their ids."""

    def shown(connection: Connection) -> list[dict[str, Any]]:
        found = definitions.read(connection).hooks
        known = notes(connection, Kind.HOOK, [hook.id for hook in found])
        return [hooks.shown(hook, known[hook.id]) for hook in found]

    return connected(url, shown)


def pipelines_beside(url: str) -> list[dict[str, Any]]:
    """By their ids."""

    def shown(connection: Connection) -> list[dict[str, Any]]:
        found = definitions.read(connection).pipelines
        known = notes(connection, Kind.PIPELINE, [pipeline.id for pipeline in found])
        return [pipelines.shown(pipeline, known[pipeline.id]) for pipeline in found]

    return connected(url, shown)


def switch_beside(url: str, hook_id: str, state: HookState, because: str) -> None:
    """Raises NotFound."""
    switch = partial(
        definitions.switch, hook_id=hook_id, state=state, because=because, now=SystemClock().now()
    )
    connected(url, switch, writes=True)
