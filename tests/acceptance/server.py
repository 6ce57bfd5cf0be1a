"""A server in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

import httpx

from tests.acceptance.configs import API_TOKEN, PATIENCE, TOKEN


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
