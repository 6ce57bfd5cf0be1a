"""A Microsoft Teams workflow that posts to a channel when its address is called.

Rules: https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from hookengine.simulators.host import Host, wall_clock
from hookengine.simulators.limits import Limit
from hookengine.simulators.records import Place, Received, Reply

SIZE_LIMIT = 28 * 1024
CARD = "application/vnd.microsoft.card.adaptive"


class Teams(Host):
    """The signature in the address (`sig`) is the credential: `tokens` are those that are known.

    Cards are shown as (workflow, number, nothing) with the text of their first block as the state.
    """

    name = "Microsoft Teams"
    api = "/workflows/sample/triggers/manual/paths/invoke"
    usual_limit = Limit(count=4, seconds=1)

    def __init__(
        self,
        *,
        tokens: Collection[str],
        commits: Collection[str] | None = None,
        clock: Callable[[], int] = wall_clock,
    ) -> None:
        super().__init__(tokens=tokens, commits=commits, clock=clock)
        self.cards: list[Mapping[str, Any]] = []

    def account(self, received: Received) -> str:
        return received.path

    def answer(self, received: Received) -> Reply:
        match received.segments:
            case ["workflows", workflow, "triggers", "manual", "paths", "invoke"]:
                pass
            case _:
                return _told(404, "ResourceNotFound", "The workflow could not be found.")
        if received.method != "POST":
            return _told(405, "HttpMethodNotSupported", "The trigger takes POST only.")
        if received.parameters.get("sig") not in self.tokens:
            message = "The request must be authenticated only by Shared Access scheme."
            return _told(401, "DirectApiAuthorizationRequired", message)
        if len(received.content) > SIZE_LIMIT:
            return _told(413, "RequestEntityTooLarge", "The message is larger than 28 KB.")
        cards = _cards(received.body)
        if not cards:
            return _told(400, "TriggerInputSchemaMismatch", "The message has no adaptive card attached.")
        for card in cards:
            self.cards.append(card)
            text = next((str(block.get("text")) for block in card["body"] if isinstance(block, dict)), "")
            self.show(Place(workflow, str(len(self.cards)), ""), state=text, description=None, url=None)
        return Reply(status=202, body="")

    def throttled(self, wait: int) -> Reply:
        refusal = _told(429, "WorkflowTriggerRateLimitExceeded", "Rate limit is exceeded.")
        return Reply(status=429, body=refusal.body, headers={"Retry-After": str(wait)})


def _cards(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The adaptive cards of a message; none if anything about it is wrong."""
    attachments = message.get("attachments")
    if message.get("type") != "message" or not isinstance(attachments, list):
        return []
    cards = [
        attachment.get("content")
        for attachment in attachments
        if isinstance(attachment, dict) and attachment.get("contentType") == CARD
    ]
    fit = all(
        isinstance(card, dict) and card.get("type") == "AdaptiveCard" and _has_body(card) for card in cards
    )
    return [card for card in cards if isinstance(card, dict)] if fit else []


def _has_body(card: Mapping[str, Any]) -> bool:
    return isinstance(card.get("version"), str) and isinstance(card.get("body"), list) and bool(card["body"])


def _told(status: int, code: str, message: str) -> Reply:
    return Reply(status=status, body={"error": {"code": code, "message": message}})
