"""What whoever waits for a call is told."""

from __future__ import annotations

import asyncio
from typing import Any


def settle(future: asyncio.Future[Any], result: Any) -> None:
    """An exception is raised where it was called. A caller that was cancelled meanwhile is told nothing."""
    if future.done():
        return
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
