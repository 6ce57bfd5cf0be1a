"""The job as a queue worker does it: render, sign, post, write down what came of it. Templates are compiled
once, and not bounded: what rendering foreign templates safely costs is spared the queue workers.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import job
import orjson
from jinja2 import Environment, Template

SINK = os.environ["BENCH_SINK"]
OUTCOMES = Path(os.environ["BENCH_OUTCOMES"])
_KEY = base64.b64decode(job.KEY.removeprefix("whsec_"))
_compile = Environment().from_string  # noqa: S701  what is rendered is no HTML
_URL = _compile(f"http://127.0.0.1:{SINK}{job.PATH}")
_HEADERS = {name: _compile(text) for name, text in job.HEADERS.items()}
_BODY = {name: _compile(text) for name, text in job.BODY.items()}


@dataclass(frozen=True, slots=True)
class Request:
    number: int
    url: str
    headers: Mapping[str, str]
    body: bytes


def request_for(event: Mapping[str, Any]) -> Request:
    body = orjson.dumps(_rendered(_BODY, event))
    number, now = event["action"]["id"], int(time.time())
    signed = hmac.digest(_KEY, f"{event['id']}.{now}.".encode() + body, hashlib.sha256)
    headers = {
        **_rendered(_HEADERS, event),
        "Content-Type": "application/json",
        "webhook-id": event["id"],
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }
    return Request(number, _URL.render(event), headers, body)


def _rendered(templates: Mapping[str, Template], event: Mapping[str, Any]) -> dict[str, str]:
    return {name: template.render(event) for name, template in templates.items()}


class Outcomes:
    """A row per delivery, flushed to disk before the job counts as done. One thread at a time."""

    def __init__(self, path: Path = OUTCOMES) -> None:
        self._connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA synchronous = FULL")

    def record(self, request: Request, status: int, started_at: float) -> None:
        self._connection.execute(
            "INSERT INTO outcome VALUES (?, ?, ?, ?, ?, ?)",
            (request.number, request.url, request.body, status, started_at, time.time()),
        )
