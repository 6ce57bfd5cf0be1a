"""The OpenAPI document of a server with all doors open: every source is on."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from fastapi import FastAPI

from hookengine.sources import Hearing
from hookengine.sources.hearing import Setup
from hookengine.web.access import Callers
from hookengine.web.api.defining import Defining
from hookengine.web.api.reading import Reading
from hookengine.web.app import Doors, create_web
from hookengine.web.limits import Bounds

T = TypeVar("T")

_SOURCES = ("ilert", "sei", "github", "gitlab", "cloudevents")
LARGEST_BODY = 1_048_576  # bytes


def whole_document(version: str) -> dict[str, Any]:
    """As a server answers it at /openapi.json, but for sources that it has off or guards by a secret."""
    return every_door(_nobody(), version).openapi()


def every_door(callers: Callers, version: str = "0", *, within: str | None = None) -> FastAPI:
    """All routes, with nobody behind them: enough to tell of them, and of who may come in. `within` as for
    `create_web`."""
    hearing = Hearing(_nobody(), _nobody(), dict.fromkeys(_SOURCES, Setup()), _nobody())
    doors = _empty(
        Doors,
        api=True,
        reading=_empty(Reading),
        defining=_empty(Defining, public_url=""),
        sources=hearing,
        callers=callers,
        metrics_public=False,
        bounds=Bounds(largest_body=LARGEST_BODY),
        version=version,
    )
    return create_web(doors, within=within)


def _nobody() -> Any:
    return None


def _empty(kind: type[T], **known: Any) -> T:
    blanks = {field.name: None for field in fields(kind)}  # type: ignore[arg-type]  # both are dataclasses
    return kind(**{**blanks, **known})
