"""The engine's inside, built from settings."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import urlsplit

from hookengine.app.applying import Applier
from hookengine.app.secret_sources import seal_of, sources
from hookengine.app.stores import open_memory
from hookengine.config import Settings
from hookengine.domain.clock import Clock
from hookengine.domain.token import Token
from hookengine.engine.asking import Asker
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.definition_desk import DefinitionDesk
from hookengine.engine.explaining import Explainer
from hookengine.engine.intake import Intake, Limits
from hookengine.engine.recording import Recorder
from hookengine.engine.reloading import Reloader
from hookengine.engine.replay import Replayer
from hookengine.engine.replays import Replays
from hookengine.engine.room import InFlight
from hookengine.engine.secret_desk import SecretDesk
from hookengine.engine.sending import Manners, Sender
from hookengine.engine.signals import Signals
from hookengine.engine.token_desk import TokenDesk
from hookengine.engine.trials import Trials
from hookengine.engine.triggers import Triggers
from hookengine.engine.upkeep import Retention, Upkeep
from hookengine.engine.watchdog import Watchdog
from hookengine.engine.wire.dialling import Dialler
from hookengine.engine.wire.pool import Pool
from hookengine.engine.wire.proving import prove_fence
from hookengine.engine.wire.proxy import Proxy
from hookengine.engine.wire.tls import HostFiles, TlsContexts
from hookengine.engine.worker import Capacity, Worker
from hookengine.errors import ConfigError, Problem
from hookengine.guard.resolver import Resolver
from hookengine.guard.tokens import TokenRing, digest_of
from hookengine.guard.vault import ContextSecrets, NamedSecret, SecretMissing, Shelf, Vault
from hookengine.manifest import Manifest, shipped_presets, with_keys
from hookengine.manifest.applying import apply, served
from hookengine.metrics import Exposition, Tallies
from hookengine.sources import Hearing, Setup
from hookengine.store.contract import Store
from hookengine.store.records import Records
from hookengine.web.api.reading import Reading

STATUS_PRESETS = {
    "github": "github/commit-status",
    "gitlab": "gitlab/commit-status",
    "bitbucket": "bitbucket/commit-status",
    "bitbucket_datacenter": "bitbucket_datacenter/commit-status",
    "gitea": "gitea/commit-status",
    "azure_devops": "azure_devops/commit-status",
}
"""Whose response rules a recognised commit-status call gets, whoever wrote its hook."""

POLL = 200  # milliseconds that work of other nodes may go unseen


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """For those who embed and test it."""

    store: Store
    records: Records
    reading: Reading
    replays: Replays
    catalogue: Catalogue
    worker: Worker
    intake: Intake
    triggers: Triggers
    hearing: Hearing
    upkeep: Upkeep
    watchdog: Watchdog
    reloader: Reloader
    applier: Applier
    shared: bool  # other nodes work on the same database
    vault: Vault
    secrets: SecretDesk
    token_ring: TokenRing
    tokens: TokenDesk
    definitions: DefinitionDesk
    trials: Trials
    pool: Pool
    exposition: Exposition


async def assemble(
    settings: Settings,
    manifest: Manifest | None,
    clock: Clock,
    signals: Signals,
    stack: AsyncExitStack,
    environ: Mapping[str, str],
    *,
    beside: bool = False,
) -> Parts:
    """Closed with the stack. The manifest is applied; without one, what is defined already counts. With `beside` the
    database may be another process's, and files to apply come from where it is."""
    memory = await open_memory(settings, stack, own=not beside)
    store = memory.store
    seal = seal_of(settings)
    shelf = Shelf(seal, store.kept_secret)
    # Hooks may have secrets of their own under the same names: whose they are is known when they are sent.
    permissions = replace(settings.permissions, audiences=None)
    catalogue = Catalogue(permissions=permissions)
    token_ring = TokenRing()
    reloader = Reloader(store, catalogue, shelf, token_ring, signals)
    if manifest is not None:
        await apply(store, served(with_keys(manifest, environ)), clock.now())
    await reloader.reload()
    tallies = Tallies(signals)
    stack.callback(tallies.close)
    store.on_commit(tallies.on_commit)
    pool = await _pool(settings, clock, stack, environ)
    asker = Asker(pool)
    stack.push_async_callback(asker.close)
    context = ContextSecrets(
        seal, store.sealed, paths=settings.secrets.context_paths, hosts=settings.secrets.context_hosts
    )
    vault = Vault(sources(settings, shelf, asker, clock, environ), context, shelf)
    sender = Sender(vault, pool, clock, _manners(settings))
    judged = {} if beside else STATUS_PRESETS  # by those who deliver: reading the presets takes a while
    rules = {kind: shipped_presets().responses(name) for kind, name in judged.items()}
    recorder = Recorder(store, catalogue, signals, clock, rules)
    capacity = _capacity(settings, catalogue, shared=memory.shared)
    worker = Worker(store, sender, recorder, signals, clock, capacity)
    intake = Intake(store, catalogue, vault, worker, signals, clock, _limits(settings))
    replayer = Replayer(
        store=store,
        catalogue=catalogue,
        records=memory.records,
        secrets=vault,
        hands=worker,
        signals=signals,
        clock=clock,
    )
    replays = Replays(
        store=store,
        records=memory.records,
        replayer=replayer,
        room=worker.room,
        signals=signals,
        clock=clock,
    )
    return Parts(
        store=store,
        records=memory.records,
        reading=Reading(
            records=memory.records,
            pipelines=catalogue,
            explainer=Explainer(catalogue, memory.records, vault, clock),
            replayer=replayer,
            replays=replays,
            clock=clock,
        ),
        replays=replays,
        catalogue=catalogue,
        worker=worker,
        intake=intake,
        triggers=Triggers(store, catalogue, intake, clock, vault.incoming_secret),
        hearing=Hearing(intake, catalogue, _setups(settings), vault.value),
        upkeep=Upkeep(store, signals, clock, _retention(settings), settings.delivery.settle),
        watchdog=Watchdog(store, intake, signals, clock, settings.watchdog.after),
        reloader=reloader,
        applier=Applier(store, reloader, settings, environ, clock, at_home=beside),
        shared=memory.shared,
        vault=vault,
        secrets=SecretDesk(store, seal, reloader, clock, _elsewhere(settings)),
        token_ring=token_ring,
        tokens=TokenDesk(store, reloader, clock),
        definitions=DefinitionDesk(store, catalogue, reloader, seal, clock),
        trials=Trials(catalogue, memory.records, vault, sender, clock, permissions),
        pool=pool,
        exposition=Exposition(tallies, store.figures, worker, clock),
    )


