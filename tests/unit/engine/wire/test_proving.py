from __future__ import annotations

import pytest

from hookengine.engine.wire.dialling import Dialler
from hookengine.engine.wire.proving import FenceDown, prove_fence
from hookengine.engine.wire.tls import trusting
from hookengine.guard import connect
from hookengine.guard.resolver import Resolver
from tests.conftest import Clock

pytestmark = pytest.mark.anyio


async def test_a_fence_that_stands_is_proved_by_a_refusal() -> None:
    await prove_fence(Dialler(Resolver(), lambda _: trusting()), Clock())


async def test_a_fence_that_was_taken_away_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "check_address", lambda *_: None)
    monkeypatch.setattr(connect, "check_endpoint", lambda *_: None)
    monkeypatch.setattr(connect, "check_addresses", lambda host, addresses, policy: list(addresses))

    with pytest.raises(FenceDown):
        await prove_fence(Dialler(Resolver(), lambda _: trusting()), Clock())
