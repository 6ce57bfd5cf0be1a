"""A worker on its stage, and what makes senders."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hookengine.engine.sending import Manners, Sender
from hookengine.engine.wire.dialling import Dialler
from hookengine.engine.wire.pool import Pool
from hookengine.engine.wire.tls import trusting
from hookengine.guard.address import AddressPolicy
from hookengine.guard.resolver import Resolver
from tests.conftest import Clock
from tests.unit.engine.senders import NOTHING, OPEN, MakeSender, Secrets
from tests.unit.engine.workers import Stage, on_stage


@pytest.fixture
async def sender(clock: Clock) -> AsyncIterator[MakeSender]:
    resolver, tls = Resolver(lambda _: ["127.0.0.1"]), trusting()
    opened: list[Pool] = []

    def make(
        secrets: Mapping[str, str] | Exception | Secrets = NOTHING,
        *,
        policy: AddressPolicy = OPEN,
        **manners: Any,
    ) -> Sender:
        opened.append(Pool(Dialler(resolver, lambda _: tls), policy, clock))
        given = secrets if isinstance(secrets, Secrets) else Secrets(secrets)
        return Sender(given, opened[-1], clock, Manners(**manners))

    yield make
    for pool in opened:
        await pool.close()
    resolver.close()


@pytest.fixture
async def stage(tmp_path: Path, clock: Clock) -> AsyncIterator[Stage]:
    async with on_stage(tmp_path / "engine.db", clock) as stage:
        yield stage
