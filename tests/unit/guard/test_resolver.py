from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

import anyio
import pytest

from hookengine.guard.resolver import LookupFailed, Resolver

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Names:
    """A look-up that counts, and hangs for names held back until `release` is set."""

    def __init__(self, hanging: str = "") -> None:
        self.asked: list[str] = []
        self.hanging = hanging
        self.release = threading.Event()
        self.answers: dict[str, Sequence[str] | Exception] = {"a.example": ["192.0.2.1", "192.0.2.1"]}

    def __call__(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        if name == self.hanging and not self.release.wait(timeout=60):
            raise AssertionError("nobody released the look-up")
        answer = self.answers.get(name, ["192.0.2.2"])
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def names() -> Iterator[Names]:
    names = Names()
    yield names
    names.release.set()


async def test_an_answer_has_each_address_once_and_is_asked_for_every_time(names: Names) -> None:
    resolver = Resolver(names)

    for _ in range(3):
        assert await resolver.resolve("a.example") == (ip_address("192.0.2.1"),)
    assert names.asked == ["a.example", "a.example", "a.example"]
    resolver.close()


@pytest.mark.parametrize("name", ["a..b", "a" * 64 + ".example"])
async def test_a_name_that_getaddrinfo_cannot_encode_is_a_failed_lookup(name: str) -> None:
    resolver = Resolver()

    with pytest.raises(LookupFailed, match="UnicodeError"):
        await resolver.resolve(name)
    resolver.close()


@pytest.mark.parametrize("answer", [OSError("no such host"), [], ["not an address"]])
async def test_a_failure_is_remembered_for_a_while(names: Names, answer: Sequence[str] | Exception) -> None:
    now = 100.0
    resolver = Resolver(names, negative_seconds=10, monotonic=lambda: now)
    names.answers["b.example"] = answer

    for _ in range(2):
        with pytest.raises(LookupFailed, match=r"b\.example cannot be resolved"):
            await resolver.resolve("b.example")
    assert names.asked == ["b.example"]

    now = 110.0
    names.answers["b.example"] = ["192.0.2.9"]
    assert await resolver.resolve("b.example") == (ip_address("192.0.2.9"),)
    assert names.asked == ["b.example", "b.example"]
    resolver.close()


async def test_failures_are_remembered_for_a_bounded_number_of_names(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookengine.guard.resolver.REMEMBERED_FAILURES", 2)
    resolver = Resolver(names)
    for name in ("1.example", "2.example", "3.example", "1.example"):
        names.answers[name] = OSError("no such host")
        with pytest.raises(LookupFailed):
            await resolver.resolve(name)

    assert names.asked == ["1.example", "2.example", "3.example", "1.example"]
    resolver.close()


async def test_callers_of_one_name_share_a_lookup_also_when_one_gives_up(names: Names) -> None:
    names.hanging = "a.example"
    resolver = Resolver(names)
    answers = []

    async def ask() -> None:
        answers.append(await resolver.resolve("a.example"))

    async with anyio.create_task_group() as group:
        impatient = anyio.CancelScope()

        async def give_up() -> None:
            with impatient:
                await ask()

        group.start_soon(give_up)
        group.start_soon(ask)
        group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        impatient.cancel()
        names.release.set()

    assert answers == [(ip_address("192.0.2.1"),)] * 2
    assert names.asked == ["a.example"]
    resolver.close()


async def test_a_hanging_name_takes_two_threads_at_most_and_leaves_the_others_to_others(names: Names) -> None:
    names.hanging = "slow.example"
    resolver = Resolver(names, timeout=0.02, negative_seconds=0, threads=3)

    for _ in range(4):
        with pytest.raises(LookupFailed) as caught:
            await resolver.resolve("slow.example")
        assert caught.value.timed_out

    assert await resolver.resolve("a.example")
    assert names.asked == ["slow.example", "slow.example", "a.example"]
    resolver.close()


async def test_a_late_answer_ends_the_memory_of_the_failure(names: Names) -> None:
    names.hanging = "slow.example"
    resolver = Resolver(names, timeout=0.02, negative_seconds=60, threads=1)
    with pytest.raises(LookupFailed, match="no answer within"):
        await resolver.resolve("slow.example")
    with pytest.raises(LookupFailed, match="no answer within"):
        await resolver.resolve("slow.example")

    names.release.set()
    # There is one thread, and it lands look-ups in their order.
    await resolver.resolve("a.example")

    assert await resolver.resolve("slow.example") == (ip_address("192.0.2.2"),)
    resolver.close()


async def test_whoever_waits_for_a_thread_when_the_resolver_is_closed_is_told(names: Names) -> None:
    names.hanging = "slow.example"
    resolver = Resolver(names, threads=1)

    async def fail(name: str) -> None:
        with pytest.raises(LookupFailed, match="the resolver was closed"):
            await resolver.resolve(name)

    async with anyio.create_task_group() as group:
        group.start_soon(resolver.resolve, "slow.example")
        await anyio.wait_all_tasks_blocked()
        group.start_soon(fail, "a.example")
        await anyio.wait_all_tasks_blocked()
        resolver.close()
        names.release.set()
