"""Commits: every status that is told of one, and whether they fit together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection

from hookengine.domain import views
from hookengine.errors import NotFound
from hookengine.store.cold.tables import LANE
from hookengine.store.records import lanes
from hookengine.store.records.filtering import of_commit
from hookengine.store.records.values import cut
from hookengine.store.records.wanted import Seen


def one(connection: Connection, sha: str, seen: Seen = None) -> views.Commit:
    """`sha` may be the first seven digits or more. Raises NotFound."""
    statuses = lanes.described(connection, of_commit(LANE.c.sha, [sha]), seen=seen)
    if not statuses:
        raise NotFound("commit", sha)
    return {
        "sha": sha,
        "statuses": statuses[: lanes.MOST_LANES],
        "warnings": warnings(statuses),
        "more": cut(statuses=(statuses, lanes.MOST_LANES)),
    }


def warnings(statuses: Sequence[views.Target]) -> list[str]:
    """Hooks of one name that told an action's states under several contexts: one of them stays pending for ever."""
    contexts: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for status in statuses:
        for sent in status["sent"]:
            action = sent["action"]
            who = (
                str(status["repository"]),
                str(status["sha"]),
                str(sent["hook"]["name"]),
                f"{action['pipeline']['name']} {action['id']}" if action else "",
            )
            contexts[who].add(str(status["context"]))
    return [
        f"{name!r} told action {action} on {repository} under {len(found)} contexts: "
        f"{', '.join(sorted(found))}. Did the context change between its events?"
        for (repository, _, name, action), found in sorted(contexts.items())
        if len(found) > 1
    ]
