from __future__ import annotations

import multiprocessing
import random
from collections.abc import Callable

import pytest

from hookengine.domain import identity
from hookengine.domain.identity import new_id, new_token, new_uuid, next_token
from tests.conftest import NOW


def test_ids_sort_by_the_time_they_were_made() -> None:
    times = [0, 1, NOW, NOW + 1, NOW + 1000, (1 << 48) - 1]

    ids = [new_id("dlv", now) for now in times]

    assert ids == sorted(ids)


def test_ids_of_one_moment_differ() -> None:
    assert len({new_id("dlv", NOW) for _ in range(1000)}) == 1000


def test_an_id_has_its_prefix_and_no_dot() -> None:
    made = new_id("evt", NOW)

    assert made.startswith("evt_")
    assert made.replace("_", "").isalnum()


def test_an_id_is_a_version_7_uuid_that_tells_its_time() -> None:
    made = new_uuid(NOW)

    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == NOW


def test_the_ids_that_people_have_seen_do_not_tell_the_address_of_an_incoming_hook() -> None:
    known = identity._random.getstate()
    made = new_uuid(NOW)

    identity._random.setstate(known)
    guesses = {new_id("dlv", NOW).removeprefix("dlv_") for _ in range(100)}

    assert made.hex not in guesses


@pytest.mark.parametrize("make", [new_token, next_token])
def test_tokens_differ_and_fit_a_signed_64_bit_number(make: Callable[[], int]) -> None:
    tokens = [make() for _ in range(1000)]

    assert len(set(tokens)) == 1000
    assert all(0 < token < 1 << 63 for token in tokens)


def test_tokens_follow_each_other_so_that_an_index_keeps_them_together() -> None:
    first = next_token()

    assert [next_token() for _ in range(3)] == [first + 1, first + 2, first + 3]


def test_a_child_process_counts_its_tokens_from_elsewhere() -> None:
    context = multiprocessing.get_context("fork")
    told = context.SimpleQueue()
    child = context.Process(target=lambda: told.put(next_token()))
    child.start()

    assert abs(told.get() - next_token()) > 1000

    child.join()


def test_a_program_that_seeds_its_random_numbers_repeats_no_ids() -> None:
    made = []
    for _ in range(2):
        random.seed(7)
        made.append(new_id("dlv", 1))

    assert made[0] != made[1]
