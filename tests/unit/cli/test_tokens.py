"""`hookengine tokens`"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from hookengine.cli.tokens import SCOPES
from hookengine.domain.token import Scope
from hookengine.guard.tokens import TokenRing
from hookengine.store.cold import tokens
from hookengine.store.migrations import connected

Run = Callable[..., Result]
URL = "sqlite:///test.db"

pytestmark = pytest.mark.usefixtures("config")


def ring() -> TokenRing:
    ring = TokenRing()
    ring.know(connected(URL, tokens.listed))
    return ring


def created(run: Run, *options: str) -> str:
    """The text of a new token."""
    done = run("tokens", "create", "bot", *options)
    assert done.exit_code == 0, done.output
    found = re.search(r"^The token, this once: (hke_\S+)$", done.stdout, re.MULTILINE)
    assert found is not None
    return found[1]


def test_a_token_lets_in_what_it_was_made_for_and_is_kept_nowhere(run: Run) -> None:
    text = created(run, "--scope", "emit", "--scope", "hooks:read", "--team", "shop")

    caller = ring().caller(f"Bearer {text}")
    assert caller is not None
    assert (caller.name, caller.scopes, caller.team) == ("bot", {"emit", "hooks:read"}, "shop")
    assert text.rpartition("_")[2].encode() not in Path("test.db").read_bytes()


def test_tokens_are_listed_without_their_texts(run: Run) -> None:
    text = created(run, "--scope", "admin")

    plain, as_json = run("tokens", "list"), run("tokens", "list", "-o", "json")

    (listed,) = json.loads(as_json.stdout)["items"]
    assert (listed["name"], listed["scopes"], listed["team"], listed["pipeline"]) == (
        "bot",
        ["admin"],
        None,
        None,
    )
    assert plain.stdout.splitlines()[1].startswith(listed["id"])
    assert text not in plain.output + as_json.output


def test_a_revoked_token_lets_nobody_in(run: Run) -> None:
    text = created(run, "--scope", "emit")
    (token,) = connected(URL, tokens.listed)

    done = run("tokens", "revoke", token.id)

    assert (done.exit_code, done.stdout) == (0, f"{token.id} is revoked\n")
    assert ring().caller(f"Bearer {text}") is None
    assert run("tokens", "list").stderr == "no tokens\n"


@pytest.mark.parametrize(
    ("options", "exit_code", "said"),
    [
        (("--scope", "write"), 2, "'write' is not one of 'emit'"),
        (("--scope", "admin", "--team", "shop"), 1, "an admin's token is not bound"),
        (("--scope", "emit", "--pipeline", "77"), 1, "pipeline"),
        ((), 2, "Missing option '--scope'"),
    ],
)
def test_a_token_that_makes_no_sense_is_not_made(
    run: Run, options: tuple[str, ...], exit_code: int, said: str
) -> None:
    done = run("tokens", "create", "bot", *options)

    assert done.exit_code == exit_code
    assert said in done.output
    assert run("tokens", "list").stderr == "no tokens\n"


def test_an_unknown_token_cannot_be_revoked(run: Run) -> None:
    done = run("tokens", "revoke", "abc")

    assert done.exit_code == 1
    assert "abc" in done.output


def test_the_scopes_of_the_command_are_those_there_are() -> None:
    assert set(SCOPES) == set(Scope)
