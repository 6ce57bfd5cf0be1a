"""Slack's `chat.postMessage`.

Rules: https://docs.slack.dev/reference/methods/chat.postMessage. Whether it went well stands in the body.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from hookengine.simulators.host import Host, wall_clock
from hookengine.simulators.limits import Limit
from hookengine.simulators.records import Place, Received, Reply

TEXT_LIMIT = 40_000
SECTION_LIMIT = 3000
BLOCKS_LIMIT = 50


class Slack(Host):
    """Every message is a new one. With `channels`, there are no others; `archived` ones take no message.

    Messages are shown as (channel, timestamp, nothing) with their text as the state.
    """

    name = "Slack"
    api = "/api"
    usual_limit = Limit(count=1, seconds=1)

    def __init__(
        self,
        *,
        tokens: Collection[str],
        commits: Collection[str] | None = None,
        clock: Callable[[], int] = wall_clock,
        channels: Collection[str] | None = None,
        archived: Collection[str] = (),
    ) -> None:
        super().__init__(tokens=tokens, commits=commits, clock=clock)
        self._channels, self._archived = channels, archived
        self.messages: list[Mapping[str, Any]] = []

    def account(self, received: Received) -> str:
        """It is the channel that takes one message a second."""
        return str(received.body.get("channel"))

    def throttled(self, wait: int) -> Reply:
        return Reply(
            status=429, body={"ok": False, "error": "ratelimited"}, headers={"Retry-After": str(wait)}
        )

    def forbidden(self) -> Reply:
        return Reply(status=200, body={"ok": False, "error": "missing_scope", "needed": "chat:write"})

    def answer(self, received: Received) -> Reply:
        if received.path != "/api/chat.postMessage":
            return _refused("unknown_method")
        token = self.credential(received)
        if not token:
            return _refused("not_authed")
        if token not in self.tokens:
            return _refused("invalid_auth")
        message = received.body
        if not message:
            return _refused("invalid_json" if received.content else "channel_not_found")
        if error := self._error(message):
            return _refused(error)
        self.messages.append(message)
        moment = f"{self.clock() // 1000}.{len(self.messages):06d}"
        channel = str(message["channel"])
        self.show(Place(channel, moment, ""), state=str(message["text"]), description=None, url=None)
        body = {"ok": True, "channel": channel, "ts": moment, "message": {"text": message["text"]}}
        return Reply(status=200, body=body)

    def _error(self, message: Mapping[str, Any]) -> str:
        channel, text, blocks = message.get("channel"), message.get("text"), message.get("blocks", [])
        if not isinstance(channel, str) or (self._channels is not None and channel not in self._channels):
            return "channel_not_found"
        if channel in self._archived:
            return "is_archived"
        if not isinstance(text, str) or not text.strip():
            return "no_text"
        if len(text) > TEXT_LIMIT:
            return "msg_too_long"
        if not isinstance(blocks, list) or len(blocks) > BLOCKS_LIMIT or not all(map(_is_block, blocks)):
            return "invalid_blocks"
        return ""


def _is_block(block: Any) -> bool:
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        return False
    text = block.get("text", {})
    return isinstance(text, dict) and len(str(text.get("text", "-"))) in range(1, SECTION_LIMIT + 1)


def _refused(error: str) -> Reply:
    """Under a 200, as Slack does."""
    return Reply(status=200, body={"ok": False, "error": error})
