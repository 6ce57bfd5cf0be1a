"""Files against what is defined: over HTTP by a node, and by a command beside the nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from hookengine.config import Settings, read_files
from hookengine.domain.clock import Clock, SystemClock
from hookengine.engine.reloading import Reloader
from hookengine.errors import ConfigError, DefinitionsMoved, Problem
from hookengine.manifest import load, shipped_presets, with_keys
from hookengine.manifest.applying import TRIES, Order, apply
from hookengine.manifest.exporting import exported
from hookengine.manifest.plan import Wish, plan
from hookengine.manifest.selector import Selector
from hookengine.manifest.telling import told
from hookengine.store.cold import definitions as cold
from hookengine.store.contract import Store
from hookengine.store.migrations import connected
from hookengine.store.standing import Standing
from hookengine.yaml_text import as_yaml


@dataclass(frozen=True, slots=True)
class Applier:
    """Of a node: what it applies counts there at once."""

    store: Store
    reloader: Reloader
    settings: Settings
    environ: Mapping[str, str]
    clock: Clock

    async def apply(self, order: Order) -> dict[str, Any]:
        """Raises ConfigError, StoreError."""
        standing = await self.store.standing()
        wish = wish_of(order, standing, self.settings, self.environ, at_home=False)
        if order.dry_run:
            return told(plan(wish, standing), dry_run=True)
        planned = await apply(self.store, wish, self.clock.now())
        await self.reloader.reload()
        return told(planned, dry_run=False)

    async def export(self) -> str:
        return _exported(await self.store.standing())


def apply_beside(order: Order, settings: Settings, url: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """In the database itself; nodes notice within a second. Blocks. Raises ConfigError, StoreError."""
    for _ in range(TRIES):
        standing = connected(url, cold.standing)
        planned = plan(wish_of(order, standing, settings, environ), standing)
        if not order.dry_run and planned.changes:
            write = partial(cold.apply, changes=planned.changes, now=SystemClock().now())
            try:
                connected(url, write, writes=True)
            except DefinitionsMoved:
                continue
        return told(planned, dry_run=order.dry_run)
    raise DefinitionsMoved("what is defined changes faster than it can be read; try again")


def export_beside(url: str) -> str:
    return _exported(connected(url, cold.standing))


def wish_of(
    order: Order,
    standing: Standing,
    settings: Settings,
    environ: Mapping[str, str],
    *,
    at_home: bool = True,
) -> Wish:
    """Hooks may name pipelines and secrets that only the database has. Files and variables that a document names
    are only read `at_home`, where it came from. Raises ConfigError."""
    selector = Selector.parse(order.selector) if order.selector else None
    if order.prune and selector is None:
        hint = "such as managed-by=apply, or pipeline=shop-deploy"
        raise ConfigError([Problem(message="pruning needs a selector of what may be deleted", hint=hint)])
    documents = [load(file.text, name=file.name, folder=file.folder) for file in order.files]
    manifest = read_files(
        documents,
        environ,
        base=settings,
        secret_names={secret.name for secret in standing.definitions.secrets},
        pipelines={
            reference: pipeline.id
            for pipeline in standing.definitions.pipelines
            for reference in (pipeline.name, pipeline.id)
        },
    )
    if not at_home and any(key.digest is None for key in manifest.integration_keys.values()):
        hint = "write `integration_key: {digest: ...}`, or apply it beside the database"
        raise ConfigError([Problem(message="an integration key is not read for others", hint=hint)])
    return Wish(
        manifest=with_keys(manifest, environ),
        manager=selector.manager if selector else None,
        prune=selector if order.prune else None,
    )


def _exported(standing: Standing) -> str:
    return as_yaml(exported(standing, shipped_presets()))
