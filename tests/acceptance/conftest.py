"""A server in a process of its own, an engine in this one, and the three hosts on real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import httpx
import pytest

from hookengine.app import HookEngine
from hookengine.domain.clock import Clock as AnyClock
from hookengine.engine.signals import Facts, Signals
from hookengine.guard.key_file import new_key_file
from hookengine.simulators import Bitbucket, GitHub, GitLab, Host
from tests.conftest import Clock
from tests.sqlite import empty_database

PATIENCE = 60.0
"""Seconds any wait may take before the test has failed; none of them is ever slept."""

TOKEN = "tok-of-the-hosts-7d1f"
CONTEXT = "ci/shop(build)"
FAR = 4_000_000_000_000
"""Where the engines' clocks stand: an alarm set for then never rings, so only tests move the time."""

Config = dict[str, Any]


def sha_of(number: int) -> str:
    return f"{number:040x}"


def event(kind: str, number: int, /, **changes: Any) -> dict[str, Any]:
    """`action.KIND` of the action and commit of this number; `action=` adds to the action, the rest to the event."""
    known = {
        "id": number,
        "pipeline": 1,
        "triggered_from": {"hook_parsed_variables": {"commit_hash": sha_of(number)}},
    }
    return {"type": f"action.{kind}", "action": {**known, **changes.pop("action", {})}, **changes}


def a_hook(target_url: str, *events: str, **changes: Any) -> Config:
    settings = {"request_body": changes.pop("body", {"event": "{{ event.type }}"})}
    if headers := changes.pop("headers", None):
        settings["request_headers"] = [{"name": name, "value": value} for name, value in headers.items()]
    trigger = {"events": list(events) or ["action.status_changed"], **changes.pop("trigger_when", {})}
    return {
        "name": "a hook",
        "target_url": target_url,
        "settings": settings,
        "trigger_when": trigger,
        "retry": {"waits": ["1m"], "jitter": 0},
        **changes,
    }


def a_config(*hooks: Config, **changes: Any) -> Config:
    """With the loopback open, one pipeline, and a secret `host` that may go there."""
    pipeline = {"id": 1, "name": "shop-deploy", "hooks": list(hooks), **changes.pop("pipeline", {})}
    config: Config = {
        "server": {"port": 0},
        "auth": {"enabled": False},
        "delivery": {"allow_networks": ["127.0.0.0/8"]},
        "logging": {"format": "json", "level": "debug"},
        "secrets": {
            "context_hosts": ["127.0.0.1"],
            "host": {"env": "TOKEN_OF_HOSTS", "hosts": ["127.0.0.1"]},
        },
        "pipelines": [pipeline],
    }
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(config.get(key), dict)
        config[key] = {**config[key], **value} if both else value
    return config


def write_config(folder: Path, config: Config) -> Path:
    """A JSON document is a YAML document too."""
    path = folder / "config.yaml"
    path.write_text(json.dumps(config, indent=2))
    if not (folder / "hookengine.key").exists():
        new_key_file(folder / "hookengine.key")
    return path


