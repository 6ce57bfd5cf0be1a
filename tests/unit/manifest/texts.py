"""Manifests as text, and what is read of them."""

from __future__ import annotations

from typing import Any

import pytest

from hookengine.errors import ConfigError
from hookengine.manifest import Manifest, load, read

PIPELINE = "pipelines:\n  - id: 7\n    name: shop-deploy\n"
HOOK = """\
    hooks:
      - name: CI(build)
        target_url: "https://api.example/{{ action.id }}"
        trigger_when: {events: [action.started]}
"""

INCOMING = """\
    incoming_hooks:
      - id: 5d0cb9f1-03b7
        name: pull requests
"""


def manifest(text: str, **options: Any) -> Manifest:
    return read(load(text), **options)


def problems(text: str, **options: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        manifest(text, **options)
    return [str(problem) for problem in caught.value.problems]


def indented(lines: str, by: int = 8) -> str:
    return "".join(" " * by + line + "\n" for line in lines.splitlines())