def configured_tokens(settings: Settings, environ: Mapping[str, str]) -> Iterator[Token]:
    """Raises ConfigError if one cannot be read."""
    for name, source in settings.auth.tokens.items():
        try:
            text = NamedSecret(env=source.env, file=source.file, environ=environ).value(name)
        except SecretMissing as error:
            raise ConfigError([Problem(place=f"auth.tokens.{name}", message=str(error))]) from error
        yield Token(
            id="",
            name=name,
            scopes=frozenset(source.scopes),
            digest=digest_of(text),
            team=source.team,
            pipeline_id=source.pipeline,
        )


async def _pool(settings: Settings, clock: Clock, stack: AsyncExitStack, environ: Mapping[str, str]) -> Pool:
    hosts = {
        host: HostFiles(ca=files.ca, certificate=files.certificate, key=files.key)
        for host, files in settings.delivery.tls.items()
    }
    contexts, resolver = TlsContexts(hosts), Resolver()
    stack.callback(resolver.close)
    dialler = Dialler(resolver, contexts, proxy=proxy_of(settings, environ))
    await prove_fence(dialler, clock)
    pool = Pool(dialler, settings.addresses, clock)
    stack.push_async_callback(pool.close)
    return pool


def proxy_of(settings: Settings, environ: Mapping[str, str]) -> Proxy | None:
    """Raises ConfigError if its credentials cannot be read, or are none."""
    said = settings.delivery.proxy
    if said is None:
        return None
    where = urlsplit(said.url)
    assert where.hostname is not None  # noqa: S101  the setting was checked
    assert where.port is not None  # noqa: S101
    credentials = None
    if said.credentials is not None:
        source = NamedSecret(env=said.credentials.env, file=said.credentials.file, environ=environ)
        credentials = partial(source.value, "proxy")
        _check_credentials(credentials)
    return Proxy(host=where.hostname, port=where.port, credentials=credentials, by_name=said.by_name)


def _check_credentials(credentials: Callable[[], str]) -> None:
    place = "delivery.proxy.credentials"
    try:
        value = credentials()
    except SecretMissing as error:
        raise ConfigError([Problem(place=place, message=str(error))]) from error
    if ":" not in value:
        raise ConfigError([Problem(place=place, message="must hold user:password")])


def _manners(settings: Settings) -> Manners:
    delivery = settings.delivery
    return Manners(
        connect_timeout=delivery.connect_timeout / 1000,
        response_excerpt=delivery.response_excerpt,
        user_agent=delivery.user_agent,
    )


def _capacity(settings: Settings, catalogue: Catalogue, *, shared: bool) -> Capacity:
    delivery = settings.delivery
    return Capacity(
        in_flight=InFlight(node=delivery.concurrency, host=delivery.per_host, hook=delivery.per_hook),
        lease_margin=delivery.lease_margin,
        settle=delivery.settle,
        longest_deadline=lambda: catalogue.longest_deadline,
        patience=delivery.pause_failing_after,
        poll=POLL if shared else None,
        node=node_name(),
    )


def node_name() -> str:
    """Of this process, and of no other, also after a restart."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


def _setups(settings: Settings) -> dict[str, Setup]:
    """Of the sources that are on."""
    return {
        name: Setup(**said.model_dump(exclude={"enabled"})) for name, said in settings.sources if said.enabled
    }


def _elsewhere(settings: Settings) -> frozenset[str]:
    """Secrets that are not kept in the database."""
    return frozenset(name for name, source in settings.secrets.named.items() if not source.stored)


def _limits(settings: Settings) -> Limits:
    return Limits(
        largest_batch=settings.events.max_batch,
        context_bytes=settings.events.context_limit,
        create_pipelines=settings.events.create_pipelines,
    )


def _retention(settings: Settings) -> Retention:
    return Retention(delivered=settings.retention.delivered, failed=settings.retention.failed)
