from __future__ import annotations

import errno
import re
import ssl
from pathlib import Path

import pytest

from hookengine.engine.wire import failures
from hookengine.engine.wire.failures import Broken, Late, of_connecting, of_handshake, of_loss
from hookengine.guard import resolver

OPERATIONS = Path(__file__).parents[4] / "docs" / "operations.md"
SECRET = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"


def code_of(failure: Broken | Late) -> str:
    return failure.code if isinstance(failure, Broken) else f"late_{failure.phase}"


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (of_connecting(ConnectionRefusedError(errno.ECONNREFUSED, "")), "refused"),
        (of_connecting(OSError(errno.EHOSTUNREACH, "")), "no_route"),
        (of_connecting(OSError(errno.EMFILE, "")), "no_sockets"),
        (of_connecting(OSError(errno.EADDRNOTAVAIL, "")), "connect_failed"),
        (of_connecting(TimeoutError(errno.ETIMEDOUT, "")), "late_connect"),
        (of_handshake(ConnectionResetError(errno.ECONNRESET, "")), "tls_closed"),
        (of_handshake(TimeoutError(errno.ETIMEDOUT, "")), "late_tls"),
        (of_handshake(ssl.SSLError(1, "something new")), "tls_failed"),
        (of_loss(None), "closed"),
        (of_loss(BrokenPipeError(errno.EPIPE, "")), "reset"),
        (of_loss(TimeoutError(errno.ETIMEDOUT, "")), "late_write"),
        (of_loss(RuntimeError(SECRET)), "lost"),
    ],
)
def test_each_failure_of_the_system_has_its_word(failure: Broken | Late, code: str) -> None:
    assert code_of(failure) == code
    assert SECRET not in str(failure)


def test_every_word_stands_in_the_documentation() -> None:
    source = Path(failures.__file__).read_text() + Path(resolver.__file__).read_text()
    words = set(re.findall(r'"((?:dns|tls)_[a-z_]+|[a-z_]+)", f?"', source)) - {"dns_timeout"}
    documented = set(re.findall(r"`([a-z_]+)`", OPERATIONS.read_text()))

    assert {"refused", "dns_no_address", "tls_untrusted", "garbage", "mistake"} <= words | {"mistake"}
    assert words <= documented
