"""What a request that writes a status at GitLab may hold, as Grape checks it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from hookengine.simulators.records import Received

DECLARED = ("state", "ref", "name", "context", "target_url", "description", "coverage", "pipeline_id")


def body_of(received: Received) -> dict[str, Any]:
    if received.is_form:
        return dict(received.body)
    body = received.json()
    if not isinstance(body, dict):
        raise ValueError("not an object")
    return body


def wrong_parameter(sent: Mapping[str, Any], states: Collection[str]) -> str:
    """What Grape says before the service is asked. Names it does not declare are ignored."""
    if not sent.get("state"):
        return "state is missing"
    if not isinstance(sent["state"], str) or sent["state"] not in states:
        return "state does not have a valid value"
    for name in DECLARED:
        if isinstance(sent.get(name), dict | list):
            return f"{name} is invalid"
    if sent.get("pipeline_id") and not re.fullmatch(r"\d+", str(sent["pipeline_id"])):
        return "pipeline_id is invalid"
    if sent.get("coverage") and not re.fullmatch(r"\d+(\.\d+)?", str(sent["coverage"])):
        return "coverage is invalid"
    return ""
