from __future__ import annotations

from pathlib import Path

import pytest

from hookengine.domain.hook import Hook
from hookengine.errors import ConfigError, NotFound
from hookengine.manifest import Presets, presets
from hookengine.manifest.hooks import preset_hook
from hookengine.manifest.schema import PresetHookText


def test_presets_are_named_by_folder_and_file(tmp_path: Path) -> None:
    for name in ("b/two", "a/one", "a/deep/three", "four"):
        file = tmp_path / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()

    assert Presets(tmp_path).names == ("a/one", "b/two")


@pytest.mark.parametrize(
    "name", ["", "github", "github/none", "../templates/github/commit-status", "/etc/passwd"]
)
def test_only_names_of_presets_open_files(name: str) -> None:
    with pytest.raises(NotFound):
        Presets().get(name)


def test_an_empty_file_is_no_preset(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.yaml").touch()

    with pytest.raises(ConfigError, match="is required"):
        Presets(tmp_path).get("a/b")


def test_a_preset_that_says_something_twice_is_refused(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[3] / "templates" / "github" / "commit-status.yaml"
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.yaml").write_text(shipped.read_text("utf-8") + "timeout: 3s\n", "utf-8")

    with pytest.raises(ConfigError, match="timeout: this key stands twice"):
        Presets(tmp_path).get("a/b")


def test_a_wheel_brings_its_presets_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "hookengine" / "shipped" / "templates" / "a" / "b.yaml"
    file.parent.mkdir(parents=True)
    file.touch()
    monkeypatch.setattr(presets, "_PACKAGE", tmp_path / "hookengine")

    assert Presets().names == ("a/b",)


def test_in_a_clone_the_presets_lie_beside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "templates" / "c" / "d.yaml"
    file.parent.mkdir(parents=True)
    file.touch()
    monkeypatch.setattr(presets, "_PACKAGE", tmp_path / "hookengine")

    assert Presets().names == ("c/d",)


def test_a_preset_is_read_once() -> None:
    shipped = Presets()
    assert shipped.get("github/commit-status") is shipped.get("github/commit-status")


PRESET = """\
name: tell
description: tells it
params: {text: {help: what to tell}, more: {help: more of it, default: hello}}
events: [action.failed]
rate: 10/min
request:
  url: https://target.example/
  body: {a: "{{ params.text | truncate(5) }}", b: "{{ params.text | default('nothing') }}", c: "{{ params.more }}"}
"""


def hook_of(folder: Path, **changes: str) -> Hook:
    (folder / "a").mkdir()
    (folder / "a" / "b.yaml").write_text(PRESET, "utf-8")
    said = PresetHookText.model_validate({"preset": "a/b", **changes})
    return preset_hook(said, Presets(folder).get("a/b"), None)


def test_a_field_of_an_empty_blank_is_left_out_unless_it_has_a_default(tmp_path: Path) -> None:
    assert hook_of(tmp_path).body == {"b": "{{ params.text | default('nothing') }}", "c": "{{ params.more }}"}


@pytest.mark.parametrize(("changes", "rate"), [({}, "10/min"), ({"rate": "1/s"}, "1/s")])
def test_a_preset_knows_the_rate_of_its_host_and_a_hook_may_say_another(
    tmp_path: Path, changes: dict[str, str], rate: str
) -> None:
    assert hook_of(tmp_path, **changes).rate == rate
