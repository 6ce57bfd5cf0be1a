"""Reading what happened: the one source of the API's, the command line's and later the console's lists."""

from __future__ import annotations

from hookengine.store.records.actions import WantedActions
from hookengine.store.records.deployments import Around
from hookengine.store.records.events import Told, WantedEvents
from hookengine.store.records.records import Records
from hookengine.store.records.search import FIELDS, parse_query
from hookengine.store.records.wanted import Page, Seen, Wanted, moment

__all__ = [
    "FIELDS",
    "Around",
    "Page",
    "Records",
    "Seen",
    "Told",
    "Wanted",
    "WantedActions",
    "WantedEvents",
    "moment",
    "parse_query",
]
