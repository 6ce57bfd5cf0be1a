"""One pipeline, hook or incoming hook as a JSON document: checked as it would be in a file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hookengine.domain.context import too_deep
from hookengine.domain.hook import Hook
from hookengine.domain.pipeline import IncomingHook, Pipeline
from hookengine.errors import ConfigError, InvalidDefinition, Problem
from hookengine.guard.permissions import Permissions
from hookengine.guard.vault import secrets_in
from hookengine.manifest.document import DEEPEST, Document, Location, spell
from hookengine.manifest.reading import read
from hookengine.manifest.wish import Manifest

_START = ((1, 1), (1, 1))
_ANY_NAME: Final = "pipeline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """`secret_names`: those that templates may name; `permissions`: what hooks may do."""

    secret_names: Collection[str]
    permissions: Permissions = field(default_factory=Permissions)

    def hook(self, document: Mapping[str, Any], pipeline_id: int | None) -> Hook:
        """Of this pipeline, or of all. Raises InvalidDefinition with everything that is wrong."""
        if pipeline_id is None:
            (hook,) = self._read({"hooks": [document]}, ("hooks", 0)).hooks
        else:
            (hook,) = self._read(_inside(pipeline_id, "hooks", document), ("pipelines", 0, "hooks", 0)).hooks
        return hook

    def incoming_hook(self, document: Mapping[str, Any], pipeline_id: int) -> IncomingHook:
        """Raises InvalidDefinition."""
        place = ("pipelines", 0, "incoming_hooks", 0)
        (hook,) = self._read(_inside(pipeline_id, "incoming_hooks", document), place).incoming_hooks
        return hook

    def pipeline(self, document: Mapping[str, Any]) -> Pipeline:
        """Raises InvalidDefinition."""
        wrong = {
            key: ["Is defined by a request of its own."]
            for key in ("hooks", "incoming_hooks", "integration_key")
            if key in document
        }
        if wrong:
            raise InvalidDefinition(wrong)
        (pipeline,) = self._read({"pipelines": [document]}, ("pipelines", 0)).pipelines
        hint = 'set it as a secret and write {"$secret": "secrets.NAME"} here'
        paths = self.permissions.context_paths
        if open_ones := list(secrets_in(pipeline.context, paths)):
            raise InvalidDefinition(
                {f"context.{path}": [f"A secret must not stand here ({hint})"] for path in open_ones}
            )
        return pipeline

    def _read(self, data: Mapping[str, Any], place: Location) -> Manifest:
        if too_deep(data, DEEPEST):
            raise InvalidDefinition({"body": [f"Is nested more than {DEEPEST} deep."]})
        try:
            return read(_Body.of(data, place), secret_names=self.secret_names, permissions=self.permissions)
        except ConfigError as error:
            raise InvalidDefinition(errors_of(error.problems)) from error


def errors_of(problems: Collection[Problem]) -> dict[str, list[str]]:
    """By the field that they are about."""
    errors: dict[str, list[str]] = {}
    for problem in problems:
        first = problem.message.partition(" ")[0]
        is_a_word = first.isalpha()  # not the name of something
        message = problem.message[:1].upper() + problem.message[1:] if is_a_word else problem.message
        hint = f" ({problem.hint})" if problem.hint else ""
        errors.setdefault(problem.place or "body", []).append(f"{message}{hint}")
    return errors


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body(Document):
    """What stands in a request's body is known by the name of its field, counted from `inside`."""

    inside: Location

    @classmethod
    def of(cls, data: Mapping[str, Any], inside: Location) -> _Body:
        return cls(name="body", folder=Path(), data=data, marks={(): _START}, inside=inside)

    def problem(self, at: Location, message: str, *, hint: str = "", key: bool = False) -> Problem:
        return Problem(place=spell(at[len(self.inside) :]), message=message, hint=hint)


def _inside(pipeline_id: int, key: str, document: Mapping[str, Any]) -> dict[str, Any]:
    return {"pipelines": [{"id": pipeline_id, "name": _ANY_NAME, key: [document]}]}
