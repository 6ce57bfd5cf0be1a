from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookengine.domain.gate import (
    FIRST_BREAK,
    FIRST_SECOND,
    LONGEST_BREAK,
    RECOVERED,
    TRIP_AFTER,
    Circuit,
    Gate,
    account_key,
    hook_key,
    host_key,
)
from hookengine.domain.rate import Rate
from tests.conftest import NOW

SECOND = 1000
LEASE = 50 * SECOND


def gate() -> Gate:
    return Gate(key="host:target.example")


def opened(trips: int = 1) -> Gate:
    """At NOW, for the time of so many trips."""
    closed = gate()
    for _ in range(TRIP_AFTER):
        closed.fail(NOW, jitter=0)
    for _ in range(trips - 1):
        closed.pass_through(NOW, LEASE)
        closed.fail(NOW, jitter=0)
    return closed


def half_open() -> tuple[Gate, int]:
    """A probe has left; and when."""
    passing = opened()
    passing.pass_through(passing.open_at, LEASE)
    return passing, passing.probed_at


def closed_again() -> Gate:
    """At NOW."""
    recovering = opened()
    recovering.succeed(NOW)
    return recovering


def passes(passing: Gate, at: int, rate: Rate | None = None) -> bool:
    if not passing.admits(at, rate):
        return False
    passing.pass_through(at, LEASE, rate)
    return True


# A host's circuit


def test_a_closed_circuit_lets_everything_pass_and_remembers_nothing() -> None:
    closed = gate()

    assert all(closed.admits(NOW) for _ in range(1000))
    assert not closed.pass_through(NOW, LEASE)
    assert closed == gate()


def test_so_many_failures_in_a_row_open_it_and_only_the_last_of_them_tells() -> None:
    closed = gate()

    told = [closed.fail(NOW, jitter=0) for _ in range(TRIP_AFTER)]

    assert told == [False] * (TRIP_AFTER - 1) + [True]
    assert (closed.circuit(NOW), closed.open_at) == (Circuit.OPEN, NOW + FIRST_BREAK)
    assert not closed.admits(NOW + FIRST_BREAK - 1)


def test_an_answer_in_between_starts_counting_anew() -> None:
    closed = gate()

    for _ in range(3):
        for _ in range(TRIP_AFTER - 1):
            closed.fail(NOW, jitter=0)
        assert not closed.succeed(NOW)

    assert closed == gate()


def test_failures_of_what_was_under_way_when_it_opened_do_not_keep_it_open_longer() -> None:
    straggling, untouched = opened(), opened()

    told = [straggling.fail(NOW + FIRST_BREAK - 1, jitter=0) for _ in range(30)]

    assert not any(told)
    assert (straggling.open_at, straggling.trips) == (untouched.open_at, untouched.trips)


@pytest.mark.parametrize(
    ("trips", "pause"),
    [
        *((1, FIRST_BREAK), (2, 2 * FIRST_BREAK), (3, 4 * FIRST_BREAK), (6, 32 * FIRST_BREAK)),
        *((7, LONGEST_BREAK), (8, LONGEST_BREAK), (100, LONGEST_BREAK)),
    ],
)
def test_each_break_is_twice_as_long_as_the_one_before_up_to_the_longest(trips: int, pause: int) -> None:
    assert opened(trips).open_at == NOW + pause


@pytest.mark.parametrize("jitter", [0.0, 0.25, 1.0])
def test_a_break_is_spread_by_up_to_its_own_length(jitter: float) -> None:
    closed = gate()

    for _ in range(TRIP_AFTER):
        closed.fail(NOW, jitter)

    assert closed.open_at == NOW + round(FIRST_BREAK * (1 + jitter))


def test_after_the_break_one_request_passes_to_see() -> None:
    probed = opened()
    due = probed.open_at

    passed = [passes(probed, due) for _ in range(3)]

    assert passed == [True, False, False]
    assert probed.circuit(due) is Circuit.HALF_OPEN


def test_a_probe_whose_node_died_is_followed_by_another_when_its_lease_has_ended() -> None:
    probed, left_at = half_open()

    too_early = passes(probed, left_at + LEASE - 1)
    passed = [passes(probed, left_at + LEASE) for _ in range(2)]

    assert not too_early
    assert passed == [True, False]


def test_a_probe_that_fails_opens_it_again_without_telling_anew() -> None:
    probed, left_at = half_open()

    told = probed.fail(left_at + SECOND, jitter=0)

    assert not told
    assert (probed.circuit(left_at + SECOND), probed.open_at) == (
        Circuit.OPEN,
        left_at + SECOND + 2 * FIRST_BREAK,
    )


@pytest.mark.parametrize("before", ["while open", "as a probe"])
def test_an_answer_closes_it_whoever_got_it(before: str) -> None:
    heard = opened() if before == "while open" else half_open()[0]

    told = [heard.succeed(NOW), heard.succeed(NOW)]

    assert told == [True, False]
    assert heard.circuit(NOW) is Circuit.CLOSED
    assert heard.admits(NOW)


