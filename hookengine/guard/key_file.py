"""The file of the key ring: one key a line, each 32 bytes in base64, the first one seals."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hookengine.errors import ConfigError, Problem
from hookengine.guard.keys import KEY_BYTES, KeyRing, new_key

_NOT_THE_OWNER = 0o077


def open_ring(path: Path) -> KeyRing:
    """Follows the file: a key that is put in first seals from then on. Raises ConfigError."""
    watched = _Watched(path)
    return KeyRing(watched.keys(), watched.newer)


def read_keys(path: Path) -> list[bytes]:
    """Raises ConfigError when there are none, or the file is not its owner's alone."""
    _check_mode(path)
    try:
        lines = path.read_text(encoding="ascii").split()
        keys = [base64.b64decode(line, validate=True) for line in lines]
    except FileNotFoundError as error:
        hint = f"make one with `hookengine init`, or point secrets.key_file at yours; looked at {path}"
        raise ConfigError([Problem(message="there is no key to seal secrets with", hint=hint)]) from error
    except OSError as error:
        problem = Problem(place=str(path), message=f"the key file cannot be read: {error.strerror}")
        raise ConfigError([problem]) from error
    except ValueError:  # what caused it would quote a key
        raise ConfigError([_unusable(path)]) from None
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise ConfigError([_unusable(path)])
    return keys


def new_key_file(path: Path) -> None:
    """Readable by its owner only. Raises FileExistsError rather than replace a key."""
    _write(path, [new_key()])


def replace_keys(path: Path, keys: Sequence[bytes]) -> None:
    """All at once: whoever reads it, or dies meanwhile, has the keys of before or these. Keeps the file's owner.

    Raises OSError.
    """
    path = path.resolve()
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    _write(beside, keys)
    with suppress(PermissionError):  # root rotates for the service's user; anybody else writes for himself
        os.chown(beside, path.stat().st_uid, path.stat().st_gid)
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(path: Path, keys: Sequence[bytes]) -> None:
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.writelines(base64.b64encode(key).decode() + "\n" for key in keys)
        file.flush()
        os.fsync(handle)


def _check_mode(path: Path) -> None:
    """Where modes mean nothing, and where they cannot be changed, others see to who may read it."""
    if os.name != "posix":
        return
    with suppress(OSError):  # a file that is not there is told in other words
        mode = path.stat().st_mode
        if mode & _NOT_THE_OWNER and not os.statvfs(path).f_flag & os.ST_RDONLY:
            message = f"others than its owner may read the key file: its mode is {mode & 0o777:04o}"
            raise ConfigError([Problem(place=str(path), message=message, hint=f"chmod 600 {path}")])


class _Watched:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._look()

    def keys(self) -> list[bytes]:
        return read_keys(self._path)

    def newer(self) -> Sequence[bytes]:
        """Of a file that cannot be read now, the keys of before go on to count."""
        looked = self._look()
        if looked == self._seen:
            return ()
        try:
            keys = self.keys()
        except ConfigError:
            return ()
        self._seen = looked
        return keys

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def _unusable(path: Path) -> Problem:
    return Problem(place=str(path), message="a key file holds keys of 32 bytes in base64, one a line")
