"""Whether a filter or test can be called as a template calls it, told before it runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=256)
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


def check_arguments(function: Callable[..., Any], positional: int, named: Iterable[str]) -> tuple[str, str]:
    """What is wrong with the arguments, besides the run and the value, and which there are; empty if nothing is."""
    signature = _signature(function)
    try:
        signature.bind(*[None] * (positional + 2), **dict.fromkeys(named))
    except TypeError as error:
        known = ", ".join(list(signature.parameters)[2:]) or "none"
        return f"cannot be called like this: {error}", f"its arguments: {known}"
    return "", ""
