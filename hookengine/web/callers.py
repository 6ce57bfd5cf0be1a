"""Who calls, and what of all pipelines that one gets to see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from starlette.requests import HTTPConnection

from hookengine.domain.event import Event
from hookengine.domain.event_list import at_index
from hookengine.domain.pipeline import Pipeline
from hookengine.domain.token import Token
from hookengine.errors import InvalidEvent
from hookengine.web.access import CALLER


class Pipelines(Protocol):
    @property
    def pipelines(self) -> Iterable[Pipeline]: ...

    def find_pipeline(self, reference: int | str) -> Pipeline | None: ...


def caller_of(request: HTTPConnection) -> Token:
    caller: Token = request.scope[CALLER]
    return caller


def pipelines_of(caller: Token, known: Pipelines) -> frozenset[int] | None:
    """The ids of those it gets to see; None: all there are, and what belongs to none."""
    if not caller.is_bound:
        return None
    return frozenset(pipeline.id for pipeline in known.pipelines if caller.covers(pipeline))


def check_events(caller: Token, events: Sequence[Event], known: Pipelines) -> None:
    """A pipeline that is not the caller's looks like one that is not there. Raises InvalidEvent."""
    if not caller.is_bound:
        return
    wrong: dict[str, list[str]] = {}
    for index, event in enumerate(events):
        pipeline = known.find_pipeline(event.pipeline)
        if pipeline is None or not caller.covers(pipeline):
            message = f"There is no pipeline {event.pipeline!r}."
            wrong.update(at_index({"action.pipeline": [message]}, index, len(events)))
    if wrong:
        raise InvalidEvent(wrong)
