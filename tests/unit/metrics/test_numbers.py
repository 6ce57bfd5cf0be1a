from __future__ import annotations

import pytest

from hookengine.metrics.numbers import OTHER, Names, Spread, Tally


def test_a_tally_counts_by_its_labels() -> None:
    tally = Tally()

    tally.add(("5xx", "a.example"))
    tally.add(("5xx", "b.example"), 3)
    tally.add(("5xx", "a.example"))

    assert tally.read() == {("5xx", "a.example"): 2, ("5xx", "b.example"): 3}


def test_what_a_tally_begins_with_is_there_at_zero() -> None:
    assert Tally(("prune",), ("sweep",)).read() == {("prune",): 0, ("sweep",): 0}
    assert Tally(()).read() == {(): 0}


def test_what_was_read_does_not_change() -> None:
    tally = Tally(())
    read = tally.read()

    tally.add()

    assert read == {(): 0}


@pytest.mark.parametrize(
    ("value", "counts"),
    [
        (0, [1, 1, 1]),
        (0.5, [1, 1, 1]),
        (0.51, [0, 1, 1]),
        (2, [0, 1, 1]),
        (2.5, [0, 0, 1]),
    ],
)
def test_a_value_counts_in_every_bucket_it_fits_into(value: float, counts: list[int]) -> None:
    spread = Spread((0.5, 2))

    spread.add(value)

    assert spread.read() == list(zip(["0.5", "2.0", "+Inf"], counts, strict=True))


def test_a_spread_adds_up() -> None:
    spread = Spread((0.5, 2))

    for value in (0.25, 1, 4):
        spread.add(value)

    assert spread.read() == [("0.5", 1), ("2.0", 2), ("+Inf", 3)]
    assert spread.sum == 5.25


def test_names_beyond_the_most_are_other_and_the_known_ones_stay() -> None:
    names = Names(2)

    assert [names.label(name) for name in ("a", "b", "c", "a", "b", "d")] == [
        "a",
        "b",
        OTHER,
        "a",
        "b",
        OTHER,
    ]


def test_a_name_that_may_not_be_new_takes_no_place() -> None:
    names = Names(1)

    assert [names.label("a", new=False), names.label("b"), names.label("b", new=False)] == [OTHER, "b", "b"]


def test_no_name_is_other() -> None:
    names = Names(1)

    assert [names.label(""), names.label("a")] == [OTHER, "a"]