@pytest.mark.parametrize(
    ("at", "circuit"), [(NOW, Circuit.OPEN), (NOW + FIRST_BREAK, Circuit.HALF_OPEN)], ids=str
)
def test_a_circuit_is_open_until_its_break_is_over(at: int, circuit: Circuit) -> None:
    assert opened().circuit(at) is circuit


# Recovery


def test_once_closed_again_twice_as_many_pass_each_second_until_nobody_counts_any_more() -> None:
    recovering = closed_again()
    waiting = 2 * RECOVERED

    passed = [sum(passes(recovering, NOW + second * SECOND) for _ in range(waiting)) for second in range(10)]

    assert passed == [4, 8, 16, 32, 64, 128, 256, 512, waiting, waiting]
    assert (recovering.recovering_since, recovering.passed) == (-1, [])


@given(st.lists(st.integers(0, 120), max_size=300))
def test_however_they_come_no_second_lets_more_pass_than_twice_those_of_the_one_before(
    gaps: list[int],
) -> None:
    recovering, at, passed = closed_again(), NOW, list[int]()
    for gap in gaps:
        at += gap
        if passes(recovering, at):
            passed.append(at)

    for last in passed:
        within = [instant for instant in passed if last - SECOND < instant <= last]
        assert len(within) <= FIRST_SECOND << ((last - NOW) // SECOND)


@given(st.lists(st.integers(0, 300), max_size=200))
def test_what_is_held_back_is_told_when_to_come_again(gaps: list[int]) -> None:
    recovering, at = closed_again(), NOW
    for gap in gaps:
        at += gap
        if not passes(recovering, at):
            assert at < recovering.open_at <= at + SECOND
            assert recovering.admits(recovering.open_at)


def test_a_host_that_fails_again_while_it_recovers_opens_its_circuit_anew() -> None:
    recovering = closed_again()
    passes(recovering, NOW)

    told = [recovering.fail(NOW + SECOND, jitter=0) for _ in range(TRIP_AFTER)]

    assert told[-1]
    assert (recovering.open_at, recovering.recovering_since) == (NOW + SECOND + FIRST_BREAK, -1)
    assert recovering.passed == []


# A credential's pauses and rates


def test_a_pause_holds_everything_until_it_is_over() -> None:
    paused = gate()

    paused.pause(NOW + SECOND)

    assert [paused.admits(at) for at in (NOW, NOW + SECOND - 1, NOW + SECOND)] == [False, False, True]


def test_a_shorter_pause_ends_no_longer_one() -> None:
    paused = gate()

    paused.pause(NOW + 9 * SECOND)
    paused.pause(NOW + SECOND)

    assert paused.open_at == NOW + 9 * SECOND


@given(
    rate=st.builds(Rate, st.integers(1, 5), st.just(SECOND)),
    gaps=st.lists(st.integers(0, 700), max_size=60),
)
def test_in_no_stretch_of_its_period_do_more_pass_than_a_rate_allows(rate: Rate, gaps: list[int]) -> None:
    limited, at, passed = gate(), NOW, list[int]()
    for gap in gaps:
        at += gap
        if passes(limited, at, rate):
            passed.append(at)
        else:
            recent = [instant for instant in passed if instant > at - rate.period]
            assert len(recent) == rate.count, "held back for nothing"
            assert limited.open_at == recent[0] + rate.period

    assert all(
        later - first >= rate.period for first, later in zip(passed, passed[rate.count :], strict=False)
    )


def test_a_rate_remembers_no_longer_than_its_period() -> None:
    limited, rate = gate(), Rate(1000, SECOND)

    for number in range(50):
        passes(limited, NOW + number * 100, rate)

    assert limited.passed == [NOW + number * 100 for number in range(40, 50)]


def test_a_request_without_a_rate_passes_uncounted_and_leaves_what_a_rate_remembers() -> None:
    limited, rate = gate(), Rate(1, SECOND)
    passes(limited, NOW, rate)

    others = [passes(limited, NOW + 1) for _ in range(5)]

    assert all(others)
    assert not passes(limited, NOW + 2, rate)
    assert passes(limited, NOW + SECOND, rate)


def test_while_a_rate_is_used_up_its_credential_carries_nothing() -> None:
    limited, rate = gate(), Rate(1, SECOND)
    first, second = passes(limited, NOW, rate), passes(limited, NOW + 1, rate)

    assert (first, second) == (True, False)
    assert not limited.admits(NOW + 2)
    assert limited.admits(NOW + SECOND)


def test_hosts_credentials_and_hooks_of_one_name_have_gates_of_their_own() -> None:
    keys = [host_key("a"), account_key("a"), hook_key("a")]

    assert all(one != other for one, other in pairwise([*keys, keys[0]]))
