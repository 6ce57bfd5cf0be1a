"""What to try while the demo is left running."""

from __future__ import annotations

from collections.abc import Iterator

from hookengine.cli.demo.stage import Stage


def invitation(stage: Stage) -> Iterator[str]:
    yield "Everything is left running until Ctrl-C."
