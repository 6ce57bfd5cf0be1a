"""Wiring: everything is built here, from settings, and given what it needs."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
from apscheduler.triggers.interval import IntervalTrigger
from fastapi import FastAPI

from hookengine import __version__
from hookengine.config import Secrets, Settings, read_config
from hookengine.domain.clock import Clock, SystemClock
from hookengine.domain.event_list import parse_all
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.connections import LONGEST_IDLE, ONE, Connections
from hookengine.engine.intake import Intake, Limits
from hookengine.engine.recording import Recorder
from hookengine.engine.room import InFlight
from hookengine.engine.sending import Manners, Sender
from hookengine.engine.signals import (
    SECRET_MISSING,
    SERVER_LISTENING,
    WORKER_STARTED,
    WORKER_STOPPED,
    Signals,
)
from hookengine.engine.triggers import Triggers
from hookengine.engine.upkeep import Retention, ScheduledAlarm, Upkeep, new_scheduler
from hookengine.engine.worker import Capacity, Worker
from hookengine.errors import ConfigError, InvalidEvent, Problem
from hookengine.guard.address import AddressPolicy
from hookengine.guard.connect import GuardedTransport
from hookengine.guard.keys import KeyRing
from hookengine.guard.resolver import Resolver
from hookengine.guard.vault import NamedSecret, PlainSeal, SecretMissing, Vault
from hookengine.manifest import Manifest, shipped_presets
from hookengine.metrics import Exposition, Tallies
from hookengine.store.contract import Definitions, Store
from hookengine.store.records import Records
from hookengine.store.sqlite import SqliteStore
from hookengine.web.access import Tokens
from hookengine.web.app import Doors, create_web
from hookengine.web.server import answering, listening, told_to_stop

GRACE = 30.0  # seconds that requests under way may take to end when the engine stops
STATUS_PRESETS = {
    "github": "github/commit-status",
    "gitlab": "gitlab/commit-status",
    "bitbucket": "bitbucket/commit-status",
}
"""Whose response rules a recognised commit-status call gets, whoever wrote its hook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """The engine's inside, for those who embed and test it."""

    store: Store
    records: Records
    catalogue: Catalogue
    worker: Worker
    intake: Intake
    triggers: Triggers
    upkeep: Upkeep
    vault: Vault
    connections: Connections
    metrics: Exposition


