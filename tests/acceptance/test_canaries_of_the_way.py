"""Row 54 again, for what the engine shows on its way to a target: to a proxy, and to GitHub as an app."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.acceptance.canaries import found_in
from tests.acceptance.configs import PATIENCE, Config, a_config, a_hook, event
from tests.acceptance.server import Server, StartServer

PROXY_USER, PROXY_PASSWORD = "canary-operator-51c0", "canary/proxy+77e2:90ab/4d"
MINTED = "ghs_canary/minted+19ce40d7b2"
MINTING = "/app/installations/7/access_tokens"
PEM = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
KEY_LINES = [line for line in PEM.decode().splitlines() if "-----" not in line]


class TellTale(BaseHTTPRequestHandler):
    """A proxy and a GitHub that tell everybody what they were shown, in their answer's head and body.

    The proxy refuses by the last number of the address it is to lead to.
    """

    def do_CONNECT(self) -> None:
        shown = self.headers["proxy-authorization"]
        status = {"36": 407, "37": 502, "38": 200}.get(self.path.partition(":")[0].rpartition(".")[2])
        if status is not None:
            self._tell(status, shown)
        self.close_connection = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        shown = self.headers["authorization"]
        if MINTING not in self.path:
            self._tell(404 if "once" in self.path else 401, shown)
        elif self.server.mints:  # type: ignore[attr-defined]
            self._answer(201, json.dumps({"token": MINTED, "expires_at": "2099-01-01T00:00:00Z"}))
        else:
            self._tell(500, shown)

    def _tell(self, status: int, shown: str) -> None:
        self.server.shown.append(shown)  # type: ignore[attr-defined]
        bare = shown.split(" ")[-1]
        spelt = [shown, bare, quote(bare, safe=""), base64.b64encode(bare.encode()).decode()]
        if shown.startswith("Basic "):
            spelt.append(base64.b64decode(bare).decode())
        self._answer(status, json.dumps(spelt), {"X-Request-Id": spelt[-1], "Location": "/?" + spelt[2]})

    def _answer(self, status: int, body: str, more: dict[str, str] | None = None) -> None:
        self.send_response(status, body)  # also in the reason
        for name, value in {**(more or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *said: object) -> None:
        pass


@contextmanager
def telling(*, mints: bool = True) -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), TellTale)
    server.shown, server.mints = [], mints
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


SOON = {"retry": {"waits": ["50ms"], "jitter": 0, "give_up_after": "150ms"}, "lane": "none", "timeout": "2s"}


def all_that_is_told(server: Server, hooks: int) -> dict[str, bytes]:
    """One event, and when all that it owes has ended, all there is to read."""
    (accepted,) = server.accept(event("completed", 1))
    assert len(accepted["hooks"]) == hooks
    server.wait_for("delivery.ended", times=hooks)
    told = [server.get(f"/api/deliveries/{hook['delivery']}").text for hook in accepted["hooks"]]
    told += [server.get(path).text for path in ("/api/hooks", "/api/secrets", "/metrics", "/readyz")]
    commands = [["validate"], ["secrets", "list"], ["deliveries", "list"]]
    said = [
        subprocess.run(
            [sys.executable, "-m", "hookengine", *command],
            cwd=server.folder, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )
        for command in commands
    ]  # fmt: skip
    server.stop()
    return {
        "answers": "".join(told).encode(),
        "commands": "".join(one.stdout + one.stderr for one in said).encode(),
        "log": server.output.encode(),
        **{file.name: file.read_bytes() for file in server.folder.glob("hookengine.db*")},
    }


def test_what_a_proxy_was_shown_is_found_nowhere(tmp_path: Path, start_server: StartServer) -> None:
    (tmp_path / "proxy.secret").write_text(f"{PROXY_USER}:{PROXY_PASSWORD}\n")
    hooks = [a_hook(f"http://93.184.216.{last}/", name=str(last), **SOON) for last in (36, 37, 38, 39)]
    with telling() as proxy:
        delivery = {
            "proxy": {
                "url": f"http://127.0.0.1:{proxy.server_address[1]}",
                "credentials": {"file": "proxy.secret"},
            }
        }
        told = all_that_is_told(start_server(a_config(*hooks, delivery=delivery)), len(hooks))

    shown = base64.b64encode(f"{PROXY_USER}:{PROXY_PASSWORD}".encode()).decode()
    assert set(proxy.shown) == {f"Basic {shown}"}
    assert b"attempt.finished" in told["log"]
    assert found_in(told, [PROXY_PASSWORD, shown]) == []


def _with_app(address: str, key: Path) -> Config:
    token = {"Authorization": "Bearer {{ secrets.app }}"}
    hooks = [a_hook(f"{address}/{name}", name=name, headers=token, **SOON) for name in ("once", "again")]
    config = a_config(*hooks)
    config["secrets"]["app"] = {
        "kind": "github_app",
        "app_id": 12,
        "installation_id": 7,
        "private_key": {"file": str(key)},
        "api": address,
    }
    return config


@pytest.mark.parametrize("mints", [True, False])
def test_what_github_was_shown_by_an_app_is_found_nowhere(
    tmp_path: Path, start_server: StartServer, mints: bool
) -> None:
    key = tmp_path / "app.pem"
    key.write_bytes(PEM)
    with telling(mints=mints) as github:
        config = _with_app(f"http://127.0.0.1:{github.server_address[1]}", key)
        told = all_that_is_told(start_server(config), 2)

    shown = {shown.removeprefix("Bearer ") for shown in github.shown}
    assert shown, "nobody was shown anything"
    assert shown == {MINTED} if mints else all(one.count(".") == 2 for one in shown)
    assert found_in(told, [*shown, MINTED, *KEY_LINES]) == []
