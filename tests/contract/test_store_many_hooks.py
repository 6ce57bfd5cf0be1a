"""More hooks than a statement takes values."""

from __future__ import annotations

import pytest

from hookengine.manifest.applying import apply
from hookengine.store.care import Definitions
from hookengine.store.contract import Store
from tests.conftest import NOW, make_hook, make_pipeline
from tests.contract.conftest import Look
from tests.definitions import define, wished

pytestmark = pytest.mark.anyio

MANY = 33_000


@pytest.mark.timeout(180)
async def test_tens_of_thousands_of_hooks_are_defined_and_deleted(store: Store, look: Look) -> None:
    hooks = tuple(make_hook(id=f"hook_{number:05}", name=f"hook {number}") for number in range(MANY))

    await apply(store, wished(Definitions(hooks=hooks), "file"), NOW)
    created = look.count("hook_revision")
    defined = await define(store, Definitions(pipelines=(make_pipeline(),)), "file", NOW + 1)

    assert (created, defined.hooks) == (MANY, ())
