"""What a shell offers where a command wants an id or a name: what the server has, if one is named.

A database is not asked: to open it takes longer than anybody waits for a completion.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Final

from click import Context, Parameter
from click.shell_completion import CompletionItem

from hookengine.cli.failing import Failure

Offer = Callable[[Context, Parameter, str], list[CompletionItem]]

_NEWEST: Final = 50
_NAMED: Final = 500


def offer(path: str, *keys: str) -> Offer:
    """Values of these keys of what the list at `path` holds; the name is the help beside an id."""
    limit = _NAMED if "name" in keys else _NEWEST

    def offered(context: Context, parameter: Parameter, begun: str) -> list[CompletionItem]:
        try:
            items = _asked(context, path, limit)
        except Failure:
            return []
        return [item for item in _values(items, keys) if str(item.value).startswith(begun)]

    return offered


def _asked(context: Context, path: str, limit: int) -> list[dict[str, Any]]:
    server = context.params.get("server") or os.environ.get("HOOKENGINE_SERVER")
    if not server:
        return []
    from hookengine.cli.asking import read_token
    from hookengine.cli.client import Client
    from hookengine.cli.server import Server

    file = context.params.get("token_file")
    token = context.params.get("token") or os.environ.get("HOOKENGINE_TOKEN")
    found = Client(Server(server, read_token(file) if file else token)).get(path, {"limit": limit})
    return list(found["items"])


def _values(items: list[dict[str, Any]], keys: tuple[str, ...]) -> Iterator[CompletionItem]:
    seen = set()
    for key in keys:
        for item in items:
            value = str(item[key])
            if value not in seen:
                seen.add(value)
                yield CompletionItem(value, help=item.get("name") if key != "name" else None)


hook_names: Final = offer("/api/hooks", "name", "id")
pipeline_names: Final = offer("/api/pipelines", "name", "id")
delivery_ids: Final = offer("/api/deliveries", "id")
replay_ids: Final = offer("/api/replays", "id")
event_ids: Final = offer("/api/events", "id")
action_ids: Final = offer("/api/actions", "id")
