"""ilert's deployment events: one thing that was deployed, with when, what and where to read on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookengine.errors import InvalidEvent
from hookengine.sources.facts import Fact, Table, an_object, moment, plain_values, prose, read_facts, text
from hookengine.sources.report import Heard, Report, digest

Document = Mapping[str, Any]

KEY = "integrationKey"
MOST_LINKS = 50


def links(value: Any) -> list[dict[str, str]]:
    if not isinstance(value, list) or len(value) > MOST_LINKS:
        raise ValueError(f"must be a list of up to {MOST_LINKS} links")
    return [_link(link) for link in value]


def _link(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not isinstance(value.get("href"), str):
        raise ValueError("must be a list of objects with href and text")
    return {"href": text(value["href"]), "text": prose(value.get("text") or value["href"])}


EVENT: Table = {
    "title": Fact("summary", prose, required=True),
    "occurred_at": Fact("timestamp", moment),
    "actor": Fact("userEmail", text),
    "details": Fact("customDetails", an_object),
    "links": Fact("links", links),
}


def key_of(document: Document) -> str:
    """The integration key, which names the pipeline and lets in. Raises InvalidEvent without one."""
    key = document.get(KEY)
    if not isinstance(key, str) or not key:
        raise InvalidEvent({KEY: [f"{KEY} is required: the integration key of a pipeline."]})
    return key


def hear(document: Document) -> Heard:
    """One without a time is new whenever it comes; one with a time is known again. Raises InvalidEvent."""
    told = {name: value for name, value in document.items() if name != KEY}
    facts = read_facts(told, EVENT)
    occurred_at = facts.pop("occurred_at", None)
    if found := facts.get("links"):
        facts["url"] = found[0]["href"]
    report = Report(
        key="" if occurred_at is None else digest(told),
        action_type="deploy",
        occurred_at=occurred_at,
        facts={**facts, "event": "deployment"},
        variables=plain_values(facts.get("details", {})),
    )
    return Heard(reports=(report,))
