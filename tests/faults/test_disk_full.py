"""The disk of the database is full. Row 17 of the fault matrix; see MATRIX.md."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.faults.disk import CannotMount, SmallDisk
from tests.faults.history import Fate
from tests.faults.stage import Database, Node, SqliteFile, Stage, happened
from tests.faults.stage.script import free
from tests.faults.targets import HANG
from tests.postgres import PostgresServer
from tests.postgres.programs import account
from tests.postgres.session import Session

MOST = 1000
"""Events that a full disk may still take: there is room left in the pages of files."""


class OnATablespace:
    """A PostgreSQL database whose files lie on the small disk; its log does not."""

    def __init__(self, server: PostgresServer, template: str, disk: SmallDisk) -> None:
        self._server = server
        server.execute(f"CREATE TABLESPACE small LOCATION '{disk.path}'")
        server.execute(f"CREATE DATABASE small OWNER hookengine TEMPLATE {template} TABLESPACE small")
        self._session = Session(server.url("small", "postgres"))

    @property
    def url(self) -> str:
        return self._server.url("small")

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        return self._session.rows(query, **values)

    def close(self) -> None:
        self._session.close()
        self._server.drop_database("small")
        self._server.execute("DROP TABLESPACE small")


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def disk(kind: str) -> Iterator[SmallDisk]:
    try:
        with SmallDisk(*((4,) if kind == "sqlite" else (32, account().get("user")))) as disk:
            yield disk
    except CannotMount as error:
        pytest.skip(f"no disk of its own to fill: {error}")


@pytest.fixture
def database(kind: str, disk: SmallDisk, request: pytest.FixtureRequest) -> Iterator[Database]:
    if kind == "sqlite":
        yield SqliteFile(disk.path / "hookengine.db")
        return
    server, template = (request.getfixturevalue(name) for name in ("postgres_server", "postgres_template"))
    database = OnATablespace(server, template, disk)
    yield database
    database.close()


def answers(node: Node, path: str, document: object = None) -> int:
    body = None if document is None else json.dumps(document)
    with closing(http.client.HTTPConnection(urlsplit(node.url).netloc, timeout=60)) as connection:
        connection.request("GET" if body is None else "POST", path, body)
        return connection.getresponse().status


def full(stage: Stage, disk: SmallDisk) -> int:
    """Fill it, and emit until an event is not taken: its number. What is taken first fits into pages there are."""
    disk.fill()
    for number in range(3, MOST):
        (told,) = stage.emit(noted(number))
        if told.fate is not Fate.ACKNOWLEDGED:
            return number
    raise AssertionError("the disk takes everything")


def noted(number: int) -> dict[str, Any]:
    return happened("started", number, action={"note": "x" * 500})


def test_a_full_disk_takes_and_sends_nothing_until_there_is_room_again(stage: Stage, disk: SmallDisk) -> None:
    """Row 17: `/readyz` is red meanwhile, and what was under way when the disk filled is not sent again."""
    stage.hook(free, timeout="60s")
    node = stage.start(haste={"hookengine.engine.worker:Capacity.lease": 90_000})
    stage.target.plan(HANG, path="/free/started-2", times=1)
    stage.accepted(*(happened("started", number) for number in (1, 2)))
    stage.target.wait_for_requests(2)
    assert answers(node, "/readyz") == 200

    first = full(stage, disk)
    received = stage.target.wait_for_requests(first - 1)
    more = [noted(number) for number in range(first, first + 20)]
    told = stage.emit(*more)
    stage.target.release()
    stage.wait_until(
        lambda: (
            node.heard("store.failed", doing="recording a result") != []
            or stage.statuses()["started-2"] == "delivered"
        ),
        "an attempt to record what came of the request under way",
    )

    assert {one.fate for one in told} == {Fate.UNKNOWN}
    assert answers(node, "/api/events", noted(first)) == 503
    assert answers(node, "/readyz") == 503
    assert len(stage.target.received) == len(received) == first - 1
    assert len(stage.rows("SELECT id FROM event")) == first - 1

    disk.free()
    assert answers(node, "/readyz") == 200
    stage.accepted(*more)
    stage.quiet()
    assert len(stage.received("started-2")) == 1
    assert stage.judge().delivered == first - 1 + len(more)
