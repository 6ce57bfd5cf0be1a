"""Replays of deliveries as people and programs are shown them, in the words of `views`."""

from __future__ import annotations

from typing_extensions import TypedDict

from hookengine.domain.views import Request


class Replayed(TypedDict):
    id: str
    replay_of: str


class Cancelled(TypedDict):
    id: str
    status: str


class ReplaySample(TypedDict):
    delivery: str
    status: str
    request: Request | None
    problem: str | None


class ReplayPlan(TypedDict):
    count: int
    at_least: bool
    mode: str
    samples: list[ReplaySample]


class Replay(TypedDict):
    """`wanted` has the fields that were asked for, each a list, and `since` and `until`."""

    id: str
    state: str
    mode: str
    wanted: dict[str, list[str] | str | None]
    per_minute: int
    total: int
    replayed: int
    refused: int
    problems: list[str]
    created_at: str | None
    ended_at: str | None
