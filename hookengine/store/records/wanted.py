"""Which deliveries somebody wants to see, or to be sent again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from hookengine.domain.attempt import OUTCOMES
from hookengine.domain.clock import Millis, from_datetime
from hookengine.domain.delivery import DeliveryStatus
from hookengine.domain.retry import DAY, HOUR
from hookengine.errors import InvalidQuery
from hookengine.store.records.search import FIELDS, parse_query

Seen = frozenset[int] | None
"""The ids of the pipelines that whoever asks gets to see; None: all there are."""

KEPT_AS: Final[Mapping[str, str]] = {**{word: name for name, word in OUTCOMES.items()}, "none": ""}
"""Outcomes as people write them, and as they are kept."""

_LONGEST: Final = 1000  # characters of a value
_UNITS: Final = {"s": 1000, "m": 60_000, "h": HOUR, "d": DAY}
_AGO: Final = re.compile(r"(?P<amount>[0-9]{1,9})(?P<unit>[smhd])")
_CODE: Final = re.compile(r"[1-5]xx|[1-5][0-9][0-9]|none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The part of a list after the thing of id `before`, newest first."""

    before: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """`terms` maps fields of `FIELDS` to values, of which each must hold one; `since` and `until` bound when it
    was accepted; `seen` are the pipelines that whoever asks gets to see, None: all."""

    terms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    since: Millis | None = None
    until: Millis | None = None
    seen: Seen = None

    @classmethod
    def of(
        cls,
        terms: Mapping[str, Sequence[str]],
        now: Millis,
        *,
        q: str = "",
        since: str | None = None,
        until: str | None = None,
    ) -> Wanted:
        """From what people write. Raises InvalidQuery with everything that is wrong."""
        wrong: dict[str, list[str]] = {}
        all_terms = {name: tuple(values) for name, values in terms.items() if values}
        try:
            for name, values in parse_query(q).items():
                all_terms[name] = (*all_terms.get(name, ()), *values)
        except InvalidQuery as error:
            wrong.update(error.errors)
        for name, values in all_terms.items():
            check = _CHECKS.get(name, _anything)
            if any(not check(value) or len(value) > _LONGEST for value in values):
                wrong.setdefault(name, []).append(f"The {name} must be {FIELDS[name]}.")
        bounds = {
            name: _moment(name, text, now, wrong) for name, text in (("since", since), ("until", until))
        }
        if wrong:
            raise InvalidQuery(wrong)
        return cls(terms=all_terms, since=bounds["since"], until=bounds["until"])

    def to_json(self) -> str:
        seen = None if self.seen is None else sorted(self.seen)
        return json.dumps({"terms": self.terms, "since": self.since, "until": self.until, "seen": seen})

    @classmethod
    def from_json(cls, text: str) -> Wanted:
        values = json.loads(text)
        terms = {name: tuple(of_name) for name, of_name in values["terms"].items()}
        seen = None if values["seen"] is None else frozenset(values["seen"])
        return cls(terms=terms, since=values["since"], until=values["until"], seen=seen)

    def shown(self) -> dict[str, Any]:
        """For people: as `q` would say it."""
        return {name: list(values) for name, values in self.terms.items()}


def moment(name: str, text: str, now: Millis) -> Millis:
    """A time in RFC 3339, or how long ago, such as 30m, 2h or 7d. Raises InvalidQuery that blames `name`."""
    wrong: dict[str, list[str]] = {}
    found = _moment(name, text, now, wrong)
    if found is None:
        raise InvalidQuery(wrong)
    return found


def _moment(name: str, text: str | None, now: Millis, wrong: dict[str, list[str]]) -> Millis | None:
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            return now - int(ago["amount"]) * _UNITS[ago["unit"]]
        return from_datetime(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        said = (
            "must be a time with a zone, such as 2026-11-22T10:15:00Z, or how long ago, such as 30m, 2h or 7d"
        )
        wrong.setdefault(name, []).append(f"The {name} {said}.")
        return None


def _anything(value: str) -> bool:
    return bool(value) and "\0" not in value


_CHECKS: Final[Mapping[str, Callable[[str], object]]] = {
    "status": lambda value: value in set(DeliveryStatus),
    "code": _CODE.fullmatch,
    "outcome": lambda value: value.lower() in KEPT_AS,
}
