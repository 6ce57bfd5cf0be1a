"""Databases and servers, started for one test or shared by those that only ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.acceptance.configs import API_TOKEN, SENDER_SECRET, TOKEN, Config, a_config, a_hook, write_config
from tests.acceptance.server import Server, StartServer


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


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests of a file that define something; a hook and an incoming hook are a file's."""
    folder = tmp_path_factory.mktemp("definitions")
    config = a_config(
        a_hook("https://target.example/of-file", "action.started", id="of-file", name="of the file"),
        pipeline={"incoming_hooks": [{"id": "incoming-of-file", "name": "of the file"}]},
        delivery={"allow_networks": []},
        secrets={"senders_key": {"stored": True}},
        auth={"enabled": True, "tokens": {"platform": {"env": "TOKEN_OF_PLATFORM"}}},
    )
    write_config(folder, config)
    server = Server(folder, {"TOKEN_OF_PLATFORM": API_TOKEN})
    server.start()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def token_of_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_HOSTS", TOKEN)
