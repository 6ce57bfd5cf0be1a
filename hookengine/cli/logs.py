"""The log: one line per signal of the engine, and what libraries have to warn of."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from hookengine.cli.log_stream import PatientHandler
from hookengine.domain.attempt import VERDICTS
from hookengine.engine import signals
from hookengine.engine.signals import Facts

LEVELS: Final[Mapping[str, int]] = {
    signals.ATTEMPT_STARTED: logging.DEBUG,
    signals.UPKEEP_DONE: logging.DEBUG,
    signals.ATTEMPT_LATE: logging.WARNING,
    signals.ATTEMPT_RESCUED: logging.WARNING,
    signals.HOOK_SWITCHED_OFF: logging.WARNING,
    signals.HOOK_PAUSED: logging.WARNING,
    signals.HOOK_UNFIT: logging.WARNING,
    signals.CIRCUIT_OPENED: logging.WARNING,
    signals.LANE_CONTESTED: logging.WARNING,
    signals.ACTION_TIMED_OUT: logging.WARNING,
    signals.SECRET_MISSING: logging.WARNING,
    signals.STORE_FAILED: logging.ERROR,
    signals.WORKER_FAILED: logging.ERROR,
}
"""Of signals that are more or less than information."""

_TRACEBACKS: Final = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)  # they may hold secrets
)
_HIDDEN: Final = frozenset({"kind", "request"})
"""A whole request is for debugging only, and the kind of an outcome for counting."""
_LEVEL_NAMES: Final = {getattr(logging, name): name.lower() for name in ("DEBUG", "INFO", "WARNING", "ERROR")}
_WIDEST: Final = 18  # characters that the longest name of a signal has


def log_to_stderr(style: str, level: str) -> Callable[[str, Facts], None]:
    """A listener for the engine's signals. `style`: console, json, or auto: console on a terminal."""
    console = style == "console" or (style == "auto" and sys.stderr.isatty())
    render = _renderers(console=console)
    handler = PatientHandler(sys.stderr)
    handler.setFormatter(_formatter(render))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    own = logging.getLogger("hookengine")
    own.setLevel(level.upper())

    def tell(name: str, facts: Facts) -> None:
        if console and name == signals.SERVER_LISTENING:
            return  # `serve` greets with it
        importance = _level(name, facts)
        if own.isEnabledFor(importance):
            shown = _facts(name, facts, debug=own.isEnabledFor(logging.DEBUG))
            handler.say(lambda: _line(render, importance, name, shown))

    return tell


def _line(render: Sequence[Processor], importance: int, name: str, facts: dict[str, Any]) -> str:
    """Without a record of it: to make one takes longer than all the rest."""
    line: Any = {"time": "", "level": _LEVEL_NAMES[importance], "message": name, **facts}
    for processor in render:
        line = processor(None, name, line)
    return str(line)


def _level(name: str, facts: Facts) -> int:
    if name == signals.DELIVERY_ENDED and facts.get("status") == "failed":
        return logging.WARNING
    return LEVELS.get(name, logging.INFO)


def _facts(name: str, facts: Facts, *, debug: bool) -> dict[str, Any]:
    """In plain values, and without those that say nothing."""
    shown = {
        key: value.value if isinstance(value, Enum) else value
        for key, value in facts.items()
        if value is not None and key not in _HIDDEN
    }
    if debug and "request" in facts:
        shown["request"] = facts["request"].shown()
    if name in (signals.ATTEMPT_FINISHED, signals.ATTEMPT_LATE):
        outcome = str(facts["outcome"])
        if shown.get("because") == outcome:
            del shown["because"]
        if outcome.isdecimal():
            shown["status"] = int(outcome)
            del shown["outcome"]
    if "verdict" in shown:
        shown["verdict"] = VERDICTS[shown["verdict"]]
    return shown


def _renderers(*, console: bool) -> Sequence[Processor]:
    """Of a line that has `time`, `level` and `message`; the last one gives its text."""
    if console:
        return structlog.processors.TimeStamper("%H:%M:%S", utc=False, key="time"), _console()
    return (
        structlog.processors.TimeStamper("iso", utc=True, key="time"),
        _TRACEBACKS,
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
    )


def _formatter(render: Sequence[Processor]) -> logging.Formatter:
    """Of what libraries have to say."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_log_level, _as_lines_are],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
    )


def _as_lines_are(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    """A signal's facts may be called `event`, so a line's own text is its `message`."""
    record = line["_record"]
    first = {"time": "", "level": line.pop("level"), "message": line.pop("event")}
    return {**first, **line, **getattr(record, "facts", {"logger": record.name})}


def _console() -> structlog.dev.ConsoleRenderer:
    colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    dim, bold, plain = (f"\x1b[{code}m" if colours else "" for code in (2, 1, 0))
    marks = {"warning": 33, "error": 31, "critical": 31}

    def level(key: str, value: object) -> str:
        """Only what is out of the ordinary has its level said."""
        word = str(value)
        if word not in marks:
            return ""
        return f"\x1b[{marks[word]}m{word}{plain}" if colours else word

    def column(style: str, width: int = 0) -> structlog.dev.KeyValueColumnFormatter:
        return structlog.dev.KeyValueColumnFormatter(
            key_style=None, value_style=style, reset_style=plain, value_repr=str, width=width
        )

    facts = structlog.dev.KeyValueColumnFormatter(
        key_style=dim, value_style="", reset_style=plain, value_repr=_readable
    )
    return structlog.dev.ConsoleRenderer(
        columns=[
            structlog.dev.Column("time", column(dim)),
            structlog.dev.Column("message", column(bold, _WIDEST)),
            structlog.dev.Column("level", level),
            structlog.dev.Column("", facts),
        ],
        sort_keys=False,
        exception_formatter=structlog.dev.plain_traceback,
    )


def _readable(value: object) -> str:
    """Quoted where it would otherwise run into the next fact."""
    text = str(value)
    return text if text and " " not in text and text.isprintable() else repr(text)
