"""Pipelines, and the incoming hooks that start actions on them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import Any

from hookengine.domain.context import MISSING, lookup
from hookengine.domain.hook import Condition
from hookengine.errors import InvalidEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """What actions run on. `operation` is the action type an incoming hook starts, such as deploy.

    `context` is laid under the context of every action of this pipeline. `team` owns it; `application` and
    `environment` are the names of what it deploys, and where. Empty: nobody said. Who has the integration key
    that `integration_key_digest` is of may report to it; without a digest nobody may.
    """

    id: int
    name: str
    operation: str = "deploy"
    team: str = ""
    application: str = ""
    environment: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    integration_key_digest: str = field(default="", repr=False)

    def facts(self) -> dict[str, Any]:
        """What templates see as `pipeline` and `action.pipeline`; what nobody said is missing there."""
        said = {"team": self.team, "application": self.application, "environment": self.environment}
        known = {name: value for name, value in said.items() if value}
        return {"id": self.id, "name": self.name, "operation": self.operation, **known}


class VariableType(StrEnum):
    STRING = "string"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    ARRAY = "array"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A value taken out of an incoming request's body. `default` counts where the path is missing or null."""

    name: str
    path: str
    type: VariableType = VariableType.STRING
    required: bool = False
    default: Any = None

    def parse(self, body: Any) -> Any:
        """Raises ValueError with a sentence for the sender."""
        value = lookup(body, self.path)
        if value is MISSING or value is None:
            if self.default is None and self.required:
                raise ValueError(f"{self.name}: the request body has nothing at {self.path}.")
            return self.default
        return _converted(value, self)


def _converted(value: Any, variable: Variable) -> Any:
    """As its type; a text that says exactly a value of the type is taken for it, nothing else is guessed."""
    match variable.type, value:
        case VariableType.STRING, str():
            return value
        case VariableType.STRING, bool() | int() | float():
            return json.dumps(value)
        case VariableType.INTEGER, int() if not isinstance(value, bool):
            return value
        case VariableType.INTEGER, str() if re.fullmatch(r"-?[0-9]{1,18}", value):
            return int(value)
        case VariableType.BOOLEAN, bool():
            return value
        case VariableType.BOOLEAN, "true" | "false":
            return value == "true"
        case VariableType.ARRAY, list():
            return value
    raise ValueError(f"{variable.name}: the value at {variable.path} must be of type {variable.type}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingHook:
    """One pipeline's own URL that starts an action.

    With `secret` (the name of a secret) a request must carry the HMAC of its body in `signature_header`.
    """

    id: str
    name: str
    pipeline_id: int
    variables: tuple[Variable, ...] = ()
    conditions: tuple[Condition, ...] = ()
    secret: str | None = None
    signature_header: str = "x-hub-signature-256"
    active: bool = True

    def parse(self, body: Any) -> dict[str, Any]:
        """All variables. Raises InvalidEvent with everything that is wrong with the body."""
        parsed: dict[str, Any] = {}
        wrong: dict[str, list[str]] = {}
        for variable in self.variables:
            try:
                parsed[variable.name] = variable.parse(body)
            except ValueError as error:
                wrong.setdefault(variable.path, []).append(str(error))
        if wrong:
            raise InvalidEvent(wrong)
        return {name: value for name, value in parsed.items() if value is not None}

    def first_failing(self, body: Any) -> Condition | None:
        return next((condition for condition in self.conditions if not condition.holds(body)), None)


def new_pipeline(reference: int | str, known: Mapping[int, str]) -> Pipeline:
    """One of this id or name, where pipelines of the ids and names in `known` are defined already."""
    if isinstance(reference, str):
        return Pipeline(id=next(free for free in count(1) if free not in known), name=reference)
    taken = set(known.values())
    names = (f"pipeline-{reference}{'-' * more}" for more in count())
    return Pipeline(id=reference, name=next(name for name in names if name not in taken))
