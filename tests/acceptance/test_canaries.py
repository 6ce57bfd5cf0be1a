"""Row 54 of the fault matrix: secrets are planted wherever there can be any, and looked for everywhere else."""

from __future__ import annotations

import base64
import json
import os
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

from hookengine.guard.signing import new_signing_secret
from tests.acceptance.canaries import forms_of, found_in
from tests.acceptance.configs import API_TOKEN, PATIENCE, Config, a_config, a_hook, event, write_config
from tests.acceptance.server import Server
from tests.postgres import SharedDatabase

NAMED = "canary/named+7f3a9d1c55e0b2"
FROM_FILE = 'canary/file+"2\\e8b07ac41f9d'
SPOILT = "canary/spoilt+11d0\nc2b7e94f6a"  # a line end within: no header can hold it
IN_BODY = 'canary/body+<90>ac"71&e4d3b8'
STORED = "canary/stored+64b1e0f27c9a83"
SIGNING = new_signing_secret()
SENDER = "canary/sender+b85d03fe12c7"
CONTEXT = {
    "application.source_provider.access_token": "canary/provider+0b1e6c44f2a94d",
    "application.access_token": "canary/access+5d2f1a9be8c771",
    "action.token": "canary/token+c90a7712f3be08",
    "environment.deep.password": "canary/password+e14b6a90d7f2c3",
    "environment.list.0.secret": "canary/secret+8a7f90b2c6d1e5",
    "other.private_key": "-----BEGIN canary/key+71bd\n20e9f4c8a3-----",
}
BASIC = f"bot:{NAMED}"
PLANTED = [NAMED, FROM_FILE, SPOILT, IN_BODY, STORED, SIGNING, SENDER, API_TOKEN, *CONTEXT.values(), BASIC]


# A target that tells everybody what it was sent


