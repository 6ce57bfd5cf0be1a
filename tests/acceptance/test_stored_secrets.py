from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from hookengine import InvalidSecret, NotFound
from hookengine.app import HookEngine
from hookengine.app.key_keeping import drop_old_keys, rotate
from hookengine.config import load_settings
from hookengine.guard.key_file import read_keys
from hookengine.guard.keys import id_of
from hookengine.simulators import GitHub, serve
from tests.acceptance.configs import TOKEN, a_config, event
from tests.acceptance.engines import opened
from tests.acceptance.hosts import CONTEXT, GITHUB, states

pytestmark = pytest.mark.anyio

FIRST, SECOND = "t0ken-number-one", "t0ken-number-two"


def stored_config(address: str, **changes: object) -> dict[str, object]:
    hook = GITHUB.preset_hook(address, id="tell")
    hook["with"]["token"] = "{{ secrets.kept }}"
    config = a_config(hook, **changes)
    config["secrets"]["kept"] = {"stored": True}
    return config


def authorised(github: GitHub) -> list[str]:
    return [received.headers["authorization"].removeprefix("Bearer ") for received in github.received]


async def test_a_secret_that_is_set_is_used_from_then_on_and_lists_tell_no_value(tmp_path: Path) -> None:
    github = GitHub(tokens={FIRST, SECOND})
    async with serve([github]) as (address,):
        async with opened(tmp_path, stored_config(address)) as engine:
            await engine.engine.secrets.set("kept", FIRST, hosts=["127.0.0.1"])
            (one,) = await engine.accept(event("completed", 1))
            await engine.ended(one)
            await engine.engine.secrets.set("kept", SECOND, hosts=["127.0.0.1"])
            (two,) = await engine.accept(event("completed", 2))
            ended = await engine.ended(two)
            listed = await engine.engine.secrets.list()
        async with opened(tmp_path, stored_config(address)) as engine:
            (three,) = await engine.accept(event("completed", 3))
            await engine.ended(three)

    assert ended["status"] == "delivered"
    assert authorised(github) == [FIRST, SECOND, SECOND]
    assert [(secret.name, secret.owner, secret.hosts) for secret in listed] == [("kept", "", ("127.0.0.1",))]
    assert not {FIRST, SECOND} & set(str(listed).split("'"))


async def test_the_nearest_owners_secret_is_sent(tmp_path: Path) -> None:
    github = GitHub(tokens={FIRST, SECOND, TOKEN})
    async with serve([github]) as (address,), opened(tmp_path, stored_config(address)) as engine:
        secrets = engine.engine.secrets
        for number, (owner, value) in enumerate([("", TOKEN), ("pipeline:1", FIRST), ("hook:tell", SECOND)]):
            await secrets.set("kept", value, hosts=["127.0.0.1"], owner=owner)
            (delivery,) = await engine.accept(event("completed", number + 1))
            await engine.ended(delivery)
        await secrets.delete("kept", owner="hook:tell")
        (delivery,) = await engine.accept(event("completed", 9))
        await engine.ended(delivery)
        with pytest.raises(NotFound):
            await secrets.delete("kept", owner="hook:tell")

    assert authorised(github) == [TOKEN, FIRST, SECOND, FIRST]


async def test_a_hooks_own_secret_goes_where_the_hook_goes_and_is_gone_when_that_changes(
    tmp_path: Path,
) -> None:
    github, elsewhere = GitHub(tokens={FIRST}), GitHub(tokens={FIRST})
    async with serve([github, elsewhere]) as (address, other):
        async with opened(tmp_path, stored_config(address)) as engine:
            kept = await engine.engine.secrets.set("kept", FIRST, owner="hook:tell")
            (one,) = await engine.accept(event("completed", 1))
            await engine.ended(one)
        async with opened(tmp_path, stored_config(other)) as engine:
            left = await engine.engine.secrets.list()
            (two,) = await engine.accept(event("completed", 2))
            tried = await engine.tried(two)

    assert kept.hosts == ("127.0.0.1",)
    assert authorised(github) == [FIRST]
    assert left == ()
    assert elsewhere.received == []
    assert "not set" in str(tried) or "may not go" in str(tried)


async def test_what_cannot_be_set_is_told_and_changes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, stored_config("http://127.0.0.1:18080"), deliver=False) as engine:
        secrets = engine.engine.secrets
        for name, value, arguments in (
            ("a-b", FIRST, {}),
            ("kept", "", {}),
            ("kept", "\ud800", {}),
            ("kept", FIRST, {"hosts": ["https://a"]}),
        ):
            with pytest.raises(InvalidSecret) as refused:
                await secrets.set(name, value, **arguments)
            assert FIRST not in str(refused.value)
        with pytest.raises(NotFound):
            await secrets.set("kept", FIRST, owner="pipeline:77")
        assert await secrets.list() == ()


async def test_what_a_command_sets_beside_the_engine_is_used_as_soon_as_it_is_noticed(tmp_path: Path) -> None:
    github = GitHub(tokens={FIRST, SECOND})
    async with serve([github]) as (address,), opened(tmp_path, stored_config(address)) as engine:
        await engine.engine.secrets.set("kept", FIRST, hosts=["127.0.0.1"])
        (one,) = await engine.accept(event("completed", 1))
        await engine.ended(one)
        async with HookEngine.beside(load_settings(tmp_path / "config.yaml", os.environ)) as beside:
            await beside.secrets.set("kept", SECOND, hosts=["127.0.0.1"])
        await engine.engine.parts.reloader.keep_up()

        (two,) = await engine.accept(event("completed", 2))
        await engine.ended(two)

    assert authorised(github) == [FIRST, SECOND]


async def rotated(folder: Path) -> None:
    settings = load_settings(folder / "config.yaml", os.environ)
    url = f"sqlite:///{folder / 'hookengine.db'}"
    await asyncio.to_thread(rotate, settings, url)
    await asyncio.to_thread(drop_old_keys, settings, url)


async def test_the_key_is_rotated_while_the_engine_runs(tmp_path: Path) -> None:
    """The engine knows the stored secret from before, has sealed one of a context, and meets both again after."""
    github = GitHub(tokens={FIRST, SECOND})
    async with serve([github]) as (address,):
        config = stored_config(address)
        of_context = GITHUB.preset_hook(address, name="of the context")
        del of_context["with"]["token"]
        of_context["with"]["context"] = "ci/context"
        config["pipelines"][0]["hooks"].append(of_context)  # type: ignore[index]
        provided = {"application": {"source_provider": {"access_token": SECOND}}}
        async with opened(tmp_path, config) as engine:
            await engine.engine.secrets.set("kept", FIRST, hosts=["127.0.0.1"])
            for delivery in await engine.accept(event("started", 1, **provided)):
                await engine.ended(delivery)
            (before,) = read_keys(tmp_path / "hookengine.key")

            await rotated(tmp_path)

            for number, data in ((1, {}), (2, provided)):
                for delivery in await engine.accept(event("completed", number, **data)):
                    assert (await engine.ended(delivery))["status"] == "delivered"
        async with opened(tmp_path, config) as engine:
            for delivery in await engine.accept(event("failed", 2)):
                assert (await engine.ended(delivery))["status"] == "delivered"

    assert [id_of(key) for key in read_keys(tmp_path / "hookengine.key")] != [id_of(before)]
    assert states(github, 2) == {CONTEXT: "failure", "ci/context": "failure"}
