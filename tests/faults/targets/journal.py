"""What a target received, in memory and, flushed line by line, in a file that outlives whoever wrote it."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TextIO

from tests.faults.history import Received

CONTEXTS = ("context", "name", "key")
"""Where commit statuses say which of a commit's statuses they are."""

_FIELDS = [field.name for field in fields(Received)]


def now() -> float:
    """Milliseconds since the epoch."""
    return time.time_ns() / 1e6


def lane_of(path: str, body: str) -> str:
    """What a request changes here: its path, and the context if its body names one."""
    try:
        document = json.loads(body)
    except ValueError:
        return path
    named = [document[name] for name in CONTEXTS if name in document] if isinstance(document, dict) else []
    return f"{path} {named[0]}" if named else path


class Journal:
    """Requests by their number, as they come, end and have their effect. May be asked from any thread."""

    def __init__(self, receiver: str, path: Path | None = None) -> None:
        self.receiver = receiver
        self._file: TextIO | None = None if path is None else path.open("a", encoding="utf-8")
        self._entries: dict[int, Received] = {}
        self._under_way: dict[str, dict[int, str]] = defaultdict(dict)  # by lane
        self._changes = 0
        self._news = threading.Condition()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def came(self, path: str, headers: Mapping[str, str], body: bytes | None, started_at: float) -> int:
        """The request's number. A body of None was not waited for."""
        text = (body or b"").decode("utf-8", "replace")
        lane = lane_of(path, text)
        with self._news:
            number = len(self._entries) + 1
            beside = tuple(self._under_way[lane].values())
            entry = Received(
                receiver=self.receiver,
                number=number,
                delivery=headers.get("webhook-id", ""),
                position=headers.get("hookengine-position", ""),
                lane=lane,
                path=path,
                digest="" if body is None else hashlib.sha256(body).hexdigest(),
                started_at=started_at,
                beside=beside,
                body=text,
            )
            self._under_way[lane][number] = entry.delivery
            self._write(entry, {name: getattr(entry, name) for name in _FIELDS})
        return number

    def ended(self, number: int, status: int | None) -> None:
        """Call it before the answer is written: whoever reads the answer finds it in the journal. Only the
        first end counts."""
        with self._news:
            entry = self._entries[number]
            if entry.ended_at is None:
                self._under_way[entry.lane].pop(number)
                self._change(number, ended_at=now(), status=status)

    def applied(self, number: int) -> None:
        with self._news:
            self._change(number, applied_at=now())

    @property
    def received(self) -> list[Received]:
        with self._news:
            return list(self._entries.values())

    @property
    def changes(self) -> int:
        """How often something was written."""
        return self._changes

    def wait_for(self, holds: Callable[[Collection[Received]], bool], seconds: float) -> list[Received]:
        """All that came, once it holds. Raises TimeoutError."""
        with self._news:
            if not self._news.wait_for(lambda: holds(self._entries.values()), seconds):
                raise TimeoutError(
                    f"{self.receiver} waited in vain; it received {len(self._entries)} requests"
                )
            return list(self._entries.values())

    def wait_for_change(self, after: int, seconds: float) -> int:
        """How many changes there were, once there are more than `after`, or the time is over."""
        with self._news:
            self._news.wait_for(lambda: self._changes > after, seconds)
            return self._changes

    def _change(self, number: int, **values: Any) -> None:
        self._write(replace(self._entries[number], **values), {"number": number, **values})

    def _write(self, entry: Received, line: Mapping[str, Any]) -> None:
        self._entries[entry.number] = entry
        self._changes += 1
        if self._file is not None:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        self._news.notify_all()


def read(path: Path) -> list[Received]:
    """What a journal's file says. A last line that was cut short counts for nothing."""
    found: dict[int, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            values = json.loads(line)
        except ValueError:
            continue
        found.setdefault(values["number"], {}).update(values)
    return [Received(**{**values, "beside": tuple(values["beside"])}) for values in found.values()]


def shown(received: Collection[Received]) -> dict[str, Received]:
    """By lane, what had its effect last."""
    found: dict[str, Received] = {}
    for one in sorted(received, key=lambda one: one.applied_at or 0.0):
        if one.applied_at is not None:
            found[one.lane] = one
    return found
