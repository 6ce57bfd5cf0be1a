"""Mistakes that pydantic finds, told with place, key, and what was probably meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from hookengine.errors import ConfigError, Problem
from hookengine.manifest.document import Document, Location


class Checked(BaseModel):
    """Part of a file. Nothing is converted and nothing is left unread."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


M = TypeVar("M", bound=BaseModel)


class Findings:
    """Collects what is wrong with a document, so that all of it can be told at once."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._problems: list[Problem] = []

    def add(self, problems: Sequence[Problem]) -> None:
        self._problems.extend(problems)

    def wrong(self, at: Location, message: str, *, hint: str = "", key: bool = False) -> None:
        self._problems.append(self._document.problem(at, message, hint=hint, key=key))

    def check(
        self, model: type[M], value: Any, at: Location, *, hints: Mapping[Location, str] | None = None
    ) -> M | None:
        """None if it is wrong, which is then noted. `hints`: what to say to a key that is missing or wrong."""
        try:
            return model.model_validate(value)
        except ValidationError as error:
            for mistake in explain(error, model):
                hint = mistake.hint or (hints or {}).get(mistake.at, "")
                self.wrong((*at, *mistake.at), mistake.message, hint=hint, key=mistake.key)
            return None

    def settle(self) -> None:
        if self._problems:
            raise self.error()

    def error(self) -> ConfigError:
        return ConfigError(self.sorted())

    def sorted(self) -> list[Problem]:
        """All of it in the order of the file, each mistake once."""
        return sorted(dict.fromkeys(self._problems), key=_reading_order)


def _reading_order(problem: Problem) -> tuple[str, int, int]:
    match = re.fullmatch(r"(.*):([0-9]+):([0-9]+)", problem.place)
    return (match[1], int(match[2]), int(match[3])) if match else (problem.place, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """`key`: it is the key that is wrong, not the value. Never holds a value, which may be a secret."""

    at: Location
    message: str
    hint: str = ""
    key: bool = False


def explain(error: ValidationError, model: type[BaseModel]) -> Iterator[Mistake]:
    """What pydantic found. A key that was only mistyped is not also told to be missing."""
    details = error.errors(include_url=False)
    meant: set[Location] = set()
    for detail in details:
        if detail["type"] == "extra_forbidden":
            *parent, name = detail["loc"]
            likely = nearest(str(name), keys_at(model, tuple(parent)))
            meant.add((*parent, likely))
    for detail in details:
        if detail["type"] != "missing" or detail["loc"] not in meant:
            yield _mistake(detail, model)


def _mistake(detail: ErrorDetails, model: type[BaseModel]) -> Mistake:
    at, kind, context = detail["loc"], detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        name = str(at[-1])
        return Mistake(
            at=at, message=f"unknown key '{name}'{did_you_mean(name, keys_at(model, at[:-1]))}", key=True
        )
    if kind == "missing":
        return Mistake(at=at, message="is required")
    if kind == "value_error":
        return Mistake(at=(*at, *getattr(context["error"], "at", ())), message=str(context["error"]))
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", context["expected"])
        return Mistake(
            at=at,
            message=f"must be one of {', '.join(choices)}{did_you_mean(str(detail['input']), choices)}",
        )
    return Mistake(at=at, message=_said(kind, context, detail["msg"]), hint=_HINTS.get(kind, ""))


def _said(kind: str, context: dict[str, Any], message: str) -> str:
    template = _WORDS.get(kind)
    if template is None:
        return message[:1].lower() + message[1:]
    return template.format(**context)


_WORDS = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "too_short": "must have at least {min_length} item(s)",
    "too_long": "must have at most {max_length} items",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be more than {gt}",
    "less_than": "must be less than {lt}",
}
_HINTS = {"string_type": "put quotes around a number, true, false or null that is meant as text"}


class MisplacedError(ValueError):
    """For validators: a mistake at `at`, counted from what is validated."""

    def __init__(self, message: str, *at: str | int) -> None:
        super().__init__(message)
        self.at = at


def nearest(word: str, known: Collection[str]) -> str:
    """The one of `known` that was probably meant, or nothing."""
    return next(iter(difflib.get_close_matches(word, known, n=1)), "")


def did_you_mean(word: str, known: Collection[str]) -> str:
    likely = nearest(word, known)
    return f", did you mean '{likely}'?" if likely and likely != word else ""


@dataclass(frozen=True, slots=True)
class Names(Collection[str]):
    """Those that are `known`; whoever gets one wrong is told of no others than `told`."""

    known: Collection[str]
    told: Collection[str]

    def __contains__(self, name: object) -> bool:
        return name in self.known

    def __iter__(self) -> Iterator[str]:
        return iter(self.told)

    def __len__(self) -> int:
        return len(self.told)


def unknown_name(kind: str, name: str, known: Collection[str]) -> str:
    """One sentence about a name that nothing has."""
    likely = difflib.get_close_matches(name, known, n=3)
    if likely:
        return f"there is no {kind} '{name}', did you mean {' or '.join(repr(word) for word in likely)}?"
    some = ", ".join(sorted(known)[:10])
    return f"there is no {kind} '{name}'; there is {some}" if some else f"there is no {kind} at all"


def keys_at(model: type[BaseModel], at: Location) -> list[str]:
    """The keys that the mapping there may have."""
    return [
        field.alias or name for found in _models_at(model, at) for name, field in found.model_fields.items()
    ]


def _models_at(model: type[BaseModel], at: Location) -> Iterator[type[BaseModel]]:
    if not at:
        yield model
        return
    known = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    if at[0] in known:
        found, rest = _models_in(known[str(at[0])]), at[1:]
    else:
        found, rest = _models_in(get_type_hints(model).get("__pydantic_extra__")), at
    for inner, depth in found:
        yield from _models_at(inner, rest[depth:])


def _models_in(annotation: Any, depth: int = 0) -> Iterator[tuple[type[BaseModel], int]]:
    """With the number of indexes or keys that lead to each."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, depth
        return
    step = 1 if getattr(annotation, "__origin__", None) in (list, dict) else 0
    for inner in get_args(annotation):
        yield from _models_in(inner, depth + step)
