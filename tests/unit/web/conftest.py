"""The doors, with a stand-in of the engine behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.unit.web.standin import Engine, client_of


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(engine, "first", "let-me-in") as client:
        yield client


@pytest.fixture(autouse=True)
def no_logging(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert "let-me-in" not in caplog.text
