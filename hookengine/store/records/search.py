"""The search language: `status:failed host:api.github.com because:"rate limit"`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Final

from hookengine.errors import InvalidQuery

FIELDS: Final[Mapping[str, str]] = {
    "status": "queued, sending, retrying, delivered, failed, superseded or cancelled",
    "hook": "a hook's id or name",
    "pipeline": "a pipeline's id or name; digits are an id where there is one",
    "host": "whom the request goes to, such as api.github.com",
    "lane": "a lane's key",
    "sha": "a commit's hash, or its first seven digits or more, of commit statuses",
    "code": "of the last answer: 2xx, 3xx, 4xx, 5xx, a code such as 503, or none",
    "outcome": "of the last attempt: answered, unreachable, timed_out, blocked, unrenderable, unknown or none",
    "event": "an event's id",
    "type": "an event's type",
    "action": "an action's id",
    "replay_of": "the delivery that was asked for again",
    "because": "a part of the reason",
}
"""Each field and what it holds."""

_TERM = re.compile(
    r'\s*(?:(?P<field>[A-Za-z_]+):)?(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s"]+))(?=\s|$)'
)


def parse_query(text: str) -> dict[str, tuple[str, ...]]:
    """Field by field the values it may have. Raises InvalidQuery."""
    found: dict[str, tuple[str, ...]] = {}
    place, end = 0, len(text.rstrip())
    while place < end:
        term = _TERM.match(text, place)
        if term is None or (term["field"] is None and ":" in (term["bare"] or "")):
            rest = text[place:].strip()
            raise _wrong(f"This cannot be read: {rest}. A value with blanks stands in quotes.")
        field = _field(term)
        quoted = term["quoted"]
        value = term["bare"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        found[field] = (*found.get(field, ()), value)
        place = term.end()
    return found


def _field(term: re.Match[str]) -> str:
    """A value without a field is looked for in the reasons."""
    field = (term["field"] or "because").lower()
    if field not in FIELDS:
        near = difflib.get_close_matches(field, FIELDS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise _wrong(f"There is no field {field!r}.{hint} There are {', '.join(FIELDS)}.")
    return field


def _wrong(message: str) -> InvalidQuery:
    return InvalidQuery({"q": [message]})
