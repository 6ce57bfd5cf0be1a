"""Outgoing webhooks with templates, order and durable retries."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hookengine.app import HookEngine
    from hookengine.config import Settings
    from hookengine.domain.event import Event
    from hookengine.engine.signals import Signals
    from hookengine.errors import (
        ConfigError,
        EventConflict,
        HookEngineError,
        InvalidEvent,
        InvalidSecret,
        NotFound,
        Problem,
        StoreBusy,
        StoreError,
        TemplateError,
    )

__version__ = "0.1.0"

__all__ = [
    "ConfigError",
    "Event",
    "EventConflict",
    "HookEngine",
    "HookEngineError",
    "InvalidEvent",
    "InvalidSecret",
    "NotFound",
    "Problem",
    "Settings",
    "Signals",
    "StoreBusy",
    "StoreError",
    "TemplateError",
    "__version__",
]

_HOMES = {
    "Event": "hookengine.domain.event",
    "HookEngine": "hookengine.app",
    "Settings": "hookengine.config",
    "Signals": "hookengine.engine.signals",
}
"""Where public names live; the others are errors. Imported when they are used, not before."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES.get(name, "hookengine.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