class Echo(BaseHTTPRequestHandler):
    """`/STATUS/...` answers with that status and all it was sent, in every spelling; `/silent` hangs up."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        said = [value for _, value in self.headers.items()] + [body, self.path]
        server: Any = self.server
        server.heard.append((self.path, dict(self.headers.items()), body))
        if self.path.startswith("/silent"):
            self.close_connection = True
            return
        secrets = [value.split(" ")[-1] for value in said]
        answer = json.dumps(
            [*said, *secrets, *(quote(one, safe="") for one in secrets), *map(_base64, secrets)]
        )
        self.send_response(int(self.path.split("/")[1]))
        self.send_header(
            "X-Request-Id", secrets[-2] if body == "" else (self.headers["authorization"] or "none")
        )
        self.send_header("Location", "/?" + quote(self.headers["authorization"] or ""))
        self.send_header("Content-Length", str(len(answer.encode())))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *said: object) -> None:
        pass


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@contextmanager
def echoing() -> Iterator[tuple[str, list[tuple[str, dict[str, str], str]]]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.heard = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", server.heard  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# What is set up, and what is made to fail

VALUES = {
    "named": "Bearer {{ secrets.named }}",
    "basic": "Basic {{ 'bot' | basic_auth(secrets.named) }}",
    "file": "{{ secrets.from_file | b64encode }}",
    "spoilt": "Bearer {{ secrets.spoilt }}",
    "stored": "Bearer {{ secrets.stored }}",
    "absent": "Bearer {{ secrets.absent }}",
    **{path: f"token {{{{ {path} }}}}" for path in CONTEXT if path != "environment.list.0.secret"},
    "listed": "token {{ environment.list[0].secret }}",
}


def a_config_of(target: str, folder: Path) -> Config:
    soon = {
        "retry": {"waits": ["50ms"], "jitter": 0, "give_up_after": "150ms"},
        "lane": "none",
        "timeout": "2s",
    }
    statuses = [200, 302, 401, 404, 410, 503]
    hooks = [
        a_hook(
            f"{target}/{statuses[number % len(statuses)]}/{number}",
            "action.completed",
            name=name,
            headers={"Authorization": value, "X-Again": value},
            **soon,
        )
        for number, (name, value) in enumerate(VALUES.items())
    ]
    body = {"integrationKey": "{{ secrets.in_body }}", "again": "<{{ secrets.in_body | b64encode }}>"}
    token = {"Authorization": "Bearer {{ secrets.named }}"}
    unfit = {"X-Unfit": "{{ application.access_token ~ secrets.named }}"}
    hooks += [
        a_hook(f"{target}/400/body", "action.completed", name="body", body=body, **soon),
        a_hook(f"{target}/500/signed", "action.completed", name="signed", signing="signing", **soon),
        a_hook(f"{target}/silent", "action.completed", name="silent", headers=token, **soon),
        a_hook(target.replace("http:", "https:"), "action.completed", name="no tls", headers=token, **soon),
        a_hook("http://127.0.0.1:9009/", "action.completed", name="nobody", headers=token, **soon),
        a_hook(f"{target}/200/x", "action.completed", name="unrenderable", headers=unfit, **soon),
        a_hook(f"{target}/200/{{{{ environment.deep }}}}", "action.completed", name="in a path", **soon),
    ]  # fmt: skip
    config = a_config(*hooks, auth={"enabled": True, "tokens": {"platform": {"env": "CANARY_API"}}})
    named = {
        "named": "CANARY_NAMED",
        "in_body": "CANARY_BODY",
        "absent": "CANARY_ABSENT",
        "signing": "CANARY_SIGNING",
    }
    config["secrets"] |= {
        name: {"env": variable, "hosts": [] if name == "signing" else ["127.0.0.1"]}
        for name, variable in named.items()
    }
    config["secrets"]["in_body"]["in_bodies"] = True
    config["secrets"]["stored"] = {"stored": True, "hosts": ["127.0.0.1"]}
    config["secrets"]["sender"] = {"env": "CANARY_SENDER"}
    for name, content in (("from_file", FROM_FILE), ("spoilt", SPOILT)):
        (folder / name).write_text(content)
        config["secrets"][name] = {"file": str(folder / name), "hosts": ["127.0.0.1"]}
    config["pipelines"][0]["incoming_hooks"] = [
        {"id": "signed-pushes", "name": "pushes", "secret": "sender",
         "variables": [{"name": "n", "type": "integer", "required": True}]}
    ]  # fmt: skip
    return config


ENVIRON = {
    "CANARY_API": API_TOKEN,
    "CANARY_NAMED": NAMED,
    "CANARY_BODY": IN_BODY,
    "CANARY_SIGNING": SIGNING,
    "CANARY_SENDER": SENDER,
}


def provided() -> dict[str, Any]:
    """The event's data with every secret in its place."""
    told: dict[str, Any] = {"environment": {"list": [{"secret": CONTEXT["environment.list.0.secret"]}]}}
    for path, value in CONTEXT.items():
        place: Any = told
        *way, last = path.split(".")
        if "list" not in way:
            for step in way:
                place = place.setdefault(step, {})
            place[last] = value
    return told


def misfortunes(server: Server) -> Iterator[str]:
    """Requests that are wrong in every way, each with secrets in it; what they are answered."""
    told = provided()
    good = event("completed", 1, id="once", **told)
    token = CONTEXT["action.token"]
    yield server.post("/api/events", good).text
    yield server.post("/api/events", good).text
    yield server.post("/api/events", {**good, "type": "action.failed"}).text
    yield server.post("/api/events", event("started", 2, application={"token": [token], "password": 7})).text
    yield server.post("/api/events", event("started", 2, pipeline=NAMED, x={"$secret": token})).text
    yield server.post("/api/events", event("started", 2, action={"pipeline": 77, "token": token})).text
    yield server.request("POST", "/api/events", content=f'{{"token": "{token}", '.encode()).text
    yield server.request("POST", "/api/events", content=token.encode() * 100_000).text
    yield server.post("/api/events", good, headers={"Authorization": f"Bearer {API_TOKEN}x{token}"}).text
    yield server.post("/api/nowhere", good).text
    for headers in (
        {},
        {"x-hub-signature-256": SENDER},
        {"x-hub-signature-256": f"sha256={SENDER.encode().hex()}"},
    ):
        yield server.post("/hooks/signed-pushes/trigger", {"n": SENDER}, headers=headers).text