# The hosts


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One family of hosts: how its statuses are written, with three hooks or with its preset."""

    simulator: type[Host]
    api: str
    path: str
    preset: str
    repository: str
    states: Mapping[str, str]
    fields: Mapping[str, str]

    def three_hooks(self, address: str, **changes: Any) -> list[Config]:
        """As an admin writes them: of one name, and different in state and event only."""
        url = address + self.path.format(sha="{{ action.triggered_from.hook_parsed_variables.commit_hash }}")
        return [
            a_hook(
                url,
                f"action.{kind}",
                name=f"{self.preset} build",
                body={"state": state, **self.fields},
                headers={"Authorization": "Bearer {{ secrets.host }}"},
                **changes,
            )
            for kind, state in self.states.items()
        ]

    def preset_hook(self, address: str, **changes: Any) -> Config:
        return {
            "preset": self.preset,
            "with": {
                "base_url": address + self.api,
                self.repository: "acme/shop",
                "token": "{{ secrets.host }}",
                self.context_blank: CONTEXT,
                "target_url": "https://deploy.example/actions/{{ action.id }}",
            },
            "retry": {"waits": ["1m"], "jitter": 0},
            **changes,
        }

    @property
    def context_blank(self) -> str:
        return "key" if self.simulator is Bitbucket else "context"


GITHUB = Kind(
    simulator=GitHub,
    api="",
    path="/repos/acme/shop/statuses/{sha}",
    preset="github/commit-status",
    repository="repository",
    states={"started": "pending", "completed": "success", "failed": "failure"},
    fields={"context": CONTEXT, "target_url": "https://deploy.example/actions/{{ action.id }}"},
)
GITLAB = Kind(
    simulator=GitLab,
    api="/api/v4",
    path="/api/v4/projects/acme%2Fshop/statuses/{sha}",
    preset="gitlab/commit-status",
    repository="project",
    states={"started": "running", "completed": "success", "failed": "failed"},
    fields={"name": CONTEXT, "target_url": "https://deploy.example/actions/{{ action.id }}"},
)
BITBUCKET = Kind(
    simulator=Bitbucket,
    api="/2.0",
    path="/2.0/repositories/acme/shop/commit/{sha}/statuses/build",
    preset="bitbucket/commit-status",
    repository="repository",
    states={"started": "INPROGRESS", "completed": "SUCCESSFUL", "failed": "FAILED"},
    fields={"key": CONTEXT, "url": "https://deploy.example/actions/{{ action.id }}"},
)
KINDS = (GITHUB, GITLAB, BITBUCKET)


# The engine in this process


class Ears:
    """Everything the engine's signals have told. What was told before a wait counts for it too."""

    def __init__(self, signals: Signals) -> None:
        self.told: list[tuple[str, Facts]] = []
        self._news = asyncio.Event()
        signals.listen(self._hear)

    def _hear(self, name: str, facts: Facts) -> None:
        self.told.append((name, facts))
        self._news.set()

    def of(self, name: str, **facts: Any) -> list[Facts]:
        return [heard for told, heard in self.told if told == name and facts.items() <= heard.items()]

    async def more(self) -> None:
        """Until something is told."""
        self._news.clear()
        await self._news.wait()

    async def wait_for(self, name: str, times: int = 1, **facts: Any) -> Facts:
        async with asyncio.timeout(PATIENCE):
            while len(found := self.of(name, **facts)) < times:
                self._news.clear()
                await self._news.wait()
        return found[times - 1]

    async def wait_for_any(self, delivery: str, attempt: int) -> str:
        """Until this delivery has ended or this attempt of it has: which of the two."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if self.of("delivery.ended", delivery=delivery):
                    return "delivery.ended"
                tries = self.of("attempt.finished", delivery=delivery, attempt=attempt)
                if tries and tries[0]["verdict"] == "TryAgain":
                    return "attempt.finished"
                self._news.clear()
                await self._news.wait()


class Opened:
    """A HookEngine with ears, and shortcuts to what tests ask of it."""

    def __init__(self, engine: HookEngine, ears: Ears, clock: Clock) -> None:
        self.engine, self.ears, self.clock = engine, ears, clock

    async def accept(self, document: Mapping[str, Any]) -> list[str]:
        """The ids of the deliveries it owes."""
        answer = await self.engine.accept(document)
        return [hook["delivery"] for hook in answer["hooks"]]

    async def delivery(self, delivery_id: str) -> dict[str, Any]:
        return await self.engine.parts.records.delivery(delivery_id)

    async def ended(self, delivery_id: str) -> dict[str, Any]:
        await self.ears.wait_for("delivery.ended", delivery=delivery_id)
        return await self.delivery(delivery_id)

    async def tried(self, delivery_id: str, attempt: int = 1) -> Facts:
        return await self.ears.wait_for("attempt.finished", delivery=delivery_id, attempt=attempt)

    def later(self, *, seconds: float) -> None:
        self.clock.advance(seconds=seconds)
        self.engine.parts.worker.wake()


@asynccontextmanager
async def opened(
    folder: Path, config: Config, clock: Clock | None = None, **arguments: Any
) -> AsyncIterator[Opened]:
    clock = clock or Clock(FAR)
    signals = Signals()
    ears = Ears(signals)
    wall: AnyClock = clock
    path = write_config(folder, config)
    if "database" not in config and not (folder / "hookengine.db").exists():
        empty_database(folder / "hookengine.db")
    async with HookEngine.open(path, clock=wall, signals=signals, **arguments) as engine:
        yield Opened(engine, ears, clock)


# The server in its own process


class Server:
    """`python -m hookengine serve`. Its log is read as it comes, and kept."""

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.headers = {"Authorization": f"Bearer {API_TOKEN}"}
        self.output = ""  # all of stdout and stderr, of every run
        self.url = ""
        self.lines: list[dict[str, Any]] = []  # of this run
        self._environ = {"TOKEN_OF_HOSTS": TOKEN, **(environ or {})}
        self._news = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._readers: list[threading.Thread] = []

    @property
    def running(self) -> subprocess.Popen[str]:
        assert self._process is not None, "the server does not run"
        return self._process

    def start(self) -> None:
        """Returns when it listens."""
        self.lines = []
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HOOKENGINE_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hookengine", "serve", "--config", "config.yaml"],
            cwd=self.folder,
            env={**inherited, **self._environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        streams = (self._process.stdout, self._process.stderr)
        self._readers = [threading.Thread(target=self._read, args=(stream,)) for stream in streams]
        for reader in self._readers:
            reader.start()
        self.url = self.wait_for("server.listening")["url"]

    def _read(self, stream: TextIO) -> None:
        with stream:
            for text in stream:
                with self._news:
                    self.output += text
                    if text.startswith("{"):
                        self.lines.append(json.loads(text))
                    self._news.notify_all()

    def wait_for(self, message: str, times: int = 1, **facts: Any) -> dict[str, Any]:
        """The log line of this message with these facts; one that was written before counts too."""

        def found() -> list[dict[str, Any]]:
            wanted = {"message": message, **facts}
            return [line for line in self.lines if wanted.items() <= line.items()]

        self.wait_until(lambda: len(found()) >= times, f"{times} x {message} {facts}")
        return found()[times - 1]

    def wait_until(self, holds: Callable[[], bool], wanted: str) -> None:
        """Asked again with every line of the log."""
        with self._news:
            met = (
                self._news.wait_for(lambda: holds() or self.running.poll() is not None, timeout=PATIENCE)
                and holds()
            )
        assert met, f"waited in vain for {wanted}; the server said:\n{self.output}"

    def wait_for_rest(self) -> None:
        """Until every delivery has ended, repairs included."""
        self.wait_until(
            lambda: self.rows("SELECT count(*) FROM delivery WHERE ended_at IS NULL") == [(0,)],
            "all deliveries to end",
        )

    def kill(self) -> None:
        self.running.kill()
        self._gone()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.running.send_signal(signal.SIGTERM)
        return self._gone()

    def close(self) -> None:
        if self._process is not None:
            self.running.kill()
            self._gone()

    def _gone(self) -> int:
        code = self.running.wait(timeout=PATIENCE)
        for reader in self._readers:
            reader.join(timeout=PATIENCE)
        self._process = None
        return code

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(f"file:{self.folder / 'hookengine.db'}?mode=ro", uri=True)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    @property
    def address(self) -> tuple[str, int]:
        url = httpx.URL(self.url)
        return url.host, url.port or 0

    def post(self, path: str, document: Any, **arguments: Any) -> httpx.Response:
        return self.request("POST", path, json=document, **arguments)

    def get(self, path: str, **arguments: Any) -> httpx.Response:
        return self.request("GET", path, **arguments)

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """With the API's token, unless other headers are given."""
        given = {"headers": self.headers, "timeout": PATIENCE, **arguments}
        return httpx.request(method, f"{self.url}{path}", **given)

    def accept(self, *events: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What each event was answered."""
        answer = self.post("/api/events", list(events))
        assert answer.status_code == 202, answer.text
        accepted: list[dict[str, Any]] = answer.json()
        return accepted

    def delivery(self, delivery_id: str) -> dict[str, Any]:
        answer = self.get(f"/api/deliveries/{delivery_id}")
        assert answer.status_code == 200, answer.text
        delivery: dict[str, Any] = answer.json()
        return delivery


StartServer = Callable[..., Server]


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty one, of each kind."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_database").url)
    return f"sqlite:///{tmp_path / 'hookengine.db'}"


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts a server on a configuration; it is gone when the test ends."""
    servers: list[Server] = []

    def start(config: Config, environ: Mapping[str, str] | None = None) -> Server:
        write_config(tmp_path, config)
        servers.append(Server(tmp_path, environ))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.close()


API_TOKEN = "let-me-in-5c9a"


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for everything that only asks it something: it has a token, and may call nobody.

    Pipelines: 1 with hooks, 2 with incoming hooks.
    """
    unrenderable = a_hook(
        "https://target.example/{{ action.triggered_from.hook_parsed_variables.commit_hash }}",
        "action.queued",
        name="needs a commit",
    )
    config = a_config(
        a_hook("https://localhost:9009/hook", "action.started", name="started"),
        a_hook("https://localhost:9009/hook", "action.failed", "action.started", name="started or failed"),
        unrenderable,
        delivery={"allow_networks": [], "allow_hosts": ["localhost"]},
        auth={"enabled": True, "tokens": {"platform": {"env": "TOKEN_OF_PLATFORM"}}},
        server={"max_body": "64KiB"},
    )
    config["secrets"]["incoming"] = {"env": "SECRET_OF_SENDER"}
    config["pipelines"].append(INCOMING)
    folder = tmp_path_factory.mktemp("api")
    write_config(folder, config)
    server = Server(folder, {"TOKEN_OF_PLATFORM": API_TOKEN, "SECRET_OF_SENDER": SENDER_SECRET})
    server.start()
    yield server
    server.close()


SENDER_SECRET = "the-sender-signs-with-this"
INCOMING = {
    "id": 2,
    "name": "site-build",
    "operation": "build",
    "incoming_hooks": [
        {
            "id": "open-pushes",
            "name": "pushes",
            "variables": [
                {"name": "commit_hash", "path": "head.sha", "required": True},
                {"name": "retries", "path": "retries", "type": "integer", "default_value": 3},
                {"name": "labels", "path": "labels", "type": "array"},
            ],
            "trigger_when": {"conditions": [{"path": "ref", "accepted_values": ["refs/heads/main"]}]},
        },
        {"id": "signed-pushes", "name": "signed pushes", "secret": "incoming"},
        {"id": "inactive-pushes", "name": "not any more", "active": False},
    ],
    "hooks": [
        a_hook(
            "https://target.example/{{ action.triggered_from.hook_parsed_variables.commit_hash }}",
            "action.queued",
            "action.completed",
            name="tells the commit",
            trigger_when={
                "conditions": [{"path": "action.triggered_from.name", "accepted_values": ["pushes"]}]
            },
            body={"variables": "{{ action.triggered_from.hook_parsed_variables }}"},
        )
    ],
}


@pytest.fixture(autouse=True)
def token_of_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_HOSTS", TOKEN)


def delivery_of(answer: Mapping[str, Any], number: int = 0) -> str:
    delivery: str = answer["hooks"][number]["delivery"]
    return delivery


def states(host: Host, commit: int) -> dict[str, str]:
    return {context: shown.state for context, shown in host.shown("acme/shop", sha_of(commit)).items()}


def sent(host: Host, name: str = "state") -> Sequence[Any]:
    return [received.body.get(name) for received in host.received]
