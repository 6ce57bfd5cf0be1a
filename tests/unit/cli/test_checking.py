"""`hookengine validate` and `hookengine migrate`"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hookengine.store.migrations import upgrade
from tests.postgres import PostgresServer


def test_a_file_that_is_right_is_counted_and_needs_no_secret_to_be_set(config: Path, run: Any) -> None:
    done = run("validate")

    assert (done.exit_code, done.stdout) == (0, "config.yaml: ok (1 pipeline, 2 hooks)\n")


def test_every_mistake_of_every_file_has_its_place(config: Path, run: Any) -> None:
    Path("wrong.yaml").write_text(
        "severs: {}\npipelines:\n  - id: 1\n    name: abc\n    hooks: [{name: x}]\n", encoding="utf-8"
    )

    result = run("validate", "wrong.yaml", "config.yaml")

    problems = result.stdout.splitlines()
    assert result.exit_code == 1
    assert problems[0].startswith("wrong.yaml:1:1: severs: unknown key 'severs', did you mean 'server'?")
    assert len(problems) >= 3
    assert "config.yaml:7:9: pipelines[0].id: the pipeline id 1 is taken, see wrong.yaml:3:9" in problems


def test_mistakes_are_told_to_programs_too(config: Path, run: Any) -> None:
    Path("wrong.yaml").write_text("severs: {}\n", encoding="utf-8")

    wrong, right = run("validate", "wrong.yaml", "-o", "json"), run("validate", "-o", "json")

    (problem,) = json.loads(wrong.stdout)["problems"]
    assert (problem["place"], wrong.exit_code) == ("wrong.yaml:1:1", 1)
    assert "did you mean 'server'?" in problem["message"]
    assert (json.loads(right.stdout), right.exit_code) == ({"problems": []}, 0)


def test_what_was_migrated_is_told_to_programs_too(config: Path, run: Any) -> None:
    check, done, again = (
        json.loads(run("migrate", *more, "-o", "json").stdout) for more in (["--check"], [], ["--check"])
    )

    assert check["pending"] == done["applied"] != []
    assert (done["database"].endswith("test.db"), again["pending"]) == (True, [])


def test_a_secret_in_the_open_is_found_before_serve_refuses_it(folder: Path, run: Any) -> None:
    Path("open.yaml").write_text(
        "pipelines:\n  - id: 1\n    name: abc\n    context:\n      app: {token: abc123}\n", encoding="utf-8"
    )

    result = run("validate", "open.yaml")

    assert result.exit_code == 1
    assert result.stdout.startswith(
        "open.yaml:5:20: pipelines[0].context.app.token: a secret must not stand here"
    )


def test_the_file_may_be_named_by_the_environment(config: Path, run: Any) -> None:
    config.rename("other.yaml")

    assert run("validate", env={"HOOKENGINE_CONFIG": "other.yaml"}).stdout.startswith("other.yaml: ok")
    assert run("validate").exit_code == 2


def test_a_file_that_is_not_there_is_a_wrong_usage(folder: Path, run: Any) -> None:
    assert run("validate", "nowhere.yaml").exit_code == 2


def test_checking_lists_what_is_pending_and_leaves_no_file_behind(config: Path, run: Any) -> None:
    result = run("migrate", "--check")

    assert result.exit_code == 1
    assert result.stdout.startswith("pending: 0001 ")
    assert not list(Path().glob("test.db*"))


def test_migrating_applies_what_is_pending_once(config: Path, run: Any) -> None:
    first, second, check = run("migrate"), run("migrate"), run("migrate", "--check")

    assert first.exit_code == second.exit_code == check.exit_code == 0
    assert first.stdout.startswith("applied: 0001 ")
    assert second.stdout == check.stdout
    assert second.stdout.endswith("test.db: up to date\n")


def test_a_database_in_use_is_not_migrated(config: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    with Path("test.db.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = run("migrate")

    assert result.exit_code == 3
    assert "is in use by process" in result.stderr


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    yield postgres_server.create_database("of_the_cli")
    postgres_server.drop_database("of_the_cli")


def test_a_postgresql_database_is_migrated_as_a_file_is(config: Path, postgres_url: str, run: Any) -> None:
    env = {"HOOKENGINE_DATABASE": postgres_url}

    pending, first, second, check = (
        run("migrate", *options, env=env) for options in (["--check"], [], [], ["--check"])
    )

    assert pending.exit_code == 1
    assert pending.stdout.startswith("pending: 0001 ")
    assert first.exit_code == second.exit_code == check.exit_code == 0
    assert first.stdout == pending.stdout.replace("pending:", "applied:")
    assert second.stdout == check.stdout
    assert second.stdout.startswith("PostgreSQL database 'of_the_cli' at 127.0.0.1:")
    assert second.stdout.endswith(": up to date\n")
    assert not list(Path().glob("test.db*"))


def test_commands_ask_a_postgresql_database_as_they_ask_a_file(
    config: Path, postgres_url: str, run: Any
) -> None:
    env = {"HOOKENGINE_DATABASE": postgres_url}

    applied = run("apply", env=env)
    emitted = run("emit", "action.failed", "--pipeline", "1", "--action", "5", "--id", "e1", env=env)
    shown = run("events", "show", "e1", "-o", "json", env=env)

    assert applied.stdout.endswith("4 defined: 4 created\n"), applied.stderr
    assert (emitted.exit_code, shown.exit_code) == (0, 0), emitted.stderr
    assert json.loads(shown.stdout)["action"]["id"] == 5
    assert not list(Path().glob("test.db*"))


def test_a_postgresql_database_that_does_not_exist_is_told(
    config: Path, postgres_server: PostgresServer, run: Any
) -> None:
    result = run(
        "migrate", "--check", env={"HOOKENGINE_DATABASE": postgres_server.url("nowhere", "hookengine:sesame")}
    )

    assert result.exit_code == 3
    assert "`createdb`" in result.stderr
    assert "sesame" not in result.stderr


def test_a_command_migrates_no_postgresql_database_that_nodes_may_be_using(
    config: Path, postgres_url: str, run: Any
) -> None:
    upgrade(postgres_url, "0008")
    env = {"HOOKENGINE_DATABASE": postgres_url}

    asked = run("deliveries", "list", env=env)
    rotated = run("secrets", "rotate", env={**env, "HOOKENGINE_SECRETS__INSECURE_PLAINTEXT": "false"})
    check, migrated = run("migrate", "--check", env=env), run("migrate", env=env)
    again = run("deliveries", "list", env=env)

    for refused in (asked, rotated):
        assert refused.exit_code == 3
        assert "stop these, then run `hookengine migrate`" in refused.stderr
    assert (check.exit_code, migrated.exit_code, again.exit_code) == (1, 0, 0)
