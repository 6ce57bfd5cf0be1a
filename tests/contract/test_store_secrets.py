from __future__ import annotations

from dataclasses import replace

import pytest

from hookengine.domain.secret import StoredSecret
from hookengine.errors import NotFound
from hookengine.store.care import Definitions
from hookengine.store.contract import Store
from tests import definitions as defining
from tests.conftest import NOW, make_hook, make_pipeline

pytestmark = pytest.mark.anyio

EVERYONES = StoredSecret(owner="", name="token", hosts=("api.example", "b.example"), updated_at=NOW)
OF_HOOK = replace(EVERYONES, owner="hook:hook_1", hosts=("target.example",))
OF_PIPELINE = replace(EVERYONES, owner="pipeline:1", hosts=())
HOOK = make_hook()


async def define(store: Store, *hooks: object, now: int = NOW) -> Definitions:
    definitions = Definitions(hooks=hooks, pipelines=(make_pipeline(),))  # type: ignore[arg-type]
    return await defining.define(store, definitions, "file", now)


async def test_a_secret_is_kept_for_its_owner_and_listed_without_its_value(store: Store) -> None:
    await define(store, HOOK)
    for secret in (EVERYONES, OF_HOOK, OF_PIPELINE):
        await store.keep_secret(secret, f"sealed of {secret.owner}")

    _, defined = await store.definitions()

    assert defined is not None
    assert defined.secrets == (EVERYONES, OF_HOOK, OF_PIPELINE)
    assert await store.kept_secret("hook:hook_1", "token") == ("sealed of hook:hook_1", OF_HOOK.hosts)
    assert await store.kept_secret("", "token") == ("sealed of ", EVERYONES.hosts)
    assert await store.kept_secret("", "other") is None


async def test_one_that_is_set_again_takes_the_place_of_the_one_before(store: Store) -> None:
    await store.keep_secret(EVERYONES, "old")
    newer = replace(EVERYONES, hosts=("c.example",), updated_at=NOW + 1)

    await store.keep_secret(newer, "new")

    assert (await define(store)).secrets == (newer,)
    assert await store.kept_secret("", "token") == ("new", newer.hosts)


async def test_every_change_of_a_secret_is_noticed_by_the_version(store: Store) -> None:
    versions = [(await store.definitions())[0]]
    for change in (store.keep_secret(EVERYONES, "a"), store.keep_secret(EVERYONES, "b")):
        await change
        versions.append((await store.definitions())[0])
    await store.drop_secret("", "token")
    versions.append((await store.definitions())[0])

    assert versions == sorted(set(versions))


async def test_a_secret_that_was_dropped_is_gone_and_cannot_be_dropped_again(store: Store) -> None:
    await store.keep_secret(EVERYONES, "sealed")

    await store.drop_secret("", "token")

    assert await store.kept_secret("", "token") is None
    with pytest.raises(NotFound):
        await store.drop_secret("", "token")


@pytest.mark.parametrize("owner", ["hook:nobody", "pipeline:99"])
async def test_nobody_who_is_not_there_can_own_one(store: Store, owner: str) -> None:
    with pytest.raises(NotFound):
        await store.keep_secret(replace(EVERYONES, owner=owner), "sealed")

    assert (await define(store)).secrets == ()


@pytest.mark.parametrize(
    ("changes", "keeps"),
    [
        ({"name": "another"}, True),
        ({"target_url": "https://target.example/elsewhere?a=b"}, True),
        ({"target_url": "https://TARGET.example"}, True),
        ({"target_url": "https://evil.example/statuses"}, False),
        ({"target_url": "https://target.example.evil.example/statuses"}, False),
        ({"target_url": "https://target.example@evil.example/statuses"}, False),
        ({"target_url": "https://target.example:8443/statuses"}, False),
        ({"target_url": "http://target.example/statuses"}, False),
    ],
)
async def test_a_hook_that_goes_to_another_host_loses_its_own_secrets(
    store: Store, changes: dict[str, str], keeps: bool
) -> None:
    await define(store, HOOK)
    await store.keep_secret(OF_HOOK, "sealed")
    await store.keep_secret(EVERYONES, "sealed")

    defined = await define(store, replace(HOOK, **changes), now=NOW + 1)  # type: ignore[arg-type]

    assert defined.secrets == ((EVERYONES, OF_HOOK) if keeps else (EVERYONES,))


async def test_the_host_of_a_preset_is_in_its_blank(store: Store) -> None:
    url = "{{ params.base_url }}/statuses"
    hook = make_hook(target_url=url, params={"base_url": "https://target.example/api", "a": 1})
    await define(store, hook)
    await store.keep_secret(OF_HOOK, "sealed")

    same = await define(store, replace(hook, params={"base_url": "https://target.example/v2", "a": 2}))
    moved = await define(store, replace(hook, params={"base_url": "https://evil.example/api", "a": 1}))

    assert (same.secrets, moved.secrets) == ((OF_HOOK,), ())


async def test_a_hook_that_is_deleted_takes_its_own_secrets_with_it(store: Store) -> None:
    await define(store, HOOK)
    await store.keep_secret(OF_HOOK, "sealed")

    await define(store)

    assert (await define(store, HOOK)).secrets == ()
    assert await store.kept_secret("hook:hook_1", "token") is None
