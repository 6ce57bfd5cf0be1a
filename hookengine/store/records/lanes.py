"""What the other side shows, as far as is known here, and why."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from hookengine.domain import views
from hookengine.domain.clock import Millis
from hookengine.domain.delivery import WAITING
from hookengine.domain.hook import HookState, LanePolicy
from hookengine.domain.request import RenderedRequest
from hookengine.domain.status_call import state_of
from hookengine.store.cold.tables import DELIVERY, HOOK, LANE, REQUEST
from hookengine.store.records import deliveries
from hookengine.store.records.filtering import Condition, seen_by
from hookengine.store.records.values import cut, time
from hookengine.store.records.wanted import Seen

MOST_LANES = 200
MOST_SENT = 100
"""Deliveries of each lane."""

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_PLACE = ("host", "repository", "sha", "context")


def described(connection: Connection, *of_which: Condition, seen: Seen = None) -> list[views.Target]:
    """What each of these lanes changes, the states that were sent, and which of them is shown, and why; one more
    than `MOST_LANES` if there are more."""
    query = select(LANE).where(*of_which).order_by(LANE.c.id)
    found = (_described(connection, lane, seen) for lane in _one_by_one(connection, query))
    return list(islice((described for described in found if described["sent"]), MOST_LANES + 1))


def _one_by_one(connection: Connection, query: Select[Any]) -> Iterator[Row[Any]]:
    """By their ids. Those that are not seen are among them, so that no limit can be set beforehand."""
    after = 0
    while rows := connection.execute(query.where(LANE.c.id > after).limit(MOST_LANES)).all():
        yield from rows
        after = rows[-1].id


def _described(connection: Connection, lane: Row[Any], seen: Seen) -> views.Target:
    owed = deliveries.those(connection, DELIVERY.c.lane_id == lane.id, *seen_by(seen), limit=MOST_SENT + 1)
    more = cut(sent=(owed, MOST_SENT))
    states = _states(connection, lane.id)
    told = [_sent(item, states.get(item["id"])) for item in owed[:MOST_SENT]]
    sent = [item for item in told if not item["check"]]
    known = {item["id"]: item for item in told}
    shown = _shown(lane, sent)
    place = _of_status(lane.key)
    return {
        "lane": {"key": lane.key, "policy": lane.policy},
        "host": place.get("host"),
        "repository": place.get("repository"),
        "sha": place.get("sha"),
        "context": place.get("context"),
        "sent": sent,
        "shown": shown,
        "why": _why(lane, shown, known.get(lane.head_id), sent, _paused(connection, sent)),
        "confirmed": _confirmed(told, shown),
        "more": more,
    }


def _shown(lane: Row[Any], sent: Sequence[views.SentState]) -> views.SentState | None:
    """In a lane where only the newest counts it is noted; else what was delivered last."""
    if lane.policy == LanePolicy.LATEST:
        return next((item for item in sent if item["id"] == lane.shown_id), None)
    delivered = [item for item in sent if item["status"] == "delivered"]
    return max(delivered, key=lambda item: str(item["ended_at"]), default=None)


def _why(
    lane: Row[Any],
    shown: views.SentState | None,
    head: views.SentState | None,
    sent: Sequence[views.SentState],
    paused: Mapping[str, str],
) -> str:
    """In words: what is shown, and what may still change it. `paused`: why, by the ids of hooks that are."""
    said = _said(shown)
    waiting = (item for item in sent if item["status"] in WAITING and item["hook"]["id"] in paused)
    held = next(waiting, None)
    if held is not None and (head is None or head["id"] == held["id"]):
        return f"{said}; {_words(held)} waits, since its hook is paused{_colon(paused[held['hook']['id']])}"
    if head is not None:
        return f"{said}; {_coming(lane, head)}"
    if lane.doubt_until > lane.cleared_to and _in_doubt(lane):
        return f"{said}; an attempt without an answer may still take effect, until {time(lane.doubt_until)}"
    unsent = [item for item in sent if item["status"] in ("failed", "cancelled")]
    if unsent and (shown is None or unsent[0]["id"] > shown["id"]):
        ended = f"{_ENDED[unsent[0]['status']]}{_colon(unsent[0]['because'])}"
        return f"{said}; {_words(unsent[0])}, which is newer, {ended}"
    return said


def _said(shown: views.SentState | None) -> str:
    if shown is None:
        return "nothing was delivered yet"
    if shown["status"] == "superseded":
        return f"{_words(shown)} is what was shown already, and was not sent again"
    return f"{_words(shown)} was delivered"


def _coming(lane: Row[Any], head: views.SentState) -> str:
    if head["check"]:
        return "what is shown will be asked for"
    repair = " once more, since an older one may have taken effect late" if head["repair_of"] else ""
    retry = f", next at {time(lane.due_at)}{_colon(head['because'])}" if head["status"] == "retrying" else ""
    return f"{_words(head)} is {head['status']}{repair}{retry}"


def _colon(because: str) -> str:
    return f": {because}" if because else ""


def _paused(connection: Connection, sent: Sequence[views.SentState]) -> dict[str, str]:
    """Why, by their ids, of the hooks that these wait for."""
    hooks = {item["hook"]["id"] for item in sent if item["status"] in WAITING}
    query = select(HOOK.c.id, HOOK.c.because).where(HOOK.c.id.in_(hooks), HOOK.c.state == HookState.PAUSED)
    return {row.id: row.because for row in connection.execute(query)} if hooks else {}


def _confirmed(told: Sequence[views.SentState], shown: views.SentState | None) -> views.Confirmed | None:
    """What the newest check of what is shown has found, None if there was none, or it did not end."""
    about = () if shown is None else (shown["id"], shown["repair_of"])
    checks = (item for item in told if item["check"] and item["repair_of"] in about and item["ended_at"])
    newest = next(checks, None)
    if newest is None:
        return None
    because = newest["because"]
    return {
        "delivery": newest["id"],
        "status": newest["status"],
        "because": because,
        "ended_at": newest["ended_at"],
    }


_ENDED = {"failed": "failed", "cancelled": "was cancelled"}


def _in_doubt(lane: Row[Any]) -> bool:
    instant: Millis = lane.doubt_until
    return instant > 0


def _words(item: views.SentState) -> str:
    return f"{item['state'] or item['event']['type']} ({item['id']})"


def _sent(item: views.Delivery, state: str | None) -> views.SentState:
    return {
        "id": item["id"],
        "status": item["status"],
        "because": item["because"],
        "event": item["event"],
        "action": item["action"],
        "hook": item["hook"],
        "repair_of": item["repair_of"],
        "replay_of": item["replay_of"],
        "check": item["check"],
        "accepted_at": item["accepted_at"],
        "ended_at": item["ended_at"],
        "state": state,
    }


def _states(connection: Connection, lane_id: int) -> dict[str, str | None]:
    """By delivery."""
    query = (
        select(DELIVERY.c.id, REQUEST.c.document)
        .join(REQUEST, REQUEST.c.id == DELIVERY.c.request_id)
        .where(DELIVERY.c.lane_id == lane_id)
        .order_by(DELIVERY.c.id.desc())
        .limit(MOST_SENT)
    )
    return {row.id: state_of(RenderedRequest.from_json(row.document)) for row in connection.execute(query)}


def _of_status(key: str) -> dict[str, str]:
    """Which status of which commit the lane changes; a context that was cut off is told as far as it goes."""
    if not key.startswith("status"):
        return {}
    parts = [json.loads(part) for part in _STRING.findall(key)]
    return dict(zip(_PLACE, parts, strict=False))
