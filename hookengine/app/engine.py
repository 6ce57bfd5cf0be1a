"""The engine as a library."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger
from fastapi import FastAPI

from hookengine import __version__
from hookengine.app.parts import Parts, assemble, configured_tokens
from hookengine.config import Settings, read_config
from hookengine.config.groups import Server
from hookengine.domain.clock import Clock, SystemClock
from hookengine.domain.event_list import levels_in, parse_all
from hookengine.domain.request import SecretRef
from hookengine.engine.reloading import RELOAD_EVERY
from hookengine.engine.replays import TICK
from hookengine.engine.signals import WORKER_STARTED, WORKER_STOPPED, Signals
from hookengine.engine.upkeep import ScheduledAlarm, new_scheduler
from hookengine.engine.watchdog import WATCH_EVERY
from hookengine.engine.wire.pool import LONGEST_IDLE
from hookengine.errors import InvalidEvent
from hookengine.manifest import Manifest
from hookengine.web.api.applying import APPLY
from hookengine.web.api.defining import Defining
from hookengine.web.api.editor import Editor
from hookengine.web.app import Doors, create_web
from hookengine.web.limits import Bounds

GRACE = 30.0  # seconds that requests under way may take to end when the engine stops
ROUND_EVERY = 1.0
"""Seconds after which a loop that is well has gone round again, and has seen what commands wrote beside it."""


class HookEngine:
    """An engine that accepts events and delivers what they owe, for as long as it is open.

    async with HookEngine.open("config.yaml") as engine:
        await engine.accept({"type": "action.started", "action": {"id": 41, "pipeline": 1}})
    """

    def __init__(
        self, parts: Parts, signals: Signals, settings: Settings, environ: Mapping[str, str]
    ) -> None:
        self.parts = parts
        self.signals = signals
        self.secrets = parts.secrets
        self.tokens = parts.tokens
        self.settings = settings
        self._environ = environ
        self._scheduler: AsyncIOScheduler

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        config: str | Path | tuple[Settings, Manifest],
        *,
        environ: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        signals: Signals | None = None,
        deliver: bool = True,
        apply: bool = True,
    ) -> AsyncIterator[HookEngine]:
        """`config` is a configuration file, or what `read_config` made of one. With `deliver` False
        events are accepted, but nothing is sent until another start, or another node, delivers it. With
        `apply` False the file's pipelines and hooks are left alone: what the database has counts.

        Raises ConfigError, StoreBusy, StoreError.
        """
        chosen = os.environ if environ is None else environ
        settings, manifest = config if isinstance(config, tuple) else read_config(Path(config), chosen)
        clock, signals = clock or SystemClock(), signals or Signals()
        async with contextlib.AsyncExitStack() as stack:
            parts = await assemble(settings, manifest if apply else None, clock, signals, stack, chosen)
            engine = cls(parts, signals, settings, chosen)
            await stack.enter_async_context(engine._cared_for(deliver=deliver))
            if deliver:
                await stack.enter_async_context(engine._delivering(clock))
            yield engine

    @classmethod
    @asynccontextmanager
    async def beside(
        cls, settings: Settings, *, environ: Mapping[str, str] | None = None
    ) -> AsyncIterator[HookEngine]:
        """For a command, in the database of nodes, whether one runs or not: nothing is delivered or applied here, and
        nodes notice within a second what was written. Whoever may open the database may do everything.

        Raises ConfigError, StoreError, and StoreBusy if a node runs that knows older tables only.
        """
        chosen = os.environ if environ is None else environ
        everybody = settings.model_copy(update={"auth": settings.auth.model_copy(update={"enabled": False})})
        signals = Signals()
        async with contextlib.AsyncExitStack() as stack:
            parts = await assemble(everybody, None, SystemClock(), signals, stack, chosen, beside=True)
            yield cls(parts, signals, everybody, chosen)

    async def accept(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """What was accepted and which hooks matched, once it is durable. Raises InvalidEvent, EventConflict."""
        (answer,) = await self.accept_all([event])
        return answer

    async def accept_all(self, events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """All of them, or none."""
        text = _written(events)
        return await self.parts.intake.accept(parse_all(orjson.loads(text), levels_in(text)))

    def web(self, *, api: bool = True, within: str | None = None) -> FastAPI:
        """The HTTP API over this engine, an ASGI application; without `api` only its health and figures. `within`: no
        other routes than those whose paths begin with this, of two steps.

        Raises ConfigError if a token cannot be read.
        """
        asked_for = self.settings.auth.enabled
        self.parts.token_ring.configure(
            list(configured_tokens(self.settings, self._environ)) if asked_for else None
        )
        return create_web(
            Doors(
                api=api,
                intake=self.parts.intake,
                triggers=self.parts.triggers,
                reading=self.parts.reading,
                defining=self._defining(),
                ready=self._ready,
                metrics=self.parts.exposition,
                metrics_public=self.settings.metrics.public,
                sources=self.parts.hearing,
                callers=self.parts.token_ring,
                tokens=self.parts.tokens,
                catalogue=self.parts.catalogue,
                applier=self.parts.applier,
                bounds=_bounds(self.settings.server),
                version=__version__,
            ),
            within=within,
        )

    def _defining(self) -> Defining:
        vault = self.parts.vault

        def names(pipeline_id: int | None, hook_id: str) -> dict[str, SecretRef]:
            return {**vault.refs(pipeline_id or 0), **vault.refs_of(hook_id)}

        editor = Editor(
            desk=self.parts.definitions,
            secret_names=names,
            signing_names=vault.signing_names,
            permissions=self.settings.permissions,
        )
        return Defining(
            editor=editor,
            trials=self.parts.trials,
            secrets=self.parts.secrets,
            store=self.parts.store,
            public_url=self.settings.server.public_url,
        )

    async def _ready(self) -> None:
        """What can be read only is no place to accept events at."""
        await self.parts.store.writable()

    @asynccontextmanager
    async def _cared_for(self, *, deliver: bool) -> AsyncIterator[None]:
        """The care that every node gives; that of the database only from nodes that deliver."""
        scheduler = self._scheduler = new_scheduler()
        parts = self.parts
        scheduler.add_job(parts.reloader.keep_up, IntervalTrigger(seconds=RELOAD_EVERY))
        if deliver:
            parts.upkeep.schedule(scheduler)
            scheduler.add_job(parts.watchdog.watch, IntervalTrigger(seconds=WATCH_EVERY))
            scheduler.add_job(parts.replays.keep_up, IntervalTrigger(seconds=TICK))
            scheduler.add_job(parts.pool.close_idle, IntervalTrigger(seconds=LONGEST_IDLE / 2))
        scheduler.start()
        try:
            yield
        finally:
            scheduler.shutdown(wait=False)

    @asynccontextmanager
    async def _delivering(self, clock: Clock) -> AsyncIterator[None]:
        """Where one process owns the database, the holder of whatever lease is found at the start is gone."""
        worker, store = self.parts.worker, self.parts.store
        if not self.parts.shared:
            await store.expire_leases(clock.now())

        async def go_round() -> None:
            worker.wake()

        self._scheduler.add_job(go_round, IntervalTrigger(seconds=ROUND_EVERY), id="round")
        alarm = ScheduledAlarm(self._scheduler, worker.wake, clock)
        running = asyncio.create_task(worker.run(alarm), name="worker")
        self.signals.announce(WORKER_STARTED, in_flight=self.settings.delivery.concurrency)
        try:
            yield
        finally:
            await worker.stop(GRACE)
            await running
            self.signals.announce(WORKER_STOPPED)


def _written(events: Sequence[Mapping[str, Any]]) -> bytes:
    """They are read back from it: what the caller does to its own later is its own affair."""
    try:
        return orjson.dumps([*events])
    except TypeError as error:
        raise InvalidEvent({"event": [f"An event holds JSON values only: {error}."]}) from error


def _bounds(server: Server) -> Bounds:
    return Bounds(
        largest_body=server.max_body,
        larger={APPLY: (max(server.max_body, server.max_apply), "server.max_apply")},
        requests_per_second=server.requests_per_second,
        failures_per_minute=server.failures_per_minute,
    )
