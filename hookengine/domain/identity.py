"""Ids that sort by the time they were made."""

from __future__ import annotations

import itertools
import os
import random
import secrets
import uuid

from hookengine.domain.clock import Millis

_random = random.Random()  # noqa: S311  our own: a program around us that seeds `random` would repeat our ids
_tokens = itertools.count()


def _begin() -> None:
    """Also in a child process: it would else go on as its parent does."""
    global _tokens  # noqa: PLW0603
    _random.seed()
    _tokens = itertools.count(_random.getrandbits(62) + 1)


_begin()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin)


def new_uuid(now: Millis) -> uuid.UUID:
    """A version 7 UUID (RFC 9562, section 5.7): 48 bits of milliseconds, then 74 that nobody can guess: who knows
    the id of an incoming hook may post to it."""
    return uuid.UUID(int=_uuid7(now, secrets.randbits(80)))


def new_id(prefix: str, now: Millis) -> str:
    """Such as `dlv_0192d3c4...`, without a dot: signatures over `id.timestamp.body` stay unambiguous.

    It is unique, not secret: no system call is spent on it, and from many of them others can be told.
    """
    return f"{prefix}_{_uuid7(now, _random.getrandbits(80)):032x}"


def _uuid7(now: Millis, chance: int) -> int:
    value = (now & (1 << 48) - 1) << 80 | chance
    value = value & ~(0xF << 76) | 0x7 << 76
    return value & ~(0x3 << 62) | 0x2 << 62


def new_token() -> int:
    """A fencing token: random, 63 bits, compared for equality only. Never 0."""
    return _random.getrandbits(63) or 1


def next_token() -> int:
    """Another one, that follows the one before: an index keeps them together on a page.

    A process counts up from a place of its own: that two ever come to the same is less likely than that random
    numbers do. Not for PostgreSQL: it takes what lies in order for quickly read from end to end.
    """
    return next(_tokens)
