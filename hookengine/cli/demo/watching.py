"""Hears what the engine does, and says one line for each attempt and for each delivery that is not sent."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from hookengine.cli.demo.platform import Platform
from hookengine.cli.demo.screen import Line, Screen
from hookengine.cli.demo.stage import Stage
from hookengine.engine.signals import ATTEMPT_FINISHED, DELIVERY_ENDED, Facts

PATIENCE = 20.0  # seconds until what was owed by one event must have ended


class Overdue(Exception):
    """Deliveries did not end in time."""


@dataclass(frozen=True, slots=True)
class _News:
    at: float
    name: str
    facts: Facts


class Watch:
    def __init__(self, stage: Stage, platform: Platform, screen: Screen) -> None:
        self._stage = stage
        self._platform = platform
        self._screen = screen
        self._began = time.monotonic()
        self._news: asyncio.Queue[_News] = asyncio.Queue()
        self._tried: set[str] = set()
        self._ended: set[str] = set()
        stage.signals.listen(self._hear)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    async def until_ended(self, deliveries: Collection[str]) -> None:
        """Tell the news until all of these are delivered, failed, superseded or cancelled. Raises Overdue."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not self._ended.issuperset(deliveries):
                    await self._tell(await self._news.get())
        except TimeoutError:
            late = ", ".join(sorted(set(deliveries) - self._ended))
            raise Overdue(f"after {PATIENCE:g} s there is no end of {late}") from None

    async def for_ever(self) -> None:
        while True:
            await self._tell(await self._news.get())

    def _hear(self, name: str, facts: Facts) -> None:
        if name in (ATTEMPT_FINISHED, DELIVERY_ENDED):
            self._news.put_nowait(_News(self.elapsed, name, facts))

    async def _tell(self, news: _News) -> None:
        delivery_id = news.facts["delivery"]
        if news.name == DELIVERY_ENDED:
            self._ended.add(delivery_id)
            if delivery_id in self._tried and news.facts["status"] in ("delivered", "failed"):
                return  # its last attempt has said so
        self._tried.add(delivery_id)
        delivery = await self._platform.read(f"/api/deliveries/{delivery_id}")
        request = delivery["request"] or {"url": "", "body": ""}
        host = self._stage.host_at(request["url"])
        body = _fields(request["body"])
        self._screen.happened(
            Line(
                at=news.at,
                event=delivery["event"]["type"],
                host=host.name if host else request["url"] or delivery["hook"]["name"],
                outcome=_outcome(news),
                state=str(body.get("state", "")),
                context=str(body.get("key") or body.get("name") or body.get("context") or ""),
                remark=_remark(news),
            )
        )
        await asyncio.sleep(self._screen.pause)


def _outcome(news: _News) -> str:
    if news.name == DELIVERY_ENDED:
        return str(news.facts["status"])
    return f"attempt {news.facts['attempt']} -> {news.facts['outcome']}"


def _remark(news: _News) -> str:
    because = news.facts["because"]
    if news.name == DELIVERY_ENDED:
        return f"never sent, {because}"
    match news.facts["verdict"]:
        case "Accept":
            return ""
        case "TryAgain":
            return "will be tried again"
        case _:
            return f"given up, {because}"


def _fields(body: str | None) -> Mapping[str, Any]:
    try:
        fields = json.loads(body or "")
    except ValueError:
        return {}
    return fields if isinstance(fields, Mapping) else {}
