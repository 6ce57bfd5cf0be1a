"""Waiting for things to happen, without looking at a clock in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

PATIENCE = 60.0
"""Seconds any wait may take before the test has failed; none of them is ever slept."""
LOOK_AGAIN = 0.5
"""Seconds after which what nobody tells of is looked at once more, such as a database."""


class News:
    """Told of by whoever sees something: what is waited for is asked about again then."""

    def __init__(self) -> None:
        self._told = threading.Condition()
        self._count = 0

    def tell(self) -> None:
        with self._told:
            self._count += 1
            self._told.notify_all()

    def wait_until(self, holds: Callable[[], bool], seconds: float = PATIENCE) -> bool:
        """Whether it held in time. `holds` is asked outside of any lock."""
        deadline = time.monotonic() + seconds
        while True:
            seen = self._count
            if holds():
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with self._told:
                if self._count == seen:
                    self._told.wait(min(left, LOOK_AGAIN))
