"""What is defined one by one, over the API: a pipeline, a hook or an incoming hook, and how it changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hookengine.domain.clock import Millis
from hookengine.domain.hook import Hook
from hookengine.domain.pipeline import IncomingHook, Pipeline
from hookengine.domain.secret import StoredSecret

Definition = Pipeline | Hook | IncomingHook

API: Final = "api"
"""Who manages what was defined over the API."""

EVENTS: Final = "events"
"""Who manages a pipeline that was made because an event named it."""

_NOBODYS: Final = frozenset({"", API, EVENTS})


class Kind(StrEnum):
    PIPELINE = "pipeline"
    HOOK = "hook"
    INCOMING_HOOK = "incoming hook"

    @classmethod
    def of(cls, definition: Definition) -> Kind:
        match definition:
            case Pipeline():
                return cls.PIPELINE
            case Hook():
                return cls.HOOK
            case IncomingHook():
                return cls.INCOMING_HOOK


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """`before` is what it was when the change was decided, None: it is new. `after` None: it is deleted.

    With `force` it may be one that a file manages: it is the API's from then on, until the file is applied again.
    `secret` is kept with it, sealed; those in `dropped` are gone with it.
    """

    before: Definition | None = None
    after: Definition | None = None
    force: bool = False
    secret: tuple[StoredSecret, str] | None = None
    dropped: tuple[StoredSecret, ...] = ()

    @property
    def subject(self) -> Definition:
        found = self.after if self.after is not None else self.before
        assert found is not None, "a change is of something"  # noqa: S101
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What is known of a definition beside itself. `because` is why a hook is disabled or paused."""

    managed_by: str
    created_at: Millis
    updated_at: Millis
    because: str = ""

    @property
    def file(self) -> str:
        """Whose files manage it; empty if the API may change it."""
        return "" if self.managed_by in _NOBODYS else self.managed_by
