"""ilert's deployment events.

Rules: the operation `POST /api/deployment-events` and the page on API deployment pipelines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from hookengine.simulators.host import Host, wall_clock
from hookengine.simulators.limits import Limit
from hookengine.simulators.records import Place, Received, Reply
from hookengine.simulators.shapes import web_host

MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})|\d{10}|\d{13}")


class Ilert(Host):
    """Every event is a new one, repeated or not. `tokens` are the integration keys, which come in the body.

    Events are shown under the integration key's place among the tokens, their number and their summary.
    """

    name = "ilert"
    api = "/api"
    usual_limit = Limit(count=10, seconds=60)

    def __init__(
        self,
        *,
        tokens: Collection[str],
        commits: Collection[str] | None = None,
        clock: Callable[[], int] = wall_clock,
    ) -> None:
        super().__init__(tokens=tokens, commits=commits, clock=clock)
        self.events: list[Mapping[str, Any]] = []
        self.enforce()

    def account(self, received: Received) -> str:
        return str(received.body.get("integrationKey"))

    def throttled(self, wait: int) -> Reply:
        """It does not say how long to wait."""
        return _told(429, "TOO_MANY_REQUESTS", "Too many requests")

    def answer(self, received: Received) -> Reply:
        if received.path != "/api/deployment-events":
            return _told(404, "NOT_FOUND", "Resource not found")
        if received.method != "POST":
            return _told(405, "METHOD_NOT_ALLOWED", "Method not allowed")
        try:
            body = received.json()
        except ValueError:
            body = None
        if wrong := _wrong(body):
            return _told(400, "INVALID_REQUEST", wrong)
        if body["integrationKey"] not in self.tokens:
            return _told(404, "NOT_FOUND", "No deployment pipeline has this integration key")
        self.events.append(body)
        pipeline = f"deployment pipeline {list(self.tokens).index(body['integrationKey']) + 1}"
        place = Place(pipeline, str(len(self.events)), body["summary"])
        links = body.get("links") or [{}]
        self.show(place, state="accepted", description=body["summary"], url=links[0].get("href"))
        return Reply(status=202, body="")


def _wrong(body: Any) -> str:
    if not isinstance(body, dict):
        return "The body is not an object"
    for name in ("integrationKey", "summary"):
        if not isinstance(body.get(name), str) or not body[name]:
            return f"{name} is required"
    if body.get("timestamp") is not None and not _is_moment(body["timestamp"]):
        return "timestamp is neither epoch seconds nor milliseconds nor an ISO 8601 date and time"
    if not isinstance(body.get("customDetails", {}), dict):
        return "customDetails is not an object"
    links = body.get("links", [])
    if not isinstance(links, list) or not all(_is_link(link) for link in links):
        return "links is a list of objects with href and text"
    return ""


def _is_moment(value: Any) -> bool:
    return type(value) in (int, str) and MOMENT.fullmatch(str(value)) is not None


def _is_link(link: Any) -> bool:
    return isinstance(link, dict) and isinstance(link.get("href"), str) and bool(web_host(link["href"]))


def _told(status: int, code: str, message: str) -> Reply:
    return Reply(status=status, body={"status": status, "code": code, "message": message})
