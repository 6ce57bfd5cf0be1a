"""Changes that were thought out for what was defined before."""

from __future__ import annotations

import asyncio

import pytest

from hookengine.domain.definition import Kind
from hookengine.domain.token import Scope, Token
from hookengine.errors import DefinitionsMoved
from hookengine.manifest import Manifest
from hookengine.manifest.applying import apply
from hookengine.manifest.plan import Verb, Wish, plan
from hookengine.manifest.selector import Selector
from hookengine.store.contract import Store
from tests.conftest import NOW, make_hook, make_pipeline

pytestmark = pytest.mark.anyio

WISH = Wish(manifest=Manifest(pipelines=(make_pipeline(),), hooks=(make_hook(),)))


async def test_what_was_thought_out_for_something_else_is_not_done(store: Store) -> None:
    planned = plan(WISH, await store.standing())
    await store.create_pipeline("another")

    with pytest.raises(DefinitionsMoved):
        await store.apply(planned.changes, NOW)

    assert (await store.standing()).definitions.hooks == ()


async def test_files_that_are_applied_at_one_moment_are_all_applied(store: Store) -> None:
    wishes = [
        Wish(manifest=Manifest(hooks=(make_hook(id=f"hook_{number}", name=f"hook {number}"),)))
        for number in range(5)
    ]

    plans = await asyncio.gather(*(apply(store, wish, NOW) for wish in wishes))

    assert [step.verb for planned in plans for step in planned.steps] == [Verb.CREATE] * 5
    assert len((await store.standing()).definitions.hooks) == 5


async def test_a_pipeline_that_a_token_is_bound_to_is_not_pruned(store: Store) -> None:
    await apply(store, WISH, NOW)
    token = Token(id="t", name="ci", scopes=frozenset({Scope.EMIT}), digest="d", pipeline_id=1)
    await store.keep_token(token)

    pruned = await apply(store, Wish(manifest=Manifest(), prune=Selector.parse("name=*")), NOW + 1)

    assert [step.kind for step in pruned.steps] == [Kind.HOOK]


async def test_applying_the_same_again_finds_nothing_to_do(store: Store) -> None:
    await apply(store, WISH, NOW)
    before = await store.standing()

    again = await apply(store, WISH, NOW + 1)

    assert {step.verb for step in again.steps} == {Verb.UNCHANGED}
    assert await store.standing() == before
