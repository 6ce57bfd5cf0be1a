from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hookengine.domain.hook import Signing, SigningScheme
from hookengine.domain.secret import Kept, StoredSecret
from hookengine.engine.binding import Bound
from hookengine.errors import InvalidEvent
from hookengine.guard.secret_paths import SecretPaths
from hookengine.guard.vault import (
    Declared,
    NamedSecret,
    PlainSeal,
    SecretMissing,
    SecretRefused,
    Shelf,
    Vault,
    secrets_in,
)
from tests.conftest import NOW, make_hook, make_vault

pytestmark = pytest.mark.anyio

PATHS = ("application.source_provider.access_token", "**.token", "**.password")


HOST = "target.example"


def named(value: str, *hosts: str) -> NamedSecret:
    return NamedSecret(env="A", hosts=frozenset(hosts), environ={"A": value})


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
    return make_vault(named, sealed, paths=PATHS, hosts=["Git.Example"])


def test_secrets_are_taken_out_of_the_data_by_their_paths(vault: Vault) -> None:
    data = {
        "application": {"source_provider": {"access_token": "one", "name": "git"}},
        "deep": {"er": [{"token": "two"}, [{"password": "three"}]]},
        "token": "four",
    }

    clean, _, secrets = vault.take_out(data)

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

    clean, _, secrets = vault.take_out(data)

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

    assert list(secrets_in(context, SecretPaths(["**.token"]))) == ["a.token"]


