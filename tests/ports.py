"""A port that has to be known before somebody listens at it."""

from __future__ import annotations

import random
import socket
from contextlib import suppress


def free_port() -> int:
    """None that is given out to whoever asks for any port, so that it is still free a while later."""
    while True:
        port = random.randint(20_000, 32_000)  # noqa: S311  no secret
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
