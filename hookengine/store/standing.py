"""What is defined and by whom, and what is to become of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hookengine.domain.definition import Kind
from hookengine.store.care import Definitions

Identity = tuple[Kind, int | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Definitions as one must know them to change them: of which version, whose each of them is, why hooks
    are not active, and which pipelines actions, secrets or tokens hang on, so that they cannot go."""

    version: int
    definitions: Definitions
    managed_by: Mapping[Identity, str]
    because: Mapping[str, str] = field(default_factory=dict)
    in_use: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What to write, in the place of what has the same identity, and what to delete. All else stays.

    `version` is that of the standing they were thought out for. Each thing that is written has a manager;
    `because` is why hooks that are written are not active, where there is a reason beside that somebody wrote so.
    """

    version: int
    written: Definitions = field(default_factory=Definitions)
    managed_by: Mapping[Identity, str] = field(default_factory=dict)
    because: Mapping[str, str] = field(default_factory=dict)
    gone: frozenset[Identity] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.managed_by or self.gone)
