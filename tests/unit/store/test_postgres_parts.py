"""What the store on PostgreSQL decides without one."""

from __future__ import annotations

import asyncio

import asyncpg
import orjson
import pytest
from sqlalchemy.exc import DBAPIError

from hookengine.domain.attempt import Accept, Answered, Certainty, GiveUp, TryAgain
from hookengine.errors import StaleContext, StoreError, StoreRaced
from hookengine.store.books import asks
from hookengine.store.calls import Report
from hookengine.store.postgres.failures import Fate, fate_of, told
from hookengine.store.postgres.times import moved
from hookengine.store.postgres.waiting import LARGEST_GROUP, Waiting
from hookengine.store.postgres.writing import _REQUESTS
from tests.conftest import NOW
from tests.contract.conftest import NO_LEASE

pytestmark = pytest.mark.anyio

URL = "postgresql://somebody:secret@db.example/hooks"


def wrapped(error: Exception) -> DBAPIError:
    """As SQLAlchemy does it."""
    failure = DBAPIError("SELECT 1", {}, error)
    failure.__cause__ = error
    return failure


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (asyncpg.SerializationError(""), Fate.AGAIN),
        (asyncpg.DeadlockDetectedError(""), Fate.AGAIN),
        (asyncpg.InvalidCachedStatementError(""), Fate.AGAIN),
        (StoreRaced(""), Fate.AGAIN),
        (asyncpg.LockNotAvailableError(""), Fate.BLOCKED),
        (asyncpg.CheckViolationError(""), Fate.ALONE),
        (asyncpg.UniqueViolationError(""), Fate.ALONE),
        (asyncpg.CharacterNotInRepertoireError(""), Fate.ALONE),
        (asyncpg.DataError("invalid input for query argument"), Fate.ALONE),
        (StaleContext(""), Fate.ALONE),
        (KeyError("lane"), Fate.ALONE),
        (asyncpg.QueryCanceledError(""), Fate.ALL),
        (asyncpg.DiskFullError(""), Fate.ALL),
        (asyncpg.PostgresIOError(""), Fate.ALL),
        (asyncpg.InternalServerError(""), Fate.ALL),
        (asyncpg.ConnectionDoesNotExistError(""), Fate.LOST),
        (asyncpg.AdminShutdownError(""), Fate.LOST),
        (asyncpg.CannotConnectNowError(""), Fate.LOST),
        (asyncpg.IdleInTransactionSessionTimeoutError(""), Fate.LOST),
        (asyncpg.ReadOnlySQLTransactionError(""), Fate.LOST),
        (asyncpg.InterfaceError("connection is closed"), Fate.LOST),
        (asyncpg.InternalClientError(""), Fate.LOST),
        (TimeoutError(), Fate.LOST),
        (ConnectionResetError(), Fate.LOST),
        (wrapped(asyncpg.DeadlockDetectedError("")), Fate.AGAIN),
        (wrapped(TimeoutError()), Fate.LOST),
    ],
)
def test_an_error_says_who_is_to_try_again(error: Exception, fate: Fate) -> None:
    assert fate_of(error) is fate


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        ConnectionRefusedError(111, "refused"),
        asyncpg.DiskFullError("no space"),
        wrapped(OSError()),
    ],
)
def test_what_a_caller_is_told_names_the_database_and_no_password(error: Exception) -> None:
    failure = told(URL, error)

    assert isinstance(failure, StoreError)
    assert "PostgreSQL database 'hooks' at db.example" in str(failure)
    assert "secret" not in str(failure)


@pytest.mark.parametrize("error", [StaleContext("moved on"), KeyError("a mistake of ours")])
def test_what_is_not_the_databases_fault_is_told_as_it_is(error: Exception) -> None:
    assert told(URL, error) is error


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (Accept(because=""), Accept(because="")),
        (GiveUp(because="", pause_until=NOW), GiveUp(because="", pause_until=NOW + 5)),
        (GiveUp(because=""), GiveUp(because="")),
        (TryAgain(because="", at=NOW), TryAgain(because="", at=NOW + 5)),
        (
            TryAgain(because="", at=NOW + 1, pause_until=NOW),
            TryAgain(because="", at=NOW + 6, pause_until=NOW + 5),
        ),
    ],
)
def test_all_times_of_a_result_are_moved(
    verdict: Accept | GiveUp | TryAgain, expected: Accept | GiveUp | TryAgain
) -> None:
    report = Report(
        token=1,
        outcome=Answered(status=200),
        certainty=Certainty.APPLIED,
        verdict=verdict,
        finished_at=NOW,
    )

    ask = moved(asks.Finish(report, NOW, NO_LEASE), 5)

    assert isinstance(ask, asks.Finish)
    assert (ask.now, ask.report.finished_at, ask.report.verdict) == (NOW + 5, NOW + 5, expected)


@pytest.mark.parametrize(
    ("document", "stored"),
    [
        ("a\0b", "a\ufffdb"),
        ("\0\0", "\ufffd\ufffd"),
        ("\\\0", "\\\ufffd"),
        ('{"a":"\\u0000"}', '{"a":"\\u0000"}'),
        ('{"a":"\\\\u0000"}', '{"a":"\\\\u0000"}'),
        ("plain", "plain"),
    ],
)
def test_a_nul_gives_way_where_it_is_one(document: str, stored: str) -> None:
    assert orjson.loads(_REQUESTS.json([("dlv_1", document)])) == {"id": ["dlv_1"], "document": [stored]}


async def test_what_waits_is_taken_in_groups_and_alone_what_is_to_be() -> None:
    waiting = Waiting()
    calls = [waiting.add(number) for number in range(LARGEST_GROUP + 3)]
    calls[1].alone = True

    groups = []
    while group := waiting.take_group():
        groups.append([call.ask for call in group])

    assert groups == [[0], [1], [*range(2, LARGEST_GROUP + 2)], [LARGEST_GROUP + 2]]


async def test_what_is_put_back_is_first_again_and_those_without_patience_are_told() -> None:
    waiting = Waiting()
    first, second = waiting.add("first"), waiting.add("second")
    group = waiting.take_group()
    third = waiting.add("third")
    second.until = 0.0

    waiting.put_back(group)
    first.until = 0.0
    waiting.expire(StoreError("away"))

    assert [call.ask for call in waiting.take_group()] == ["third"]
    assert isinstance(first.future.exception(), StoreError)
    assert isinstance(second.future.exception(), StoreError)
    third.settle("done")
    assert await third.future == "done"


async def test_a_call_whose_caller_has_gone_is_settled_without_a_word() -> None:
    waiting = Waiting()
    call = waiting.add("a")
    waiter = asyncio.ensure_future(call.future)
    waiter.cancel()

    call.settle("done")

    assert call.future.cancelled()
