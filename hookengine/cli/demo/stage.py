"""What the demo plays on: a folder with a key and secrets, three hosts, and the engine with its HTTP API."""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hookengine.app import HookEngine, database_path
from hookengine.config import NamedSecret, SecretSource, Settings, read_config
from hookengine.engine.signals import Signals
from hookengine.errors import ConfigError
from hookengine.guard.key_file import new_key_file
from hookengine.manifest import Manifest, shipped
from hookengine.simulators import Bitbucket, GitHub, GitLab, Host, serve
from hookengine.web.server import answering, listening

LOOPBACK = "127.0.0.1"
PORTS = {"GitHub": 8741, "GitLab": 8742, "Bitbucket": 8743}
"""Where the demo's file looks for the hosts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """The values of all secrets there are. `named` are those under `secrets:`, `source` comes with events."""

    named: Mapping[str, str] = field(repr=False)
    api: str = field(repr=False)
    source: str = field(repr=False)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """What people call each, and its value."""
        yield from ((f"secrets.{name}", value) for name, value in self.named.items())
        yield "the API's token", self.api
        yield "application.source_provider.access_token", self.source


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """`hosts` by base URL; `config` is the copy that the engine was started with."""

    config: Path
    settings: Settings
    manifest: Manifest
    api: str
    hosts: Mapping[str, Host]
    values: Values
    signals: Signals

    @property
    def folder(self) -> Path:
        return self.config.parent

    def host_at(self, address: str) -> Host | None:
        """The host that a URL leads to."""
        return next((host for url, host in self.hosts.items() if address.startswith(f"{url}/")), None)


def examples() -> Path:
    return shipped("examples")


@asynccontextmanager
async def set_up(source: Path) -> AsyncIterator[Stage]:
    """Everything runs until the context is left; then nothing does, and the folder is gone.

    Raises ConfigError when `source` is wrong.
    """
    settings, _ = read_config(source, {})
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hookengine-demo-")))
        provider = secrets.token_urlsafe(24)
        hosts = {await _serve(host, stack): host for host in _hosts(provider)}
        listener = stack.enter_context(_listening(settings.server.port))
        port = listener.getsockname()[1]
        moved = {f"http://{LOOPBACK}:{PORTS[host.name]}": url for url, host in hosts.items()}
        moved[f"port: {settings.server.port}"] = f"port: {port}"
        config = _copy(source, folder, moved)
        settings, manifest = read_config(config, {})
        values = _make_secrets(settings, provider)
        for host in hosts.values():
            host.tokens = [provider, *(v for name, v in values.named.items() if name == host.name.lower())]
        signals = Signals()
        engine = await stack.enter_async_context(HookEngine.open((settings, manifest), signals=signals))
        await stack.enter_async_context(answering(engine.web(), listener))
        yield Stage(
            config=config,
            settings=settings,
            manifest=manifest,
            api=f"http://{LOOPBACK}:{port}",
            hosts=hosts,
            values=values,
            signals=signals,
        )


def databases(stage: Stage) -> list[Path]:
    """The database's file, and those SQLite keeps beside it."""
    path = database_path(stage.settings)
    return sorted(path.parent.glob(f"{path.name}*"))


def _hosts(token: str) -> list[Host]:
    return [GitHub(tokens=[token]), GitLab(tokens=[token]), Bitbucket(tokens=[token])]


async def _serve(host: Host, stack: AsyncExitStack) -> str:
    """At the port the file names, or at any free one when that is taken."""
    try:
        (url,) = await stack.enter_async_context(serve([host], ports=[PORTS[host.name]]))
    except OSError:
        (url,) = await stack.enter_async_context(serve([host]))
    return url


def _listening(port: int) -> socket.socket:
    try:
        return listening(LOOPBACK, port)
    except ConfigError:
        return listening(LOOPBACK, 0)


def _copy(source: Path, folder: Path, moved: Mapping[str, str]) -> Path:
    """The file as it is, but for the addresses that had to change."""
    text = source.read_text(encoding="utf-8")
    for before, after in moved.items():
        text = text.replace(before, after)
    copy = folder / "demo.yaml"
    copy.write_text(text, encoding="utf-8")
    return copy


def _make_secrets(settings: Settings, provider: str) -> Values:
    if not settings.secrets.insecure_plaintext:
        new_key_file(settings.secrets.key_file)
    named = {name: _make(source) for name, source in settings.secrets.named.items()}
    api = [_make(source) for source in settings.auth.tokens.values()]
    return Values(named=named, api=api[0] if api else "", source=provider)


def _make(source: SecretSource | NamedSecret) -> str:
    """One that is read from the environment is what it is there."""
    if source.file is None:
        return os.environ.get(source.env or "", "")
    value = secrets.token_urlsafe(24)
    source.file.touch(mode=0o600)
    source.file.write_text(value + "\n", encoding="utf-8")
    return value
