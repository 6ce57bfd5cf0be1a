"""The platform's part: it emits events, and remembers what it was told."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from tests.faults.history import Emitted, Fate
from tests.faults.targets.journal import now

Document = Mapping[str, Any]


class Emitter:
    """`address` gives the engine's URL, which may change when it is started again. May be used by several threads."""

    def __init__(self, address: Callable[[], str], headers: Mapping[str, str] | None = None) -> None:
        self.emitted: list[Emitted] = []
        self._address = address
        self._client = httpx.Client(headers=dict(headers or {}), timeout=30, trust_env=False)

    def close(self) -> None:
        self._client.close()

    def emit(self, *documents: Document) -> list[Emitted]:
        """Once, all in one request; each must have an id."""
        at = now()
        fate, answers = self._post(documents)
        told = [
            Emitted(
                event_id=str(document["id"]),
                fate=fate,
                at=at,
                digest=hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest(),
                deliveries={hook["id"]: hook["delivery"] for hook in answers.get(document["id"], ())},
            )
            for document in documents
        ]
        self.emitted += told
        return told

    def insist(self, *documents: Document, seconds: float = 30, pause: float = 0.05) -> list[Emitted]:
        """As often as it takes until it is known what became of them. Raises TimeoutError."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            told = self.emit(*documents)
            if told[0].fate is not Fate.UNKNOWN:
                return told
            time.sleep(pause)
        raise TimeoutError(f"no answer to {documents[0]['id']} for {seconds} s")

    def _post(self, documents: tuple[Document, ...]) -> tuple[Fate, dict[str, list[dict[str, str]]]]:
        try:
            answer = self._client.post(f"{self._address()}/api/events", json=list(documents))
        except httpx.TransportError:
            return Fate.UNKNOWN, {}
        if answer.is_success:
            return Fate.ACKNOWLEDGED, {said["id"]: said["hooks"] for said in answer.json()}
        return (Fate.REFUSED if answer.is_client_error else Fate.UNKNOWN), {}