class HookEngine:
    """An engine that accepts events and delivers what they owe, for as long as it is open.

    async with HookEngine.open("config.yaml") as engine:
        await engine.accept({"type": "action.started", "action": {"id": 41, "pipeline": 1}})
    """

    def __init__(
        self, parts: _Parts, signals: Signals, settings: Settings, environ: Mapping[str, str]
    ) -> None:
        self.parts = parts
        self.signals = signals
        self.settings = settings
        self._environ = environ

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
    ) -> AsyncIterator[HookEngine]:
        """`config` is a configuration file, or what `read_config` made of one. With `deliver` False
        events are accepted, but nothing is sent until another start delivers it.

        Raises ConfigError, StoreBusy, StoreError.
        """
        chosen = os.environ if environ is None else environ
        settings, manifest = config if isinstance(config, tuple) else read_config(Path(config), chosen)
        clock, signals = clock or SystemClock(), signals or Signals()
        async with contextlib.AsyncExitStack() as stack:
            parts = await _assemble(settings, manifest, clock, signals, stack, chosen)
            engine = cls(parts, signals, settings, chosen)
            if deliver:
                await stack.enter_async_context(engine._delivering(clock))
            yield engine

    async def accept(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """What was accepted and which hooks matched, once it is durable. Raises InvalidEvent, EventConflict."""
        (answer,) = await self.accept_all([event])
        return answer

    async def accept_all(self, events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """All of them, or none."""
        return await self.parts.intake.accept(parse_all([_plain(event) for event in events]))

    def web(self) -> FastAPI:
        """The HTTP API over this engine, an ASGI application. Raises ConfigError if a token cannot be read."""
        auth = self.settings.auth
        return create_web(
            Doors(
                intake=self.parts.intake,
                triggers=self.parts.triggers,
                records=self.parts.records,
                ready=self._ready,
                metrics=self.parts.metrics,
                metrics_public=self.settings.metrics.public,
                tokens=Tokens(list(_tokens(self.settings, self._environ)) if auth.enabled else None),
                largest_body=self.settings.server.max_body,
                version=__version__,
            )
        )

    async def _ready(self) -> None:
        await self.parts.store.next_due(0)

    @asynccontextmanager
    async def _delivering(self, clock: Clock) -> AsyncIterator[None]:
        """One process owns a SQLite file: whatever lease is found at the start, its holder is gone."""
        worker, store = self.parts.worker, self.parts.store
        await store.expire_leases(clock.now())
        scheduler = new_scheduler()
        self.parts.upkeep.schedule(scheduler)
        scheduler.add_job(self.parts.connections.close_idle, IntervalTrigger(seconds=LONGEST_IDLE / 2))
        scheduler.start()
        running = asyncio.create_task(
            worker.run(ScheduledAlarm(scheduler, worker.wake, clock)), name="worker"
        )
        self.signals.announce(WORKER_STARTED, in_flight=self.settings.delivery.concurrency)
        try:
            yield
        finally:
            try:
                await worker.stop(GRACE)
                await running
            finally:
                scheduler.shutdown(wait=False)
            self.signals.announce(WORKER_STOPPED)


async def serve(settings: Settings, manifest: Manifest, signals: Signals, *, deliver: bool = True) -> None:
    """Answer HTTP and deliver until SIGINT or SIGTERM. Raises ConfigError when the address is taken."""
    with listening(settings.server.host, settings.server.port) as listener:
        async with HookEngine.open((settings, manifest), signals=signals, deliver=deliver) as engine:
            host, port = listener.getsockname()[:2]
            url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            async with answering(engine.web(), listener):
                for because in engine.parts.vault.missing():
                    signals.announce(SECRET_MISSING, because=because)
                signals.announce(SERVER_LISTENING, url=url, incoming=_urls(engine))
                await told_to_stop()


async def _assemble(
    settings: Settings,
    manifest: Manifest,
    clock: Clock,
    signals: Signals,
    stack: contextlib.AsyncExitStack,
    environ: Mapping[str, str],
) -> _Parts:
    path = database_path(settings)
    seal = _seal(settings)
    store = await SqliteStore.open(path)
    stack.push_async_callback(store.close)
    tallies = Tallies(signals)
    stack.callback(tallies.close)
    store.on_commit(tallies.on_commit)
    records = Records(f"sqlite+aiosqlite:///{path}")
    stack.push_async_callback(records.close)
    vault = _vault(settings, seal, store, environ)
    defined = Definitions(
        pipelines=manifest.pipelines, hooks=manifest.hooks, incoming_hooks=manifest.incoming_hooks
    )
    catalogue = Catalogue(await store.apply(defined, "file", clock.now()))
    policy = _policy(settings)
    connections = _connections(policy, clock, stack)
    sender = Sender(vault, policy, connections, clock, _manners(settings))
    rules = {kind: shipped_presets().responses(name) for kind, name in STATUS_PRESETS.items()}
    recorder = Recorder(store, catalogue, signals, clock, rules)
    worker = Worker(store, sender, recorder, signals, clock, _capacity(settings, catalogue))
    intake = Intake(store, catalogue, vault, worker, signals, clock, _limits(settings))
    return _Parts(
        store=store,
        records=records,
        catalogue=catalogue,
        worker=worker,
        intake=intake,
        triggers=Triggers(store, catalogue, intake, clock, vault.value),
        upkeep=Upkeep(store, signals, clock, _retention(settings)),
        vault=vault,
        connections=connections,
        metrics=Exposition(tallies, store.figures, worker, clock),
    )


def database_path(settings: Settings) -> Path:
    """Raises ConfigError for a database this version cannot use."""
    scheme, _, path = settings.database.partition(":///")
    if scheme != "sqlite" or path == ":memory:":
        message = "this version keeps its memory in a SQLite file, such as sqlite:///./hookengine.db"
        raise ConfigError([Problem(place="database", message=message)])
    return Path(path)


def _seal(settings: Settings) -> KeyRing | PlainSeal:
    return PlainSeal() if settings.secrets.insecure_plaintext else KeyRing.read(settings.secrets.key_file)


def _vault(settings: Settings, seal: KeyRing | PlainSeal, store: Store, environ: Mapping[str, str]) -> Vault:
    secrets: Secrets = settings.secrets
    named = {
        name: NamedSecret(env=secret.env, file=secret.file, hosts=frozenset(secret.hosts), environ=environ)
        for name, secret in secrets.named.items()
    }
    return Vault(
        named,
        seal,
        store.sealed,
        context_paths=secrets.context_paths,
        context_hosts=secrets.context_hosts,
    )


def _policy(settings: Settings) -> AddressPolicy:
    delivery = settings.delivery
    return AddressPolicy.parse(map(str, delivery.allow_networks), allow_hosts=delivery.allow_hosts)


def _connections(policy: AddressPolicy, clock: Clock, stack: contextlib.AsyncExitStack) -> Connections:
    resolver = Resolver()
    stack.callback(resolver.close)
    tls = httpx.create_ssl_context(trust_env=False)
    connections = Connections(lambda: GuardedTransport(policy, resolver, verify=tls, limits=ONE), clock)
    stack.push_async_callback(connections.close)
    return connections


def _manners(settings: Settings) -> Manners:
    delivery = settings.delivery
    return Manners(
        connect_timeout=delivery.connect_timeout / 1000,
        response_excerpt=delivery.response_excerpt,
        user_agent=delivery.user_agent,
    )


def _capacity(settings: Settings, catalogue: Catalogue) -> Capacity:
    return Capacity(
        in_flight=InFlight(
            node=settings.delivery.concurrency,
            host=settings.delivery.per_host,
            hook=settings.delivery.per_hook,
        ),
        patience=settings.delivery.pause_failing_after,
        lease_margin=settings.delivery.lease_margin,
        settle=settings.delivery.settle,
        longest_deadline=catalogue.longest_deadline,
    )


def _limits(settings: Settings) -> Limits:
    return Limits(
        largest_batch=settings.events.max_batch,
        context_bytes=settings.events.context_limit,
        create_pipelines=settings.events.create_pipelines,
    )


def _retention(settings: Settings) -> Retention:
    return Retention(delivered=settings.retention.delivered, failed=settings.retention.failed)


def _tokens(settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    for name, source in settings.auth.tokens.items():
        try:
            yield NamedSecret(env=source.env, file=source.file, environ=environ).value(name)
        except SecretMissing as error:
            raise ConfigError([Problem(place=f"auth.tokens.{name}", message=str(error))]) from error


def _plain(event: Mapping[str, Any]) -> Any:
    """A copy in plain JSON values, so that what the caller does to its own later is its own affair."""
    try:
        return orjson.loads(orjson.dumps(event))
    except TypeError as error:
        raise InvalidEvent({"event": [f"An event holds JSON values only: {error}."]}) from error


def _urls(engine: HookEngine) -> list[str]:
    return [f"/hooks/{hook.id}/trigger" for hook in engine.parts.catalogue.incoming_hooks]
