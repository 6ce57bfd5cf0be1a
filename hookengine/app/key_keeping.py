"""The key that seals secrets, replaced by a command beside the nodes: over a connection of its own, in short
transactions. These functions block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import Table

from hookengine.config import Settings
from hookengine.domain.secret import belongs_to
from hookengine.errors import ConfigError, Problem, StoreError
from hookengine.failpoints import reach
from hookengine.guard.key_file import open_ring, read_keys, replace_keys
from hookengine.guard.keys import KeyRing, id_of, new_key
from hookengine.guard.vault.context import belongs_to as context_belongs_to
from hookengine.store.cold import changes, resealing
from hookengine.store.migrations import connected

BATCH: Final = 500
"""Values in one transaction: nobody who writes meanwhile waits for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """`fresh`: the key `key_id` was made; else a rotation that was begun before has gone on. `unreadable` values
    are sealed with none of the keys, or not at all. `old_keys` are all but the first."""

    key_id: str
    fresh: bool
    resealed: int
    unreadable: int
    old_keys: int


def rotate(settings: Settings, url: str) -> Rotation:
    """Seal everything with a new key. Whenever it is cut off, all values can be read with the keys of the file,
    and the next one goes on with the same key.

    Raises ConfigError, StoreError.
    """
    path = settings.secrets.key_file
    keys = read_keys(path)
    used = connected(url, resealing.keys_in_use)
    fresh = not any(_counted(used, id_of(key)) for key in keys[1:])
    if fresh:
        keys = [new_key(), *keys]
        replace_keys(path, keys)
    reach("rotate.key_written")
    connected(url, changes.count_up, writes=True)  # nodes let go of what they keep
    ring = open_ring(path)
    resealed = sum(_reseal(url, ring, table) for table in resealing.TABLES)
    used = connected(url, resealing.keys_in_use)
    known = sum(_counted(used, id_of(key)) for key in keys)
    return Rotation(
        key_id=ring.first,
        fresh=fresh,
        resealed=resealed,
        unreadable=sum(used.values()) - known,
        old_keys=len(keys) - 1,
    )


def drop_old_keys(settings: Settings, url: str) -> int:
    """How many were taken out of the file. Raises ConfigError while something is sealed with one of them."""
    path = settings.secrets.key_file
    first, *old = read_keys(path)
    used = connected(url, resealing.keys_in_use)
    left = sum(_counted(used, id_of(key)) for key in old)
    if left:
        message = f"{left} secrets are still sealed with an old key"
        raise ConfigError([Problem(message=message, hint="`hookengine secrets rotate` seals them anew")])
    if old:
        replace_keys(path, [first])
    return len(old)


def _reseal(url: str, ring: KeyRing, table: Table) -> int:
    """How many values of a table are sealed with the first key now that were not."""
    done, after = 0, None
    while True:
        batch = connected(
            url,
            partial(
                resealing.reseal, table=table, key_id=ring.first, after=after, limit=BATCH, new=_with(ring)
            ),
            writes=True,
        )
        done += batch.resealed
        if batch.last is None:
            return done
        after = batch.last


def _with(ring: KeyRing) -> resealing.Reseal:
    def resealed(table: Table, sealed: resealing.Sealed) -> str | None:
        place = _PLACES[table.name](*sealed.place)
        try:
            return ring.seal(ring.open(sealed.value, place), place)
        except StoreError:
            return None

    return resealed


_PLACES: Final = {"context_secret": context_belongs_to, "secret": belongs_to}


def _counted(used: Mapping[str, int], key_id: str) -> int:
    return used.get(f"v1.{key_id}.", 0)
