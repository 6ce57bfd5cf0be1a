from __future__ import annotations

from itertools import product

import pytest

from hookengine.domain.delivery import BORN, ENDED, TRANSITIONS, WAITING, DeliveryStatus
from tests.conftest import make_delivery


def test_every_status_is_named_in_the_table_of_moves() -> None:
    assert set(TRANSITIONS) == set(DeliveryStatus)


def test_every_status_can_be_reached() -> None:
    reached = BORN.union(*TRANSITIONS.values())

    assert reached == set(DeliveryStatus)


def test_nothing_leaves_an_end_and_everything_else_can_come_to_one() -> None:
    assert {status for status, following in TRANSITIONS.items() if not following} == ENDED
    assert all(TRANSITIONS[status] & ENDED for status in set(DeliveryStatus) - ENDED)


def test_a_status_waits_is_sent_or_has_ended() -> None:
    assert {DeliveryStatus.SENDING}.union(WAITING, ENDED) == set(DeliveryStatus)
    assert not WAITING & ENDED


def test_a_request_is_under_way_only_after_waiting_and_success_comes_only_from_it() -> None:
    into = {
        status: {s for s, following in TRANSITIONS.items() if status in following} for status in TRANSITIONS
    }

    assert into[DeliveryStatus.SENDING] == WAITING
    assert into[DeliveryStatus.DELIVERED] == {DeliveryStatus.SENDING}


@pytest.mark.parametrize(("before", "after"), list(product(DeliveryStatus, DeliveryStatus)))
def test_a_delivery_moves_only_as_the_table_says(before: DeliveryStatus, after: DeliveryStatus) -> None:
    delivery = make_delivery(status=before, because="before")

    if after in TRANSITIONS[before]:
        delivery.move(after, "moved")
        assert (delivery.status, delivery.because) == (after, "moved")
    else:
        with pytest.raises(ValueError, match="is no move of a delivery"):
            delivery.move(after, "moved")
        assert (delivery.status, delivery.because) == (before, "before")