def told_by(server: Server) -> Iterator[str]:
    """Everything there is to read."""
    listed = server.get("/api/deliveries", params={"limit": 100}).text
    yield listed
    for delivery in json.loads(listed)["items"]:
        yield server.get(f"/api/deliveries/{delivery['id']}").text
    for path in (
        "/metrics",
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/api/hooks",
        "/api/secrets",
        "/api/pipelines",
    ):
        yield server.get(path).text


def said_by_commands(server: Server, folder: Path, *more: list[str]) -> Iterator[str]:
    document = json.dumps(event("completed", 1, **provided()))
    (folder / "event.json").write_text(document)
    commands = [
        ["validate"],
        ["secrets", "list"],
        ["deliveries", "list"],
        ["render", "--hook", "named", "--event", "event.json"],
        ["render", "--hook", "body", "--event", "event.json", "-o", "json"],
        ["render", "--hook", "unrenderable", "--event", "event.json"],
        ["--traceback", "render", "--hook", "in a path", "--event", "event.json"],
        *more,
    ]
    environ = {**os.environ, **ENVIRON, "HOOKENGINE_SERVER": server.url, "HOOKENGINE_TOKEN": API_TOKEN}
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "hookengine", *command],
            cwd=folder, env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        yield done.stdout + done.stderr
    (folder / "event.json").unlink()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> SharedDatabase | None:
    """None: SQLite's files, in the test's folder."""
    if request.param == "sqlite":
        return None
    postgres: SharedDatabase = request.getfixturevalue("postgres_database")
    return postgres


def kept_in(folder: Path, database: SharedDatabase | None) -> dict[str, bytes]:
    if database is None:
        return {file.name: file.read_bytes() for file in folder.glob("hookengine.db*")}
    tables = database.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    names = [row["tablename"] for row in tables]
    return {
        name: json.dumps(database.rows(f'SELECT row::text AS text FROM "{name}" AS row')).encode()
        for name in names
    }


@pytest.mark.timeout(180)
def test_no_secret_is_found_anywhere_after_failures_of_every_kind(
    tmp_path: Path, database: SharedDatabase | None
) -> None:
    with echoing() as (target, heard):
        config = a_config_of(target, tmp_path)
        if database is not None:
            config["database"] = database.url
        write_config(tmp_path, config)
        server = Server(tmp_path, ENVIRON)
        try:
            said = subprocess.run(
                [sys.executable, "-m", "hookengine", "secrets", "set", "stored"],
                cwd=tmp_path, env={**os.environ, **ENVIRON}, input=STORED,
                capture_output=True, text=True, timeout=PATIENCE, check=True,
            )  # fmt: skip
            server.start()
            answers = "".join(misfortunes(server))
            hooks = len(config["pipelines"][0]["hooks"])
            server.wait_for("delivery.ended", times=hooks - 1)  # one waits for a secret that is not there
            answers += "".join(told_by(server))
            commands = said.stdout + said.stderr + "".join(said_by_commands(server, tmp_path))
            kept = kept_in(tmp_path, database)
        finally:
            server.close()

    haystacks = {
        **kept,
        **{f"{name} afterwards": content for name, content in kept_in(tmp_path, database).items()},
        "log": server.output.encode(),
        "answers": answers.encode(),
        "commands": commands.encode(),
    }
    own_key = (tmp_path / "hookengine.key").read_text().strip()
    sent = json.dumps(heard)
    missed = [canary for canary in (NAMED, STORED, *CONTEXT.values()) if json.dumps(canary)[1:-1] not in sent]
    assert missed == [CONTEXT["other.private_key"]], "a secret that was never sent is not looked for in vain"
    assert (
        IN_BODY
        in json.loads(next(body for path, _, body in heard if path.endswith("/body")))["integrationKey"]
    )
    assert base64.b64encode(FROM_FILE.encode()).decode() in sent
    assert b"[secret]" in haystacks["answers"]
    assert b"attempt.finished" in haystacks["log"]
    assert found_in(haystacks, [*PLANTED, own_key]) == [], "a secret lies in the open"


@pytest.mark.parametrize("form", range(14))
def test_a_canary_is_found_in_every_spelling(form: int) -> None:
    spelt = list(forms_of(NAMED))[form]

    assert found_in({"place": b"before " + spelt + b" after"}, PLANTED)[0] == ("place", NAMED)
    assert found_in({"place": b"nothing here"}, PLANTED) == []
