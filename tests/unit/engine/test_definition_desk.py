from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from hookengine.domain.hook import Hook, HookState
from hookengine.domain.pipeline import IncomingHook
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.definition_desk import OWN, DefinitionDesk
from hookengine.engine.reloading import Reloader
from hookengine.engine.signals import Signals
from hookengine.errors import NotFound, Outdated
from hookengine.guard.tokens import TokenRing
from hookengine.guard.vault import PlainSeal, Shelf
from hookengine.store.sqlite import SqliteStore
from tests.conftest import Clock, make_hook, make_pipeline
from tests.sqlite import empty_database

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(empty_database(tmp_path / "hookengine.db"))
    yield store
    await store.close()


def desk_of(store: SqliteStore, clock: Clock, kind: type[DefinitionDesk] = DefinitionDesk) -> DefinitionDesk:
    """A node's own, over a store that others share."""
    seal = PlainSeal()
    shelf = Shelf(seal, store.kept_secret)
    catalogue = Catalogue()
    reloader = Reloader(store, catalogue, shelf, TokenRing(()), Signals())
    return kind(store, catalogue, reloader, seal, clock)


async def test_what_one_node_defines_another_finds_when_it_looks(store: SqliteStore, clock: Clock) -> None:
    here, there = desk_of(store, clock), desk_of(store, clock)
    await there.newest()

    await here.create(make_hook())

    assert (await there.hook("hook_1")).name == "commit status"
    assert here.known.find_hook("hook_1") is not None


async def test_two_changes_at_the_same_time_both_count(store: SqliteStore, clock: Clock) -> None:
    here, there = desk_of(store, clock), desk_of(store, clock)
    await here.create(make_hook())
    looked = 0

    async def somebody_else() -> None:
        await there.change_hook("hook_1", lambda hook: replace(hook, method="PUT"))

    class Slow(DefinitionDesk):
        async def hook(self, hook_id: str) -> Hook:
            nonlocal looked
            looked += 1
            found = await super().hook(hook_id)
            if looked == 1:  # between looking and deciding
                await somebody_else()
            return found

    slow = desk_of(store, clock, Slow)
    changed = await slow.change_hook("hook_1", lambda hook: replace(hook, name="renamed"))

    assert changed is not None
    assert (changed.name, changed.method, changed.revision) == ("renamed", "PUT", 3)


async def test_a_change_that_others_always_come_before_is_given_up(store: SqliteStore, clock: Clock) -> None:
    here, there = desk_of(store, clock), desk_of(store, clock)
    await here.create(make_hook())
    times = 0

    class Slow(DefinitionDesk):
        async def hook(self, hook_id: str) -> Hook:
            nonlocal times
            times += 1
            found = await super().hook(hook_id)
            await there.change_hook("hook_1", lambda hook: replace(hook, name=f"number {times}"))
            return found

    slow = desk_of(store, clock, Slow)

    with pytest.raises(Outdated):
        await slow.change_hook("hook_1", lambda hook: replace(hook, name="renamed"))


async def test_what_is_not_there_is_not_found(store: SqliteStore, clock: Clock) -> None:
    desk = desk_of(store, clock)

    for looking in (desk.pipeline(1), desk.hook("x"), desk.incoming_hook("x"), desk.revisions("x")):
        with pytest.raises(NotFound):
            await looking
    with pytest.raises(NotFound):
        await desk.change_hook("x", lambda _: None)
    with pytest.raises(NotFound):
        await desk.switch("x", HookState.PAUSED, "because")
    with pytest.raises(NotFound):
        await desk.note(make_pipeline())


async def test_a_renewed_secret_takes_the_place_of_the_one_before(store: SqliteStore, clock: Clock) -> None:
    desk = desk_of(store, clock)
    await desk.create(IncomingHook(id="incoming_1", name="pushes", pipeline_id=1), secret=None)

    await desk.renew_secret("incoming_1", "first")
    await desk.renew_secret("incoming_1", "second")

    assert (await desk.incoming_hook("incoming_1")).secret == OWN
    assert await store.kept_secret("incoming:incoming_1", OWN) == ("second", ())


async def test_whoever_renews_a_hooks_signature_at_the_same_time_has_a_secret_that_is_good(
    store: SqliteStore, clock: Clock
) -> None:
    desk = desk_of(store, clock)
    await desk.create(make_hook(id="hook_1"))

    await asyncio.gather(desk.renew_signing("hook_1", "first"), desk.renew_signing("hook_1", "second"))

    signing = (await desk.hook("hook_1")).signing
    assert signing is not None
    kept = {await store.kept_secret("hook:hook_1", name) for name in signing.secrets}
    assert kept == {("first", ()), ("second", ())}


async def test_what_a_hook_was_given_to_sign_with_is_gone_when_it_signs_no_more(
    store: SqliteStore, clock: Clock
) -> None:
    desk = desk_of(store, clock)
    await desk.create(make_hook(id="hook_1"))
    await desk.renew_signing("hook_1", "first")
    signing = (await desk.hook("hook_1")).signing

    await desk.stop_signing("hook_1")

    assert signing is not None
    assert (await desk.hook("hook_1")).signing is None
    assert await store.kept_secret("hook:hook_1", signing.secrets[0]) is None
