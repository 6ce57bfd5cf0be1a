"""Defining things in tests as a file would that names all of its own."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from hookengine.domain.clock import Millis
from hookengine.domain.hook import Hook
from hookengine.domain.manager import of_files
from hookengine.manifest import Manifest
from hookengine.manifest.applying import apply
from hookengine.manifest.plan import Wish, plan
from hookengine.manifest.selector import Selector
from hookengine.store.care import Definitions
from hookengine.store.cold import definitions as cold
from hookengine.store.contract import Store
from tests.conftest import NOW


async def define(store: Store, definitions: Definitions, name: str, now: Millis) -> Definitions:
    """All that is defined then, by anyone."""
    await apply(store, wished(definitions, name), now)
    _, defined = await store.definitions()
    assert defined is not None
    return defined


def define_here(connection: Connection, hooks: Sequence[Hook]) -> None:
    planned = plan(wished(Definitions(hooks=tuple(hooks)), "file"), cold.standing(connection))
    cold.apply(connection, planned.changes, NOW)


def wished(definitions: Definitions, name: str) -> Wish:
    manifest = Manifest(
        pipelines=definitions.pipelines,
        hooks=definitions.hooks,
        incoming_hooks=definitions.incoming_hooks,
    )
    return Wish(manifest=manifest, manager=of_files(name), prune=Selector({"managed-by": name}))
