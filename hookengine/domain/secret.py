"""Secrets that are kept in the database: whose they are, and what they are called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from hookengine.domain.clock import Millis

EVERYONES: Final = ""
"""The owner of a secret that every hook may use."""

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
LONGEST: Final = 64 * 1024  # characters of a value


def of_pipeline(pipeline_id: int) -> str:
    return f"pipeline:{pipeline_id}"


def of_hook(hook_id: str) -> str:
    return f"hook:{hook_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSecret:
    """All there is to know of one but its value. `owner`: EVERYONES, a pipeline's or a hook's; of several secrets
    of one name a hook's own counts before its pipeline's, and that before everyone's.

    It goes to `hosts` only; without any it is never sent, and good for signing.
    """

    owner: str
    name: str
    hosts: tuple[str, ...]
    updated_at: Millis

    @property
    def reference(self) -> str:
        """What a SecretRef calls it."""
        return reference(self.owner, self.name)

    @property
    def belongs_to(self) -> str:
        """What it is sealed for."""
        return f"secret|{self.owner}|{self.name}"

    @property
    def whose(self) -> str:
        """For people."""
        return self.owner.replace(":", " ", 1) or "everyone"


def reference(owner: str, name: str) -> str:
    return f"{owner}:{name}" if owner else f"secrets.{name}"
