"""Hooks made of presets, and what is wrong with how their blanks are filled."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookengine.domain.hook import LanePolicy, LaneSpec
from hookengine.domain.retry import RetryPolicy
from hookengine.manifest import Presets
from tests.unit.manifest.texts import PIPELINE, indented, manifest, problems

PRESET = """\
name: Ping
description: Rings a bell.
params:
  host: {required: true, help: where the bell hangs}
  tone: {default: "{{ action.status }}", help: how it sounds}
  room: {help: where it is heard}
events: [action.status_changed]
request:
  method: PUT
  url: "{{ params.host }}/bells/1"
  headers: [{name: X-Room, value: "{{ params.room }}"}]
  body: {tone: "{{ params.tone }}", room: "{{ params.room }}", deep: {room: "{{params.room}}"}}
timeout: 3s
lane: ordered
retry: {waits: [2s]}
responses: [{status: 409, then: success, because: it rings}]
"""


@pytest.fixture
def presets(tmp_path: Path) -> Presets:
    (tmp_path / "bell").mkdir()
    (tmp_path / "bell" / "ping.yaml").write_text(PRESET, "utf-8")
    return Presets(tmp_path)


def with_preset(lines: str) -> str:
    return PIPELINE + "    hooks:\n      - preset: bell/ping\n" + indented(lines)


def test_a_preset_becomes_a_hook_without_what_was_left_empty(presets: Presets) -> None:
    (hook,) = manifest(with_preset("with: {host: 'https://bells.example'}"), presets=presets).hooks

    assert (hook.name, hook.preset, hook.method) == ("Ping", "bell/ping", "PUT")
    assert hook.params == {"host": "https://bells.example", "tone": "{{ action.status }}", "room": None}
    assert hook.target_url == "{{ params.host }}/bells/1"
    assert hook.headers == ()
    assert hook.body == {"tone": "{{ params.tone }}", "deep": {}}
    assert hook.events == ("action.status_changed",)
    assert (hook.timeout, hook.retry, hook.lane) == (
        3.0,
        RetryPolicy(waits=(2000,)),
        LaneSpec(policy=LanePolicy.ORDERED),
    )
    assert [rule.because for rule in hook.responses] == ["it rings"]


def test_a_hook_has_the_last_word_over_its_preset(presets: Presets) -> None:
    text = with_preset(
        "name: Mine\nwith: {host: 'https://b.example', room: attic}\ntimeout: 4s\nlane: none\nretry: {jitter: 0}\n"
        "responses: [{status: 5xx, then: permanent, because: mine}]\ntrigger_when: {events: [action.failed]}"
    )

    (hook,) = manifest(text, presets=presets).hooks

    assert (hook.name, hook.timeout, hook.lane) == ("Mine", 4.0, LaneSpec(policy=LanePolicy.NONE))
    assert hook.events == ("action.failed",)
    assert hook.retry == RetryPolicy(jitter=0)
    assert hook.headers == (("X-Room", "{{ params.room }}"),)
    assert [rule.because for rule in hook.responses] == ["mine", "it rings"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("with: {hots: x}", "6:16: {}.with.hots: bell/ping has no blank 'hots', did you mean 'host'?"),
        ("with: {tone: x}", "6:15: {}.with.host: bell/ping needs it: where the bell hangs"),
        ("name: x", "5:9: {}.with.host: bell/ping needs it: where the bell hangs"),
        (
            "with: {host: 'https://x.example', tone: '{{ a | uper }}'}",
            "6:49: {}.with.tone: the filter `uper`",
        ),
        ("with: {host: nowhere}", "5:17: {}.preset: target_url: the URL must start with"),
        ("with: {host: 'https://x.example'}\ntarget_url: x", "7:9: {}.target_url: unknown key 'target_url'"),
    ],
)
def test_a_mistake_in_filling_a_preset_is_told(lines: str, expected: str, presets: Presets) -> None:
    (problem,) = problems(with_preset(lines), presets=presets)
    assert problem.startswith("config.yaml:" + expected.format("pipelines[0].hooks[0]"))


def test_an_unknown_preset_is_told_with_the_likely_one(presets: Presets) -> None:
    (problem,) = problems(with_preset("with: {}").replace("bell/ping", "bell/pin"), presets=presets)
    assert problem.endswith(".preset: there is no preset 'bell/pin', did you mean 'bell/ping'?")


def test_a_mistake_in_the_file_of_a_preset_is_told_with_its_place(tmp_path: Path, presets: Presets) -> None:
    file = tmp_path / "bell" / "ping.yaml"
    file.write_text(PRESET.replace("method:", "metod:") + "name: again\n", "utf-8")

    found = problems(with_preset("with: {}"), presets=presets)

    assert found == [
        f"{file}:9:3: request.metod: unknown key 'metod', did you mean 'method'?",
        f"{file}:17:1: name: this key stands twice, first in line 1",
    ]
