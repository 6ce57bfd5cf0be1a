"""Which of the things that files manage a prune may delete: `managed-by=team-a,pipeline=shop-*`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from hookengine.domain import manager
from hookengine.errors import ConfigError, Problem
from hookengine.manifest.checking import did_you_mean

MANAGED_BY: Final = "managed-by"
KEYS: Final = (MANAGED_BY, "kind", "pipeline", "name")
"""The manager's name; hook, incoming-hook or pipeline; the pipeline's name or id; its own name or id."""


@dataclass(frozen=True, slots=True)
class Selector:
    """All of its terms must hold; `*` and `?` in their values stand for any text and any character."""

    terms: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Selector:
        """Raises ConfigError."""
        terms: dict[str, str] = {}
        for part in text.split(","):
            key, separator, value = (piece.strip() for piece in part.partition("="))
            if not separator or not value:
                raise _wrong(f"'{part.strip()}' must be such as managed-by=team-a or pipeline=shop-deploy")
            if key not in KEYS:
                raise _wrong(
                    f"unknown key '{key}'{did_you_mean(key, KEYS) or '; there is ' + ', '.join(KEYS)}"
                )
            if key in terms:
                raise _wrong(f"'{key}' stands twice")
            terms[key] = value
        return cls(terms)

    @property
    def manager(self) -> str | None:
        """The one manager it is about, if it is about one."""
        name = self.terms.get(MANAGED_BY)
        return None if name is None or set(name) & set("*?[") else manager.of_files(name)

    def covers(self, facts: Mapping[str, Collection[str]]) -> bool:
        """`facts` are the texts that each key may be called by."""
        return all(
            any(fnmatchcase(text, pattern) for text in facts[key]) for key, pattern in self.terms.items()
        )


def _wrong(message: str) -> ConfigError:
    return ConfigError([Problem(place="selector", message=message)])
