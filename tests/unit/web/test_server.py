from __future__ import annotations

import socket

import pytest

from hookengine.errors import ConfigError
from hookengine.web.server import listening


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_head() -> None:
    with (
        listening("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_address_that_is_taken_is_told_with_what_to_do() -> None:
    with listening("127.0.0.1", 0) as taken, pytest.raises(ConfigError, match=r"another server\.port"):
        listening(*taken.getsockname())
