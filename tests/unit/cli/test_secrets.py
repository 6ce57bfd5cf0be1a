"""`hookengine secrets`"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from hookengine.guard.key_file import new_key_file, open_ring, read_keys
from hookengine.guard.keys import KeyRing, id_of
from hookengine.store.cold import secrets
from hookengine.store.cold.resealing import keys_in_use
from hookengine.store.migrations import connected

Run = Callable[..., Result]
URL = "sqlite:///test.db"
VALUE = "s3cret-canary-7b1e"


@pytest.fixture(autouse=True)
def sealing(config: Path) -> None:
    """The configuration of these tests has a key, and declares a secret."""
    text = config.read_text("utf-8").replace("insecure_plaintext: true", "chat: {stored: true}")
    config.write_text(text, encoding="utf-8")
    new_key_file(Path("hookengine.key"))


def opened(owner: str = "", name: str = "chat") -> str | None:
    kept = connected(URL, lambda connection: secrets.kept(connection, owner, name))
    return kept and open_ring(Path("hookengine.key")).open(kept.sealed, f"secret|{owner}|{name}")


def test_a_secret_is_set_from_stdin_into_a_fresh_database_and_never_shown(run: Run) -> None:
    done = run("secrets", "set", "chat", "--hosts", "chat.example.com,b.example", input=f"{VALUE}\n")
    listed = run("secrets", "list")

    assert (done.exit_code, done.output) == (
        0,
        "secrets.chat is set; it goes to chat.example.com, b.example\n",
    )
    assert opened() == VALUE
    assert listed.stdout.splitlines()[1].startswith("chat ")
    assert "everyone" in listed.stdout
    assert VALUE not in listed.output
    assert VALUE.encode() not in Path("test.db").read_bytes()


def test_a_pipeline_that_is_not_there_can_have_none(run: Run) -> None:
    unknown = run("secrets", "set", "chat", "--pipeline", "1", input=VALUE)

    assert unknown.exit_code == 1
    assert "no pipeline" in unknown.stderr


def test_a_signing_secret_is_made_and_shown_once(run: Run) -> None:
    done = run("secrets", "set", "chat", "--generate")

    value = opened()
    assert value is not None
    assert value.startswith("whsec_")
    assert done.stdout == (
        f"secrets.chat is set; it goes nowhere, it is for signing\nIts value, this once: {value}\n"
    )
    assert value not in run("secrets", "list", "-o", "json").output


def test_a_program_may_have_a_signing_secret_made(run: Run) -> None:
    done = json.loads(run("secrets", "set", "chat", "--generate", "-o", "json").stdout)

    assert done["value"] == opened()
    assert (done["name"], done["hosts"]) == ("chat", [])
    assert "value" not in json.loads(run("secrets", "set", "chat", "-o", "json", input=VALUE).stdout)


def test_the_list_is_there_for_programs_too(run: Run) -> None:
    run("secrets", "set", "chat", "--hosts", "Chat.Example.com", input=VALUE)

    (listed,) = json.loads(run("secrets", "list", "--output", "json").stdout)["items"]

    assert listed.pop("updated_at")
    assert listed == {
        "name": "chat",
        "pipeline": None,
        "hook": None,
        "incoming_hook": None,
        "hosts": ["chat.example.com"],
    }


@pytest.mark.parametrize(
    ("arguments", "typed", "exit_code", "said"),
    [
        (["a-b"], VALUE, 1, "name: "),
        (["chat", "--hosts", "https://a.example/"], VALUE, 1, "bare names"),
        (["chat"], " \n", 1, "has 1 to"),
        (["chat"], "x" * 70_000, 1, "has 1 to"),
        (["chat", "--pipeline", "1", "--hook", "x"], VALUE, 2, "not of both"),
        (["chat", "--hook", "nobody"], VALUE, 1, "no hook 'nobody'"),
        (["github"], VALUE, 1, "says where secrets.github is read from"),
    ],
)
def test_what_cannot_be_set_is_told_without_the_value(
    run: Run, arguments: list[str], typed: str, exit_code: int, said: str
) -> None:
    refused = run("secrets", "set", *arguments, input=typed)

    assert refused.exit_code == exit_code
    assert said in refused.stderr
    assert VALUE not in refused.output


def test_a_secret_that_was_deleted_is_gone(run: Run) -> None:
    run("secrets", "set", "chat", input=VALUE)

    done, again = run("secrets", "delete", "chat"), run("secrets", "delete", "chat")

    assert (done.exit_code, again.exit_code, opened()) == (0, 1, None)


def test_a_rotation_seals_everything_anew_and_says_when_the_old_key_may_go(run: Run) -> None:
    run("secrets", "set", "chat", input=VALUE)
    (old,) = read_keys(Path("hookengine.key"))

    done = run("secrets", "rotate")

    new, *others = read_keys(Path("hookengine.key"))
    assert others == [old]
    assert done.exit_code == 0
    assert f"a new key: {id_of(new)}\nsealed anew: 1\n" in done.stdout
    assert "--drop-old" in done.stdout
    assert dict(connected(URL, keys_in_use)) == {f"v1.{id_of(new)}.": 1}
    assert opened() == VALUE

    dropped = run("secrets", "rotate", "--drop-old")

    assert dropped.stdout.startswith("1 old key(s) dropped")
    assert read_keys(Path("hookengine.key")) == [new]
    assert opened() == VALUE


def test_an_old_key_that_is_needed_is_not_dropped(run: Run) -> None:
    run("secrets", "set", "chat", input=VALUE)
    run("secrets", "rotate")
    old = read_keys(Path("hookengine.key"))[1]
    sealed = KeyRing([old]).seal(VALUE, "secret||chat")
    connected(
        URL,
        lambda connection: connection.exec_driver_sql("UPDATE secret SET sealed = ?", (sealed,)),
        writes=True,
    )

    refused = run("secrets", "rotate", "--drop-old")
    finished = run("secrets", "rotate")

    assert refused.exit_code == 2
    assert "1 secrets are still sealed with an old key" in refused.stderr
    assert finished.stdout.startswith("the newest key, as begun before: ")
    assert len(read_keys(Path("hookengine.key"))) == 2
    assert run("secrets", "rotate", "--drop-old").exit_code == 0
    assert opened() == VALUE


def test_what_no_key_opens_is_counted_and_left_alone(run: Run) -> None:
    run("secrets", "set", "chat", input=VALUE)
    Path("hookengine.key").unlink()
    new_key_file(Path("hookengine.key"))

    done = run("secrets", "rotate")

    assert "sealed anew: 0" in done.stdout
    assert "no key opens them: 1" in done.stdout


def test_without_sealing_there_is_nothing_to_rotate(run: Run, config: Path) -> None:
    text = config.read_text("utf-8").replace("chat: {stored: true}", "insecure_plaintext: true")
    config.write_text(text, encoding="utf-8")

    assert run("secrets", "rotate").exit_code == 2
