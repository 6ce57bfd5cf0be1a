"""Secrets that are kept in the database: whose they are, and what they are called."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from hookengine.domain.clock import Millis
from hookengine.domain.hook import Hook
from hookengine.errors import InvalidSecret

EVERYONES: Final = ""
"""The owner of a secret that every hook may use."""

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
LONGEST: Final = 64 * 1024  # characters of a value

_HOST = re.compile(r"[a-z0-9_.:-]{1,255}")


def of_pipeline(pipeline_id: int) -> str:
    return f"pipeline:{pipeline_id}"


def of_hook(hook_id: str) -> str:
    return f"hook:{hook_id}"


def of_incoming(hook_id: str) -> str:
    return f"incoming:{hook_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSecret:
    """All there is to know of one but its value. `owner`: EVERYONES, a pipeline's, a hook's or an incoming hook's;
    of several secrets of one name a hook's own counts before its pipeline's, and that before everyone's.

    It goes to `hosts` only; without any it is never sent, and good for signing.
    """

    owner: str
    name: str
    hosts: tuple[str, ...]
    updated_at: Millis

    @property
    def reference(self) -> str:
        """What a SecretRef calls it."""
        return reference(self.owner, self.name)

    @property
    def belongs_to(self) -> str:
        return belongs_to(self.owner, self.name)

    @property
    def whose(self) -> str:
        """For people."""
        return self.owner.replace(":", " ", 1) or "everyone"


class Kept(NamedTuple):
    """The value of one, sealed, and the hosts that it was set with."""

    sealed: str
    hosts: tuple[str, ...]


def new_secret(owner: str, name: str, hosts: Iterable[str], now: Millis) -> StoredSecret:
    """Raises InvalidSecret."""
    if not NAME.fullmatch(name):
        raise InvalidSecret(
            "name", "is made of up to 64 letters, digits and _, and does not begin with a digit"
        )
    wanted = tuple(dict.fromkeys(host.strip().strip("[]").lower() for host in hosts))
    if not all(map(_HOST.fullmatch, wanted)):
        raise InvalidSecret("hosts", "are bare names such as api.github.com, without https:// and path")
    return StoredSecret(owner=owner, name=name, hosts=wanted, updated_at=now)


def checked_value(value: str) -> str:
    """Without the blanks around it. Raises InvalidSecret, which does not tell it."""
    value = value.strip()
    if not 0 < len(value) <= LONGEST:
        raise InvalidSecret("value", f"has 1 to {LONGEST} characters")
    if not all(character < "\ud800" or character > "\udfff" for character in value):
        raise InvalidSecret("value", "is not UTF-8 text")
    return value


def own_hosts(hook: Hook) -> tuple[str, ...]:
    """Where a hook's own secrets go unless somebody says otherwise: where the hook goes. Raises InvalidSecret if
    only an event will tell."""
    try:
        host = urlsplit(hook.target).hostname
    except ValueError:
        host = None
    if host is None or not _HOST.fullmatch(host):
        raise InvalidSecret("hosts", "must be said: the hook's host depends on its events")
    return (host,)


def belongs_to(owner: str, name: str) -> str:
    """What its value is sealed for."""
    return f"secret|{owner}|{name}"


def reference(owner: str, name: str) -> str:
    return f"{owner}:{name}" if owner else f"secrets.{name}"
