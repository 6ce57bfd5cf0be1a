"""Files against what is defined."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hookengine.config import Settings, read_files
from hookengine.domain.clock import Clock
from hookengine.engine.reloading import Reloader
from hookengine.errors import ConfigError, Problem
from hookengine.manifest import load, shipped_presets, with_keys
from hookengine.manifest.applying import File, Order, apply
from hookengine.manifest.exporting import exported
from hookengine.manifest.plan import Wish, plan
from hookengine.manifest.selector import Selector
from hookengine.manifest.telling import AppliedPlan, told
from hookengine.store.contract import Store
from hookengine.store.standing import Standing
from hookengine.yaml_text import as_yaml


@dataclass(frozen=True, slots=True)
class Applier:
    """What it applies counts here at once. Files and variables that a document names are only read `at_home`, where
    it came from."""

    store: Store
    reloader: Reloader
    settings: Settings
    environ: Mapping[str, str]
    clock: Clock
    at_home: bool = False

    async def apply(self, order: Order) -> AppliedPlan:
        """Raises ConfigError, StoreError."""
        standing = await self.store.standing()
        wish = await asyncio.to_thread(self._wish_of, order, standing)  # large files take seconds to read
        if order.dry_run:
            return told(plan(wish, standing), dry_run=True)
        planned = await apply(self.store, wish, self.clock.now())
        await self.reloader.reload()
        return told(planned, dry_run=False)

    async def export(self) -> str:
        return as_yaml(exported(await self.store.standing(), shipped_presets()))

    def _wish_of(self, order: Order, standing: Standing) -> Wish:
        """Hooks may name pipelines and secrets that only the database has. Raises ConfigError."""
        selector = Selector.parse(order.selector) if order.selector else None
        if order.prune and selector is None:
            hint = "such as managed-by=apply, or pipeline=shop-deploy"
            raise ConfigError([Problem(message="pruning needs a selector of what may be deleted", hint=hint)])
        documents = [load(file.text, name=file.name, folder=self._folder(file)) for file in order.files]
        manifest = read_files(
            documents,
            self.environ,
            base=self.settings,
            secret_names={secret.name for secret in standing.definitions.secrets},
            pipelines={
                reference: pipeline.id
                for pipeline in standing.definitions.pipelines
                for reference in (pipeline.name, pipeline.id)
            },
        )
        if not self.at_home and any(key.digest is None for key in manifest.integration_keys.values()):
            hint = "write `integration_key: {digest: ...}`, or apply it beside the database"
            raise ConfigError([Problem(message="an integration key is not read for others", hint=hint)])
        return Wish(
            manifest=with_keys(manifest, self.environ),
            manager=selector.manager if selector else None,
            prune=selector if order.prune else None,
        )

    def _folder(self, file: File) -> Path | None:
        return Path(file.name).absolute().parent if self.at_home else None
