"""What has a secret in it does not show it: tracebacks, logs and debuggers write reprs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hookengine.domain.event import Event
from hookengine.engine.intake import _Sorted
from hookengine.engine.wire.exchange import Exchange
from hookengine.guard.vault import Brought
from tests.conftest import event_document, make_pipeline

CANARY = "s3cret-canary"


def an_event() -> Event:
    return Event.parse(event_document(application={"token": CANARY}))


def an_exchange() -> Exchange:
    exchange = Exchange(
        loop=asyncio.new_event_loop(), message=CANARY.encode(), deadline=1.0, excerpt=1, connect_timeout=1.0
    )
    exchange.headers.append((b"x-echo", CANARY.encode()))
    exchange.body += CANARY.encode()
    exchange.loop.close()
    return exchange


def a_sorted_event() -> Any:
    return _Sorted(
        id="evt_1",
        event=an_event(),
        pipeline=make_pipeline(),
        key="1:evt_1",
        action=(1, "7"),
        brought=Brought({}, b"{}", {"a.token": CANARY}),
    )


@pytest.mark.parametrize("made", [an_event, an_exchange, a_sorted_event])
def test_its_secrets_are_in_no_repr(made: Any) -> None:
    assert CANARY not in repr(made())
