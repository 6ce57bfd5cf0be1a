"""Which place a command asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from hookengine.cli.asking import asks_the_api
from hookengine.cli.client import Client

HERE = "http://127.0.0.1:8730"


@click.command()
@asks_the_api
def asked(client: Client) -> None:
    click.echo(client.place.name)


def place(*arguments: str, **environ: str) -> str:
    from click.testing import CliRunner

    done = CliRunner().invoke(asked, arguments, env=environ)
    return done.output.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "environ", "there"),
    [
        ((), {}, "the database"),
        (("--server", "http://a"), {}, "http://a"),
        (("--server", "http://a", "--token", "t"), {"HOOKENGINE_SERVER": "http://b"}, "http://a"),
        (("--server", "http://a"), {"HOOKENGINE_CONFIG": "config.yaml"}, "http://a"),
        ((), {"HOOKENGINE_SERVER": "http://b", "HOOKENGINE_CONFIG": "config.yaml"}, "http://b"),
        (("--config", "config.yaml"), {"HOOKENGINE_SERVER": "http://b"}, "the database"),
        (("--config", "config.yaml"), {"HOOKENGINE_TOKEN": "t"}, "the database"),
        ((), {"HOOKENGINE_TOKEN": "t"}, HERE),
        (("--token-file", "token"), {}, HERE),
        ((), {"HOOKENGINE_TOKEN": "t", "HOOKENGINE_CONFIG": "config.yaml"}, HERE),
        ((), {"HOOKENGINE_CONFIG": "other.yaml"}, "the database"),
    ],
)
@pytest.mark.usefixtures("config")
def test_what_is_typed_counts_first_then_a_server_then_a_token_then_the_database(
    arguments: tuple[str, ...], environ: dict[str, str], there: str
) -> None:
    assert place(*arguments, **environ) == there


@pytest.mark.usefixtures("folder")
def test_where_nothing_is_said_and_nothing_lies_it_is_the_usual_server() -> None:
    assert place() == HERE


@pytest.mark.parametrize("other", [("--server", "http://a"), ("--token", "t"), ("--token-file", "token")])
def test_a_database_and_a_server_cannot_both_be_meant(other: tuple[str, str], config: Path) -> None:
    assert "say one of them" in place("--config", str(config), *other)


def test_a_token_file_that_cannot_be_read_is_a_wrong_usage(folder: Path, run: Any) -> None:
    refused = run("hooks", "list", "--token-file", "nowhere")

    assert (refused.exit_code, refused.stderr) == (
        2,
        "no token can be read from nowhere: No such file or directory\n",
    )


def test_a_database_that_is_none_is_as_a_server_that_fails(config: Path, run: Any) -> None:
    Path("test.db").write_bytes(b"this is no database " * 100)

    refused = run("hooks", "list")

    assert (refused.exit_code, "not a database" in refused.stderr) == (3, True), refused.stderr


def test_a_configuration_that_is_wrong_is_a_wrong_usage_with_its_place(config: Path, run: Any) -> None:
    config.write_text("server: {prot: 1}\n", encoding="utf-8")

    refused = run("hooks", "list")

    assert (refused.exit_code, refused.stderr) == (
        2,
        "config.yaml:1:10: server.prot: unknown key 'prot', did you mean 'port'?\n",
    )
