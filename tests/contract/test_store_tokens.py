from __future__ import annotations

from dataclasses import replace

import pytest

from hookengine.domain.token import Scope, Token
from hookengine.errors import NotFound
from hookengine.store.care import Definitions
from hookengine.store.contract import Store
from tests.conftest import NOW, make_pipeline
from tests.definitions import define

pytestmark = pytest.mark.anyio

OF_TEAM = Token(
    id="abc",
    name="the shop's",
    scopes=frozenset({Scope.EMIT, Scope.HOOKS_WRITE}),
    digest="0" * 64,
    team="shop",
    created_at=NOW,
)
OF_PIPELINE = replace(OF_TEAM, id="abd", team=None, pipeline_id=1, created_at=NOW + 1)


async def defined(store: Store) -> Definitions:
    _, definitions = await store.definitions()
    assert definitions is not None
    return definitions


async def test_tokens_are_kept_and_listed_the_oldest_first(store: Store) -> None:
    await define(store, Definitions(pipelines=(make_pipeline(),)), "file", NOW)

    await store.keep_token(OF_PIPELINE)
    await store.keep_token(OF_TEAM)

    assert (await defined(store)).tokens == (OF_TEAM, OF_PIPELINE)


async def test_a_token_that_was_dropped_is_gone_and_cannot_be_dropped_again(store: Store) -> None:
    await store.keep_token(OF_TEAM)

    await store.drop_token("abc")

    assert (await defined(store)).tokens == ()
    with pytest.raises(NotFound):
        await store.drop_token("abc")


async def test_a_token_is_bound_to_no_pipeline_that_is_not_there(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.keep_token(OF_PIPELINE)

    assert (await defined(store)).tokens == ()


async def test_every_change_of_a_token_is_noticed_by_the_version(store: Store) -> None:
    versions = [(await store.definitions())[0]]
    for change in (store.keep_token(OF_TEAM), store.drop_token("abc")):
        await change
        versions.append((await store.definitions())[0])

    assert versions == sorted(set(versions))


async def test_applying_a_file_leaves_tokens_alone(store: Store) -> None:
    await store.keep_token(OF_TEAM)

    assert (await define(store, Definitions(), "file", NOW)).tokens == (OF_TEAM,)
