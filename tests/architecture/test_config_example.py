from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hookengine.config import Settings, read_config, settings_table
from hookengine.manifest import Document, load

FILE = Path(__file__).parents[2] / "config.example.yaml"


@pytest.fixture
def example() -> Document:
    return load(FILE)


def value_at(document: Document, name: str) -> Any:
    value: Any = document.data
    for step in name.split("."):
        value = value[step]
    return value


def test_the_example_is_valid_and_holds_the_defaults(example: Document) -> None:
    settings, manifest = read_config(example, {})

    assert settings == Settings().resolved(FILE.parent)
    assert [pipeline.name for pipeline in manifest.pipelines] == ["shop-deploy"]
    assert len(manifest.incoming_hooks) == 1


def test_the_example_has_three_hooks_for_one_status_and_a_preset(example: Document) -> None:
    *three, preset = read_config(example, {})[1].hooks

    assert [hook.events for hook in three] == [("action.started",), ("action.failed",), ("action.completed",)]
    assert {(hook.name, hook.target_url, hook.body["context"]) for hook in three} == {
        (three[0].name, three[0].target_url, "ci/devopness(build)")
    }
    assert [hook.body["state"] for hook in three] == ["pending", "failure", "success"]
    assert preset.preset == "github/commit-status"


@pytest.mark.parametrize(
    ("name", "description"), [(name, description) for name, _, description in settings_table()]
)
def test_the_example_says_every_setting_with_a_comment(
    name: str, description: str, example: Document
) -> None:
    line = example.marks[tuple(name.split("."))][0][0]
    comment = FILE.read_text("utf-8").splitlines()[line - 1].partition(" #")[2]

    assert value_at(example, name) is not None
    assert description.rstrip(".").lower() in comment.lower()
