from __future__ import annotations

from typing import Any

import pytest

from hookengine.domain.hook import Hook, HookState
from hookengine.domain.pipeline import IncomingHook
from hookengine.errors import ConfigError, NotFound
from hookengine.store.care import Definitions
from hookengine.store.contract import Store
from tests.conftest import NOW, make_hook, make_pipeline
from tests.contract.conftest import (
    NO_LEASE,
    SECOND,
    Database,
    Look,
    accept,
    owed,
    refused,
    terms,
    try_again,
)
from tests.definitions import define

pytestmark = pytest.mark.anyio

DAY = 86_400 * SECOND
DEFINED = Definitions(
    pipelines=(make_pipeline(id=1, name="a"), make_pipeline(id=2, name="b")),
    hooks=(make_hook(id="hook_1"), make_hook(id="hook_2", state=HookState.DISABLED)),
    incoming_hooks=(IncomingHook(id="inc_1", name="push", pipeline_id=1),),
)


async def _version(store: Store) -> int:
    version, _ = await store.definitions()
    return version


async def _state(store: Store, hook_id: str = "hook_1") -> HookState:
    _, defined = await store.definitions()
    assert defined is not None
    (state,) = [hook.state for hook in defined.hooks if hook.id == hook_id]
    return state


# Versions


async def test_what_is_defined_is_told_once_for_each_version(store: Store) -> None:
    defined = await define(store, DEFINED, "file", NOW)

    version, told = await store.definitions()

    assert told == defined
    assert await store.definitions(version) == (version, None)
    assert await store.definitions(version - 1) == (version, defined)


async def test_the_same_file_again_makes_nobody_read_anew(store: Store) -> None:
    await define(store, DEFINED, "file", NOW)
    version = await _version(store)

    await define(store, DEFINED, "file", NOW + DAY)

    assert await _version(store) == version


@pytest.mark.parametrize(
    "change",
    [
        {"pipelines": (make_pipeline(id=1, name="renamed"), make_pipeline(id=2, name="b"))},
        {"pipelines": (*DEFINED.pipelines, make_pipeline(id=3, name="c"))},
        {"pipelines": (make_pipeline(id=1, name="a", operation="build"), make_pipeline(id=2, name="b"))},
        {"hooks": (make_hook(id="hook_1", method="PUT"), DEFINED.hooks[1])},
        {"hooks": (make_hook(id="hook_1", state=HookState.PAUSED), DEFINED.hooks[1])},
        {"hooks": DEFINED.hooks[:1]},
        {"hooks": (*DEFINED.hooks, make_hook(id="hook_3"))},
        {"incoming_hooks": ()},
        {"incoming_hooks": (IncomingHook(id="inc_1", name="tag", pipeline_id=1),)},
        {"incoming_hooks": (*DEFINED.incoming_hooks, IncomingHook(id="inc_2", name="x", pipeline_id=2))},
    ],
)
async def test_any_change_of_the_file_is_a_new_version(store: Store, change: dict[str, Any]) -> None:
    await define(store, DEFINED, "file", NOW)
    version = await _version(store)
    values = {
        "pipelines": DEFINED.pipelines,
        "hooks": DEFINED.hooks,
        "incoming_hooks": DEFINED.incoming_hooks,
    }

    defined = await define(store, Definitions(**{**values, **change}), "file", NOW + 1)

    assert await store.definitions(version) == (version + 1, defined)


async def test_what_is_refused_is_no_new_version(store: Store) -> None:
    await define(store, DEFINED, "file", NOW)
    version = await _version(store)

    with pytest.raises(ConfigError):
        await define(store, Definitions(pipelines=(make_pipeline(id=7, name="a"),)), "api", NOW + 1)

    assert await _version(store) == version


async def test_two_pipelines_of_one_name_are_refused(store: Store) -> None:
    twins = Definitions(pipelines=(make_pipeline(id=1, name="a"), make_pipeline(id=2, name="a")))

    with pytest.raises(ConfigError, match="pipeline 1 has the name 'a' already; give pipeline 2 another"):
        await define(store, twins, "file", NOW)


