"""Every exception of hookengine, and the one shape in which mistakes are told.

What the world does to us (a 503, a timeout, a refused address) is an outcome and is recorded;
what somebody did wrong is one of these:

    HookEngineError
    ├── ConfigError          settings or hooks are wrong: nothing has run
    ├── TemplateError        a template is wrong: the hook's author must act
    ├── InvalidEvent         an event is wrong: the platform must act
    ├── InvalidSecret        a secret cannot be set like this
    ├── InvalidToken         an API token cannot be like this
    ├── InvalidQuery         what is asked for cannot be understood
    ├── ReplayRefused        a delivery cannot be sent once more
    ├── EventConflict        the id is known with another body
    ├── InvalidDefinition    a pipeline or hook is wrong: its author must act
    ├── NotFound             no such thing
    ├── ManagedElsewhere     files manage it: change it there
    ├── Outdated             it was changed meanwhile: look again
    └── StoreError           the database failed: try again later
        ├── StoreBusy        another process owns this database
        ├── StaleContext     the action changed while an event of it was rendered
        └── DefinitionsMoved what is defined changed while its change was thought out
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One mistake: where it stands, what is wrong, and what to do about it."""

    message: str
    place: str = ""
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text} ({self.hint})" if self.hint else text


class HookEngineError(Exception):
    """Something was done wrong, or cannot be done now."""


class ConfigError(HookEngineError):
    """Settings or hooks are wrong; `problems` lists all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class TemplateError(HookEngineError):
    """A template is wrong. `field` is where it stands in the hook, such as `settings.request_body.state`.

    `line` and `column` count from 1 inside the template's own text; 0 means unknown.
    """

    def __init__(
        self, message: str, *, field: str = "", line: int = 0, column: int = 0, hint: str = ""
    ) -> None:
        self.message, self.field, self.line, self.column, self.hint = message, field, line, column, hint
        place = ", ".join(
            part
            for part in (field, f"line {line}" if line else "", f"column {column}" if column else "")
            if part
        )
        super().__init__(str(Problem(message=message, place=place, hint=hint)))

    def again(self) -> TemplateError:
        """The same, for raising it once more: a raised exception keeps what it went through."""
        return TemplateError(
            self.message, field=self.field, line=self.line, column=self.column, hint=self.hint
        )


class InvalidEvent(HookEngineError):
    """An event, or a request that should start one, is wrong: `errors` maps field to messages."""

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        self.errors = {field: list(messages) for field, messages in errors.items()}
        super().__init__(
            "; ".join(f"{field}: {' '.join(messages)}" for field, messages in self.errors.items())
        )


class InvalidToken(HookEngineError):
    """An API token cannot be like this."""


class InvalidSecret(HookEngineError):
    """A secret cannot be set like this; `field` is its name, hosts or value, which no message tells."""

    def __init__(self, field: str, message: str) -> None:
        self.field, self.message = field, message
        super().__init__(f"a secret's {field} {message}")


class InvalidQuery(HookEngineError):
    """What somebody asks for cannot be understood: `errors` maps parameter to messages."""

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        self.errors = {name: list(messages) for name, messages in errors.items()}
        super().__init__(" ".join(message for messages in self.errors.values() for message in messages))


class ReplayRefused(HookEngineError):
    """A delivery cannot be sent once more; the text says why."""


class TooManyTrials(HookEngineError):
    """As many hooks are being tried out as may be at once."""


class InvalidDefinition(HookEngineError):
    """A pipeline, hook or incoming hook is wrong, or a request about one: `errors` maps field to messages."""

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        self.errors = {field: list(messages) for field, messages in errors.items()}
        super().__init__(
            "; ".join(f"{field}: {' '.join(messages)}" for field, messages in self.errors.items())
        )


class EventConflict(HookEngineError):
    """An event with this id was accepted before, with another body."""

    def __init__(self, event_id: str) -> None:
        self.event_id = event_id
        super().__init__(
            f"event {event_id!r} was accepted before with another body; a new event needs a new id"
        )


class NotFound(HookEngineError):
    """There is no such hook, pipeline, delivery or attempt."""

    def __init__(self, kind: str, identity: object) -> None:
        self.kind, self.identity = kind, identity
        super().__init__(f"no {kind} {identity!r}")


class ManagedElsewhere(HookEngineError):
    """Files manage it, and would undo what is changed elsewhere."""

    def __init__(self, kind: str, identity: object, manager: str) -> None:
        self.kind, self.identity, self.manager = kind, identity, manager
        super().__init__(
            f"{kind} {identity} is managed by {manager!r}: change it in its file and apply that, or say "
            "`?force=true` to take it over until the file is applied again"
        )


class Outdated(HookEngineError):
    """It is not any more what the change was decided on, or its id or name was taken meanwhile."""

    def __init__(self, kind: str, identity: object) -> None:
        super().__init__(f"{kind} {identity} was changed by somebody else meanwhile; look at it again")


class ActionMovedOn(HookEngineError):
    """An event that counts only while its action stands still came too late."""


class StoreError(HookEngineError):
    """The database failed; nothing was acknowledged, and trying again later is safe."""


class StoreBusy(StoreError):
    """Another process owns this database file."""


class StoreRaced(StoreError):
    """Rows are there, or are not, that another transaction was faster with, or that contradict each other."""


class StaleContext(StoreError):
    """The action's remembered context changed between reading and writing; render again."""


class DefinitionsMoved(StoreError):
    """What is defined changed while somebody thought out how to change it; think again."""