async def test_a_named_secret_goes_to_its_hosts_only(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST_TOKEN", " t0ken\n")

    values = await vault.values(["secrets.host"], "api.host.example")
    with pytest.raises(SecretRefused) as refused:
        await vault.values(["secrets.host"], "evil.example")

    assert values == {"secrets.host": "t0ken"}
    assert "t0ken" not in str(refused.value)
    assert "secrets.host.hosts" in str(refused.value)


async def test_a_context_secret_goes_to_the_hosts_of_contexts_only(vault: Vault, sealed: Sealed) -> None:
    sealed.kept[3, "application.token"] = "t0ken"
    names = ["context:3:application.token"]

    values = await vault.values(names, "git.example")
    with pytest.raises(SecretRefused, match="context_hosts"):
        await vault.values(names, "api.host.example")

    assert values == {"context:3:application.token": "t0ken"}


async def test_the_newest_value_counts_each_time(
    vault: Vault, sealed: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST_TOKEN", "old")
    sealed.kept[1, "token"] = "old"
    await vault.values(["secrets.host"], "api.host.example")
    monkeypatch.setenv("HOST_TOKEN", "new")
    sealed.kept[1, "token"] = "new"

    named = await vault.values(["secrets.host"], "api.host.example")
    context = await vault.values(["context:1:token"], "git.example")

    assert (*named.values(), *context.values()) == ("new", "new")


@pytest.mark.parametrize("name", ["secrets.nobody", "context:9:token", "secrets.host"])
async def test_a_secret_without_a_value_is_missing(
    vault: Vault, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOST_TOKEN", raising=False)
    host = "git.example" if name.startswith("context") else "api.host.example"

    with pytest.raises(SecretMissing):
        await vault.values([name], host)


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


# Whose hosts


@pytest.mark.parametrize(
    ("beside", "goes_to", "not_to"),
    [
        ({"type": "github"}, "api.github.com", "gitlab.com"),
        ({"name": "GitLab"}, "gitlab.com", "api.github.com"),
        ({"url": "https://bitbucket.org/acme/shop"}, "api.bitbucket.org", "gitlab.com"),
        ({}, "api.bitbucket.org", "evil.example"),
        ({"type": "gitea at git.acme.io"}, "api.github.com", "git.acme.io"),
        ({"type": 7}, "git.example", "evil.example"),
    ],
)
async def test_a_source_providers_token_goes_to_the_api_of_that_provider_only(
    vault: Vault, sealed: Sealed, beside: dict[str, Any], goes_to: str, not_to: str
) -> None:
    _, _, taken = vault.take_out({"application": {"source_provider": {**beside, "access_token": "t0ken"}}})
    sealed.kept = {(1, path): vault.seal(1, path, value) for path, value in taken.items()}
    names = ["context:1:application.source_provider.access_token"]

    values = await vault.values(names, goes_to)
    with pytest.raises(SecretRefused, match="context_hosts"):
        await vault.values(names, not_to)

    assert set(values.values()) == {"t0ken"}


async def test_any_other_secret_of_a_context_goes_where_the_operator_says_only(
    vault: Vault, sealed: Sealed
) -> None:
    sealed.kept[1, "source_provider.deep.token"] = "t0ken"
    sealed.kept[1, "source_provider"] = "t0ken"

    assert await vault.values(["context:1:source_provider"], "git.example")
    with pytest.raises(SecretRefused):
        await vault.values(["context:1:source_provider"], "api.github.com")


# Secrets that are set


class Shelved:
    """A shelf, and what the database behind it holds."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Kept] = {}
        self.asked = 0
        self.shelf = Shelf(PlainSeal(), self._ask)

    def set(self, owner: str, name: str, value: str, *hosts: str) -> None:
        self.kept[owner, name] = Kept(value, hosts)
        self._secrets = [*getattr(self, "_secrets", []), stored(owner, name, *hosts)]
        self.shelf.know(self._secrets)

    async def _ask(self, owner: str, name: str) -> Kept | None:
        self.asked += 1
        return self.kept.get((owner, name))


def stored(owner: str, name: str, *hosts: str) -> StoredSecret:
    return StoredSecret(owner=owner, name=name, hosts=hosts, updated_at=NOW)


async def test_the_nearest_secret_of_a_name_counts_a_hooks_own_first() -> None:
    shelved = Shelved()
    for owner in ("", "pipeline:3", "hook:tell"):
        shelved.set(owner, "token", f"of {owner}", "git.example")
    vault = make_vault(shelf=shelved.shelf)

    anybodys, pipelines, own = vault.refs(1)["token"], vault.refs(3)["token"], vault.refs_of("tell")["token"]

    values = [(await vault.values([ref.name], "git.example"))[ref.name] for ref in (anybodys, pipelines, own)]
    assert values == ["of ", "of pipeline:3", "of hook:tell"]
    assert vault.refs_of("another") == {}


async def test_what_the_file_names_counts_before_what_is_set_for_everyone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOST_TOKEN", "of the file")
    shelved = Shelved()
    shelved.set("", "host", "of the database", "git.example")
    named = {"host": NamedSecret(env="HOST_TOKEN", hosts=frozenset({"api.host.example"}))}
    vault = make_vault(named, shelf=shelved.shelf)

    assert await vault.value("host") == "of the file"
    with pytest.raises(SecretRefused):
        await vault.values(["secrets.host"], "git.example")


async def test_a_stored_secret_goes_to_its_hosts_only_and_is_asked_for_once() -> None:
    shelved = Shelved()
    shelved.set("", "token", "t0ken", "git.example")
    vault = make_vault(shelf=shelved.shelf)

    for _ in range(3):
        await vault.values(["secrets.token"], "git.example")
    with pytest.raises(SecretRefused, match="is set with"):
        await vault.values(["secrets.token"], "evil.example")

    assert shelved.asked == 1


async def test_a_stored_secret_that_did_not_serve_is_asked_for_anew() -> None:
    shelved = Shelved()
    shelved.set("", "token", "old", "git.example")
    vault = make_vault(shelf=shelved.shelf)
    await vault.values(["secrets.token"], "git.example")
    shelved.kept["", "token"] = Kept("new", ("git.example",))

    as_before = await vault.values(["secrets.token"], "git.example")
    renewed = await vault.values(["secrets.token"], "git.example", renew=True)

    assert (*as_before.values(), *renewed.values()) == ("old", "new")


async def test_what_another_node_has_set_for_other_hosts_is_not_used_as_it_was_before() -> None:
    """Before this node is told of it."""
    shelved = Shelved()
    shelved.set("", "token", "old", "git.example")
    shelved.set("", "key", "old")
    vault = make_vault(shelf=shelved.shelf)
    shelved.kept = {("", name): Kept("new", ("moved.example",)) for name in ("token", "key")}

    with pytest.raises(SecretMissing, match="goes to other hosts since a moment ago"):
        await vault.values(["secrets.token"], "git.example")
    with pytest.raises(SecretMissing, match="goes to other hosts since a moment ago"):
        await vault.signing_secrets(make_hook(signing=Signing(secrets=("key",))), "git.example")


async def test_what_is_on_the_shelf_is_forgotten_when_something_is_set() -> None:
    shelved = Shelved()
    shelved.set("", "token", "old", "git.example")
    vault = make_vault(shelf=shelved.shelf)
    await vault.value("token")

    shelved.set("", "token", "new", "git.example")

    assert await vault.value("token") == "new"


async def test_an_answer_of_before_is_not_kept_for_what_was_set_meanwhile() -> None:
    asking, answer = asyncio.Event(), asyncio.Event()
    answers = iter(["old", "new"])

    async def ask(owner: str, name: str) -> Kept:
        said = Kept(next(answers), ())
        asking.set()
        await answer.wait()
        return said

    shelf = Shelf(PlainSeal(), ask)
    shelf.know([stored("", "token")])
    slow = asyncio.create_task(shelf.value(stored("", "token")))
    await asking.wait()
    shelf.know([stored("", "token")])
    answer.set()

    assert (await slow, await shelf.value(stored("", "token"))) == ("old", "new")


async def test_a_secret_that_the_file_declares_is_missing_until_somebody_sets_it() -> None:
    shelved = Shelved()
    vault = make_vault(
        {"token": Declared("token", shelved.shelf, frozenset({"a.example"}))}, shelf=shelved.shelf
    )

    before = await vault.missing()
    shelved.set("", "token", "t0ken", "b.example")

    assert before == ["secrets.token is not set; `hookengine secrets set token` does it"]
    assert await vault.missing() == []
    for host in ("a.example", "b.example"):
        assert await vault.values(["secrets.token"], host) == {"secrets.token": "t0ken"}


async def test_a_hook_signs_with_its_own_secret_before_others_of_that_name() -> None:
    shelved = Shelved()
    for owner in ("", "pipeline:3", "hook:tell"):
        shelved.set(owner, "key", f"of {owner}")
    vault = make_vault(shelf=shelved.shelf)
    signing = Signing(secrets=("key",))

    signed_with = [
        await vault.signing_secrets(make_hook(id=hook_id, pipeline_id=pipeline_id, signing=signing), HOST)
        for hook_id, pipeline_id in (("tell", 3), ("other", 3), ("other", None))
    ]

    assert signed_with == [["of hook:tell"], ["of pipeline:3"], ["of "]]
    assert await vault.signing_secrets(make_hook(), HOST) == []


async def test_a_secret_that_is_sent_to_hosts_signs_nothing_that_goes_elsewhere() -> None:
    shelved = Shelved()
    shelved.set("", "stored", "of everyone", "a.example")
    vault = make_vault({"token": named("t0ken", "a.example")}, shelf=shelved.shelf)

    for name, value in (("token", "t0ken"), ("stored", "of everyone")):
        hook = make_hook(signing=Signing(secrets=(name,), scheme=SigningScheme.GITHUB))
        assert await vault.signing_secrets(hook, "a.example") == [value]
        with pytest.raises(SecretRefused, match=f"secrets.{name} may not go to b.example"):
            await vault.signing_secrets(hook, "b.example")


def test_who_is_trusted_with_a_pipeline_signs_with_its_own_or_with_what_has_hosts() -> None:
    shelved = Shelved()
    shelved.set("", "anywhere", "x")
    shelved.set("", "somewhere", "x", "a.example")
    shelved.set("pipeline:3", "own", "x")
    shelved.set("pipeline:4", "others", "x")
    shelved.set("hook:tell", "hooks", "x")
    sources = {"incoming": named("x"), "token": named("x", "a.example")}
    vault = make_vault(sources, shelf=shelved.shelf)

    assert vault.signing_names(3, "tell") == {"somewhere", "own", "hooks", "token"}


def test_nothing_that_holds_a_secret_tells_it_of_itself() -> None:
    named = NamedSecret(env="A", environ={"A": "s3cret-canary"})
    said = "s3cret-canary"
    bound = Bound(headers=[("a", said)], body=said.encode(), values={"a": said}, secrets=frozenset({said}))

    assert "canary" not in repr([named, bound, Shelved().shelf, make_vault({"a": named})])
