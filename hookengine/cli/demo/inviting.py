"""What to try while the demo is left running."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hookengine.cli.demo.platform import Run
from hookengine.cli.demo.stage import Stage


def invitation(
    stage: Stage, runs: Sequence[Run], deliveries: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Lines to read and commands to paste, with the ids and addresses of this very demo."""
    call = "hookengine" if shutil.which("hookengine") else f"{shlex.quote(sys.executable)} -m hookengine"
    hosts = {host.name: url for url, host in stage.hosts.items()}
    token = next((source.file for source in stage.settings.auth.tokens.values() if source.file), None)
    yield "Everything is left running until Ctrl-C. To try, in another terminal:"
    yield ""
    yield f"  export HOOKENGINE_SERVER={stage.api}"
    if token is not None:
        yield f"  export HOOKENGINE_TOKEN=$(cat {shlex.quote(str(token))})"
    yield from _try("what was owed, and what came of it", f"{call} deliveries list")
    yield from _try("what came late, and was never sent", f"{call} deliveries list --status superseded")
    retried = [delivery for delivery, facts in deliveries.items() if facts["attempts_made"] > 1]
    if retried:
        yield from _try("the one that was tried twice", f"{call} deliveries show {retried[0]}")
    if runs:
        action = f"--pipeline {shlex.quote(runs[-1].pipeline.name)} --action {runs[-1].action}"
        yield from _try(
            "Bitbucket is down for two requests; an action fails all the same",
            f"""curl -s -d '{{"fail": 503, "times": 2}}' {hosts["Bitbucket"]}/_simulator/faults""",
            f"{call} emit action.failed {action}",
        )
    for name in ("GitHub", "Bitbucket"):
        yield from _try(f"what {name} shows now", f"curl -s {hosts[name]}/_simulator/shown")


def _try(what: str, *commands: str) -> Iterator[str]:
    yield ""
    yield f"  # {what}"
    for command in commands:
        yield f"  {command}"
