"""Settings in environment variables: `HOOKENGINE_SERVER__PORT` is `server.port`."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from hookengine.errors import Problem
from hookengine.manifest.checking import nearest
from hookengine.manifest.document import Location

_PREFIX = "HOOKENGINE_"


class Environment(EnvSettingsSource):
    """The variables of `environ` that say something about `settings`, except those named in `others`."""

    def __init__(
        self, settings: type[BaseSettings], environ: Mapping[str, str], others: Collection[str]
    ) -> None:
        self._variables = {
            name: value
            for name, value in environ.items()
            if name.upper().startswith(_PREFIX) and name not in others
        }
        super().__init__(settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._variables.items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """JSON, or whatever the setting itself makes of the text."""
        try:
            return json.loads(value)
        except ValueError:
            return value

    def unknown(self, settings: Collection[str]) -> Iterator[Problem]:
        """Variables whose first word is no group of settings. `settings`: the dotted names of all."""
        groups = {name.partition(".")[0] for name in settings}
        for name in self._variables:
            if _location(name)[0] not in groups:
                yield self._unknown(name, settings)

    def problem(
        self, at: Location, message: str, hint: str, *, key: bool, settings: Collection[str]
    ) -> Problem | None:
        """A mistake as that of a variable; None if none says anything there."""
        for name in self._variables:
            said = _location(name)
            if said[: len(at)] == at or at[: len(said)] == said:
                return (
                    self._unknown(name, settings) if key else Problem(place=name, message=message, hint=hint)
                )
        return None

    def _unknown(self, name: str, settings: Collection[str]) -> Problem:
        known = [setting.upper().replace(".", "__") for setting in settings]
        likely = nearest(name[len(_PREFIX) :].upper(), known)
        advice = f", did you mean '{_PREFIX}{likely}'?" if likely else ""
        return Problem(place=name, message=f"unknown variable{advice}")


def _location(name: str) -> tuple[str, ...]:
    return tuple(name[len(_PREFIX) :].lower().split("__"))


def variables_named_in(said: Any) -> Iterator[str]:
    """Those that secrets and tokens are read from may begin with HOOKENGINE_ too."""
    if isinstance(said, dict):
        if isinstance(said.get("env"), str):
            yield said["env"]
        for value in said.values():
            yield from variables_named_in(value)
