from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from hookengine.store.records.waiting import next_try, waits_for

NOW, LATER = 1000, 2000
WAITING = {
    "id": "dlv_1",
    "head_id": "dlv_1",
    "status": "retrying",
    "host": "git.acme.io",
    "account": "git.acme.io token",
    "hook_id": "hk_1",
    "hook_state": "active",
    "hook_because": "",
    "waits_for": None,
    "trips": None,
    "open_at": None,
    "due_at": NOW,
}


def row(**changes: Any) -> Any:
    return SimpleNamespace(**{**WAITING, **changes})


@pytest.mark.parametrize(
    ("changes", "words", "when"),
    [
        ({}, None, NOW),
        ({"status": "sending"}, None, None),
        ({"status": "delivered", "head_id": None}, None, None),
        ({"head_id": "dlv_0"}, "what is before it in its lane", None),
        ({"hook_state": "paused"}, "its hook, which is paused", None),
        ({"hook_state": "paused", "hook_because": "moved"}, "its hook, which is paused: moved", None),
        ({"waits_for": "hook:hk_1"}, "other requests of its hook", None),
        ({"waits_for": "host:git.acme.io"}, "other requests to git.acme.io", None),
        (
            {"waits_for": "host:git.acme.io", "trips": 0, "open_at": 0},
            "other requests to git.acme.io",
            NOW,
        ),
        (
            {"waits_for": "host:git.acme.io", "trips": 2, "open_at": LATER},
            "git.acme.io, which has not answered",
            LATER,
        ),
        (
            {"waits_for": "account:git.acme.io token", "trips": 0, "open_at": LATER},
            "what git.acme.io allows its credential",
            LATER,
        ),
        ({"waits_for": "suspects"}, "another delivery that a node went away with", None),
    ],
)
def test_a_delivery_that_waits_says_for_what_and_until_when(
    changes: dict[str, Any], words: str | None, when: int | None
) -> None:
    assert (waits_for(row(**changes)), next_try(row(**changes))) == (words, when)
