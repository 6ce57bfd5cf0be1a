from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from hookengine.domain.request import SecretRef
from hookengine.errors import InvalidEvent
from hookengine.guard.vault import (
    NamedSecret,
    PlainSeal,
    SecretMissing,
    SecretRefused,
    Vault,
    fill,
    scrub,
    secrets_in,
)
from tests.conftest import make_request

pytestmark = pytest.mark.anyio

PATHS = ("application.source_provider.access_token", "**.token", "**.password")


class Sealed:
    """What the store would have kept."""

    def __init__(self) -> None:
        self.kept: dict[tuple[int, str], str] = {}

    async def __call__(self, pipeline_id: int, path: str) -> str | None:
        return self.kept.get((pipeline_id, path))


@pytest.fixture
def sealed() -> Sealed:
    return Sealed()


@pytest.fixture
def vault(sealed: Sealed) -> Vault:
    named = {"host": NamedSecret(env="HOST_TOKEN", hosts=frozenset({"api.host.example"}))}
    return Vault(named, PlainSeal(), sealed, context_paths=PATHS, context_hosts=["Git.Example"])


def asking_for(*names: str) -> Any:
    return make_request(
        headers=tuple((f"x-{number}", (SecretRef(name),)) for number, name in enumerate(names))
    )


def test_secrets_are_taken_out_of_the_data_by_their_paths(vault: Vault) -> None:
    data = {
        "application": {"source_provider": {"access_token": "one", "name": "git"}},
        "deep": {"er": [{"token": "two"}, [{"password": "three"}]]},
        "token": "four",
    }

    clean, secrets = vault.take_out(data)

    assert secrets == {
        "application.source_provider.access_token": "one",
        "deep.er.0.token": "two",
        "deep.er.1.0.password": "three",
        "token": "four",
    }
    assert clean == {
        "application": {
            "source_provider": {
                "access_token": {"$secret": "application.source_provider.access_token"},
                "name": "git",
            }
        },
        "deep": {
            "er": [
                {"token": {"$secret": "deep.er.0.token"}},
                [{"password": {"$secret": "deep.er.1.0.password"}}],
            ]
        },
        "token": {"$secret": "token"},
    }


def test_a_null_is_no_secret_and_other_names_are_left_alone(vault: Vault) -> None:
    data = {"token": None, "tokens": "many", "a": {"access_token": "elsewhere"}}

    clean, secrets = vault.take_out(data)

    assert (clean, secrets) == (data, {})


@pytest.mark.parametrize("value", [1, True, ["one"], {"a": "b"}])
def test_a_secret_that_is_no_text_is_refused_without_being_told(vault: Vault, value: Any) -> None:
    with pytest.raises(InvalidEvent) as refused:
        vault.take_out({"a": {"token": value}})

    assert list(refused.value.errors) == ["a.token"]


def test_nobody_can_send_a_mark(vault: Vault) -> None:
    with pytest.raises(InvalidEvent) as refused:
        vault.take_out({"application": {"name": {"$secret": "secrets.host"}}})

    assert list(refused.value.errors) == ["application.name.$secret"]


def test_secrets_that_stand_in_the_open_are_found(vault: Vault) -> None:
    context = {"a": {"token": "x"}, "b": {"token": {"$secret": "secrets.host"}}, "token": None}

    assert list(secrets_in(context, ["**.token"])) == ["a.token"]


async def test_a_named_secret_goes_to_its_hosts_only(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST_TOKEN", " t0ken\n")

    values = await vault.values(asking_for("secrets.host"), "api.host.example")
    with pytest.raises(SecretRefused) as refused:
        await vault.values(asking_for("secrets.host"), "evil.example")

    assert values == {"secrets.host": "t0ken"}
    assert "t0ken" not in str(refused.value)
    assert "secrets.host.hosts" in str(refused.value)


async def test_a_context_secret_goes_to_the_hosts_of_contexts_only(vault: Vault, sealed: Sealed) -> None:
    sealed.kept[3, "application.token"] = "t0ken"
    request = asking_for("context:3:application.token")

    values = await vault.values(request, "git.example")
    with pytest.raises(SecretRefused, match="context_hosts"):
        await vault.values(request, "api.host.example")

    assert values == {"context:3:application.token": "t0ken"}


async def test_the_newest_value_counts_each_time(
    vault: Vault, sealed: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST_TOKEN", "old")
    sealed.kept[1, "token"] = "old"
    await vault.values(asking_for("secrets.host"), "api.host.example")
    monkeypatch.setenv("HOST_TOKEN", "new")
    sealed.kept[1, "token"] = "new"

    named = await vault.values(asking_for("secrets.host"), "api.host.example")
    context = await vault.values(asking_for("context:1:token"), "git.example")

    assert (*named.values(), *context.values()) == ("new", "new")


@pytest.mark.parametrize("name", ["secrets.nobody", "context:9:token", "secrets.host"])
async def test_a_secret_without_a_value_is_missing(
    vault: Vault, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOST_TOKEN", raising=False)
    host = "git.example" if name.startswith("context") else "api.host.example"

    with pytest.raises(SecretMissing):
        await vault.values(asking_for(name), host)


def test_a_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "token"
    secret = NamedSecret(file=file)
    file.write_text("old\n")
    first = secret.value("host")
    file.write_text("new\n")

    assert (first, secret.value("host")) == ("old", "new")


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_file_that_gives_no_secret_is_told_by_name(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SecretMissing, match=r"secrets\.host"):
        NamedSecret(file=file).value("host")


def test_a_hole_is_filled_in_the_form_it_asks_for() -> None:
    values = {"secrets.host": "t0ken"}

    plain = fill(SecretRef("secrets.host"), values)
    basic = fill(SecretRef("secrets.host", "base64", "bot:"), values)

    assert plain == "t0ken"
    assert base64.b64decode(basic) == b"bot:t0ken"


def test_short_values_are_not_scrubbed_for_they_stand_everywhere() -> None:
    assert scrub("a test", ["test"]) == "a test"


def test_a_secret_that_contains_another_is_scrubbed_whole() -> None:
    assert scrub("x abcdefgh x", ["abcdef", "abcdefgh"]) == "x [secret] x"


def test_a_text_that_was_cut_loses_the_beginning_of_a_secret_at_its_end() -> None:
    assert scrub("sent abcdefg", ["abcdefgh"], cut=True) == "sent [secret]"
    assert scrub("sent abcdefg", ["abcdefgh"]) == "sent abcdefg"
    assert scrub("sent ab", ["abcdefgh"], cut=True) == "sent ab"
    assert scrub("nothing", [], cut=True) == "nothing"
