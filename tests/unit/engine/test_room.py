from __future__ import annotations

import threading

import pytest

from hookengine.domain.gate import SUSPECTS
from hookengine.domain.lane import Wait
from hookengine.engine.room import InFlight, NodeRoom
from hookengine.store.calls import Seat

LIMITS = InFlight(node=6, host=3, hook=2)


def seat(host: str = "a.example", hook_id: str = "hook_1", *, suspect: bool = False) -> Seat:
    return Seat(host, hook_id, suspect)


@pytest.fixture
def room() -> NodeRoom:
    room = NodeRoom(LIMITS)
    room.open()
    return room


def test_a_room_takes_nothing_on_before_it_is_opened_and_after_it_is_closed() -> None:
    room = NodeRoom(LIMITS)

    before = room.take(seat()), room.free
    room.open()
    during = room.take(seat()), room.free
    room.close()
    after = room.take(seat()), room.free

    assert [before, during, after] == [(Wait(), 0), (None, 5), (Wait(), 0)]


def test_what_is_under_way_when_it_closes_still_counts_until_it_ends(room: NodeRoom) -> None:
    room.take(seat())
    room.close()

    taken = room.taken
    room.give(seat())

    assert (taken, room.taken, room.free) == (1, 0, 0)


@pytest.mark.parametrize(
    ("taken", "asked", "wait"),
    [
        ([], seat(), None),
        ([seat("a.example", f"hook_{n}") for n in range(2)], seat("a.example", "hook_9"), None),
        (
            [seat("a.example", f"hook_{n}") for n in range(3)],
            seat("a.example", "hook_9"),
            Wait(behind="host:a.example"),
        ),
        ([seat("a.example", f"hook_{n}") for n in range(3)], seat("b.example", "hook_0"), None),
        ([seat("a.example"), seat("b.example")], seat("c.example"), Wait(behind="hook:hook_1")),
        ([seat("a.example"), seat("b.example")], seat("a.example", "hook_2"), None),
        ([seat(f"{n}.example", f"hook_{n}") for n in range(6)], seat("z.example", "hook_z"), Wait()),
        (
            [seat(f"{n // 3}.example", f"hook_{n // 2}") for n in range(6)],
            seat("0.example", "hook_0"),
            Wait(),
        ),
    ],
)
def test_hosts_hooks_and_the_node_take_so_many_each(
    room: NodeRoom, taken: list[Seat], asked: Seat, wait: Wait | None
) -> None:
    assert [room.take(one) for one in taken] == [None] * len(taken)

    assert room.take(asked) == wait
    assert room.taken == len(taken) + (wait is None)


def test_what_is_given_back_is_there_for_the_next_one(room: NodeRoom) -> None:
    seats = [seat(hook_id=f"hook_{number}") for number in range(3)]
    for one in seats:
        room.take(one)
    refused = room.take(seat(hook_id="hook_9"))

    room.give(seats[0])

    assert refused == Wait(behind="host:a.example")
    assert room.take(seat(hook_id="hook_9")) is None


def test_suspects_are_sent_one_at_a_time_and_others_beside_them(room: NodeRoom) -> None:
    first = room.take(seat(suspect=True))
    second = room.take(seat("b.example", "hook_2", suspect=True))
    other = room.take(seat("b.example", "hook_2"))
    room.give(seat(suspect=True))
    again = room.take(seat("b.example", "hook_2", suspect=True))

    assert (first, second, other, again) == (None, Wait(behind=SUSPECTS), None, None)


@pytest.mark.parametrize(
    ("taken", "key", "room_for"),
    [
        ([], "host:a.example", 3),
        ([], "hook:hook_1", 2),
        ([], "account:a.example token", 6),
        ([seat()], "host:a.example", 2),
        ([seat()], "host:b.example", 3),
        ([seat()], "hook:hook_1", 1),
        ([seat()], "account:a.example token", 5),
        ([seat("a.example:8443")], "host:a.example:8443", 2),
        ([seat(hook_id=f"hook_{n}") for n in range(3)], "host:a.example", 0),
        ([seat(f"{n}.example", f"hook_{n}") for n in range(5)], "host:a.example", 1),
        ([seat(f"{n}.example", f"hook_{n}") for n in range(6)], "hook:hook_9", 0),
        ([seat()], SUSPECTS, 1),
        ([seat(suspect=True)], SUSPECTS, 0),
        ([seat(f"{n}.example", f"hook_{n}") for n in range(6)], SUSPECTS, 0),
    ],
)
def test_it_tells_how_many_of_what_waits_it_could_take(
    room: NodeRoom, taken: list[Seat], key: str, room_for: int
) -> None:
    for one in taken:
        room.take(one)

    assert room.for_what_waits(key) == room_for


def test_threads_that_take_and_give_at_the_same_time_never_get_more_than_there_is() -> None:
    room, most = NodeRoom(InFlight(node=100, host=3, hook=100)), list[int]()
    room.open()

    def work() -> None:
        for _ in range(500):
            if room.take(seat()) is None:
                most.append(3 - room.for_what_waits("host:a.example"))
                room.give(seat())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert max(most) <= 3
    assert (room.taken, room.free) == (0, 100)


def test_what_is_free_forgets_the_names_of_what_ended(room: NodeRoom) -> None:
    for number in range(100):
        room.take(seat(f"{number}.example", f"hook_{number}"))
        room.give(seat(f"{number}.example", f"hook_{number}"))

    assert (len(room._hosts), len(room._hooks)) == (0, 0)
