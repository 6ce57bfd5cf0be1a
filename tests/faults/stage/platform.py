"""The platform whose events the engine is told of; it remembers what it was answered."""

from __future__ import annotations

import hashlib
import http.client
import json
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from tests.faults.history import Emitted, Fate

PATIENCE = 60.0  # seconds for an answer
EventText = Mapping[str, Any]


def happened(kind: str, action: int, /, **changes: Any) -> dict[str, Any]:
    """`action.KIND` of the action of this number, which is its commit's too. The id says both."""
    known = {"id": action, "number": action, "pipeline": 1, "commit": f"{action:040x}"}
    event = {"id": f"{kind}-{action}", "type": f"action.{kind}"}
    return {**event, "action": {**known, **changes.pop("action", {})}, **changes}


class Platform:
    """May be used from several threads. An event that it sends again has the same id, or is another event."""

    def __init__(self) -> None:
        self.emitted: list[Emitted] = []

    def emit(self, url: str, event: EventText) -> Emitted:
        """One request of its own."""
        at, body = time.time_ns() / 1e6, json.dumps(event).encode()
        status, answer = _post(url, body)
        told = Emitted(
            event_id=event["id"],
            fate=_fate(status),
            at=at,
            digest=hashlib.sha256(body).hexdigest(),
            deliveries=_promised(answer) if _fate(status) is Fate.ACKNOWLEDGED else {},
        )
        self.emitted.append(told)
        return told

    def emit_at_once(self, url: str, events: Iterable[EventText], threads: int = 20) -> list[Emitted]:
        """As many at a time as there are threads."""
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(lambda event: self.emit(url, event), events))


def _post(url: str, body: bytes) -> tuple[int | None, bytes]:
    """Status and body of the answer; None if there was none, or not all of it."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=PATIENCE)
    try:
        connection.request("POST", "/api/events", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return None, b""
    finally:
        connection.close()


def _fate(status: int | None) -> Fate:
    if status is None or status >= 500:
        return Fate.UNKNOWN
    return Fate.ACKNOWLEDGED if status < 300 else Fate.REFUSED


def _promised(answer: bytes) -> dict[str, str]:
    return {hook["id"]: hook["delivery"] for hook in json.loads(answer)["hooks"]}