async def test_a_hook_its_target_sent_away_is_a_new_version(store: Store) -> None:
    await define(store, DEFINED, "file", NOW)
    version = await _version(store)
    (leased,) = (await accept(store, owed("a"), now=NOW + 1, terms=terms())).leased

    await store.finish(refused(leased, NOW + 2, gone=True), NOW + 2, NO_LEASE)

    assert await _version(store) == version + 1
    assert await _state(store) is HookState.DISABLED


# Switching


@pytest.mark.parametrize("state", [HookState.PAUSED, HookState.DISABLED])
async def test_a_hook_is_switched_and_back_again(store: Store, look: Look, state: HookState) -> None:
    await define(store, DEFINED, "file", NOW)
    version = await _version(store)

    await store.switch("hook_1", state, "enough", NOW + 1)
    switched = await _state(store)
    await store.switch("hook_1", HookState.ACTIVE, "", NOW + 2)

    assert (switched, await _state(store)) == (state, HookState.ACTIVE)
    assert await _version(store) == version + 2


async def test_switching_to_what_it_is_already_makes_nobody_read_anew(
    store: Store, database: Database
) -> None:
    await define(store, DEFINED, "file", NOW)
    await store.switch("hook_1", HookState.PAUSED, "enough", NOW + 1)
    version = await _version(store)

    await store.switch("hook_1", HookState.PAUSED, "more than enough", NOW + 2)

    (row,) = database.rows("SELECT because FROM hook WHERE id = 'hook_1'")
    assert (await _version(store), row["because"]) == (version, "more than enough")


async def test_what_waits_is_cancelled_when_its_hook_is_switched_off_not_when_it_is_paused(
    store: Store,
) -> None:
    await define(store, DEFINED, "file", NOW)
    await accept(store, owed("a"), now=NOW + 1)

    await store.switch("hook_1", HookState.PAUSED, "wait", NOW + 2)
    paused = await store.claim(NOW + 3, terms())
    await store.switch("hook_1", HookState.DISABLED, "no more", NOW + 4)
    await store.switch("hook_1", HookState.ACTIVE, "", NOW + 5)
    switched_off = await store.claim(NOW + 6, terms())

    assert (paused.leased, paused.endings) == ((), ())
    assert [ending.delivery_id for ending in switched_off.endings] == ["dlv_a"]


async def test_a_file_that_did_not_change_leaves_a_hook_paused(store: Store) -> None:
    await define(store, DEFINED, "file", NOW)
    await store.switch("hook_1", HookState.PAUSED, "enough", NOW + 1)

    await define(store, DEFINED, "file", NOW + 2)

    assert await _state(store) is HookState.PAUSED


async def _failing_since(store: Store, database: Database) -> int:
    (row,) = database.rows("SELECT failing_since FROM hook WHERE id = 'hook_1'")
    return int(row["failing_since"])


@pytest.mark.parametrize("how", ["switched", "changed", "not changed"])
async def test_a_hook_that_is_helped_is_given_time_again(store: Store, database: Database, how: str) -> None:
    await define(store, DEFINED, "file", NOW)
    (leased,) = (await accept(store, owed("a"), now=NOW + 1, terms=terms())).leased
    await store.finish(try_again(leased, NOW + 2), NOW + 2, NO_LEASE)
    hooks: tuple[Hook, ...] = DEFINED.hooks

    if how == "switched":
        await store.switch("hook_1", HookState.ACTIVE, "", NOW + 3)
    else:
        hooks = (make_hook(id="hook_1", method="PUT"), *hooks[1:]) if how == "changed" else hooks
        await define(store, Definitions(hooks=hooks), "file", NOW + 3)

    assert await _failing_since(store, database) == (NOW + 2 if how == "not changed" else -1)


@pytest.mark.parametrize("hook_id", ["deleted", "unknown"])
async def test_a_hook_that_is_not_there_cannot_be_switched(store: Store, hook_id: str) -> None:
    await define(store, Definitions(hooks=(make_hook(id="deleted"),)), "file", NOW)
    await define(store, Definitions(), "file", NOW + 1)
    version = await _version(store)

    with pytest.raises(NotFound):
        await store.switch(hook_id, HookState.ACTIVE, "", NOW + 2)

    assert await _version(store) == version
