from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from hookengine.domain.definition import Kind
from hookengine.domain.hook import Hook, HookState
from hookengine.errors import ConfigError
from hookengine.manifest import Manifest, load, read, shipped_presets, with_keys
from hookengine.manifest.exporting import exported
from hookengine.manifest.plan import Verb, Wish, plan
from hookengine.manifest.wording import worded_hook
from hookengine.store.care import Definitions
from hookengine.store.standing import Standing
from hookengine.yaml_text import as_yaml
from tests.conftest import make_hook

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="{}\x00"), max_size=12)
NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=3, max_size=20)
WORDS = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
PLAIN = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | TEXTS
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | TEXTS, inner, max_size=3),
    max_leaves=6,
)
DURATIONS = st.integers(1, 10**8).map(lambda millis: f"{millis}ms")
EVENTS = st.lists(
    st.sampled_from(["action.started", "action.failed", "shop.opened"]), min_size=1, max_size=3, unique=True
)
CONDITIONS = st.lists(
    st.fixed_dictionaries(
        {
            "path": st.text(min_size=1, max_size=9),
            "accepted_values": st.lists(VALUES, min_size=1, max_size=2),
        }
    ),
    max_size=2,
)
RESPONSES = st.lists(
    st.fixed_dictionaries(
        {"status": st.lists(st.sampled_from(["404", "5xx"]), min_size=1), "then": st.just("retry")},
        optional={
            "body": st.sampled_from(["gone", ""]),
            "headers": st.just({"x-a": "b"}),
            "tries": st.integers(1, 50),
            "after": DURATIONS,
            "because": TEXTS,
        },
    ),
    max_size=2,
)
SHARED: dict[str, Any] = {
    "active": st.booleans(),
    "action_type": st.just("deploy"),
    "lane": st.sampled_from(["latest", "ordered", {"policy": "none", "key": "a"}]),
    "retry": st.fixed_dictionaries(
        {},
        optional={
            "waits": st.lists(DURATIONS, min_size=1, max_size=3),
            "give_up_after": DURATIONS,
            "jitter": st.floats(0, 1) | st.integers(0, 1),
        },
    ),
    "timeout": st.integers(1, 300_000).map(lambda millis: f"{millis}ms"),
    "rate": st.sampled_from(["10/min", "1/s"]),
    "signing": st.sampled_from(["key", {"secrets": ["a", "b"]}, {"secret": "c", "scheme": "github"}]),
    "responses": RESPONSES,
}
WHEN = st.fixed_dictionaries({"events": EVENTS}, optional={"conditions": CONDITIONS})
HOOKS = st.fixed_dictionaries(
    {
        "name": NAMES,
        "target_url": st.sampled_from(["https://a.example/{{ action.id }}", "https://b.example/x?y=1"]),
        "trigger_when": WHEN,
    },
    optional={
        **SHARED,
        "method": st.sampled_from(["GET", "PUT"]),
        "settings": st.fixed_dictionaries(
            {},
            optional={
                "request_headers": st.just([{"name": "X-A", "value": "{{ action.id }}"}]),
                "request_body": st.dictionaries(WORDS, VALUES, max_size=3) | st.lists(VALUES, max_size=2),
            },
        ),
    },
)
OF_PRESETS = st.fixed_dictionaries(
    {
        "preset": st.just("github/commit-status"),
        "with": st.fixed_dictionaries(
            {"repository": st.just("acme/shop"), "context": st.just("ci/shop")},
            optional={"description": WORDS},
        ),
        "name": NAMES,
    },
    optional={**SHARED, "trigger_when": WHEN},
)
INCOMING = st.fixed_dictionaries(
    {"id": st.from_regex(r"[a-z0-9]{12}", fullmatch=True), "name": NAMES},
    optional={
        "active": st.booleans(),
        "signature_header": st.just("x-sig"),
        "variables": st.lists(
            st.fixed_dictionaries(
                {"name": WORDS},
                optional={
                    "path": WORDS,
                    "required": st.booleans(),
                    "type": st.just("string"),
                    "default_value": TEXTS,
                },
            ),
            max_size=2,
            unique_by=lambda variable: variable["name"],
        ),
        "trigger_when": st.fixed_dictionaries({"conditions": CONDITIONS}),
    },
)


def hooks(count: int) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(HOOKS | OF_PRESETS, max_size=count, unique_by=lambda hook: hook["name"])


PIPELINES = st.lists(
    st.fixed_dictionaries(
        {"id": st.integers(1, 99), "name": NAMES},
        optional={
            "operation": WORDS,
            "team": WORDS,
            "context": st.dictionaries(WORDS.map(lambda word: f"x{word}"), VALUES, max_size=2),
            "integration_key": st.just({"digest": "ab" * 32}),
            "incoming_hooks": st.lists(INCOMING, max_size=1),
            "hooks": hooks(2),
        },
    ),
    max_size=2,
    unique_by=(lambda pipeline: pipeline["id"], lambda pipeline: pipeline["name"]),
)
FILES = st.fixed_dictionaries({"pipelines": PIPELINES}, optional={"hooks": hooks(1)})


def manifest(text: str) -> Manifest:
    return with_keys(read(load(text)), {})


def standing(wished: Manifest, because: dict[str, str] | None = None) -> Standing:
    """After it was applied."""
    changes = plan(
        Wish(manifest=wished), Standing(version=1, definitions=Definitions(), managed_by={})
    ).changes
    return Standing(
        version=2, definitions=changes.written, managed_by=changes.managed_by, because=because or {}
    )


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(FILES)
def test_what_was_applied_and_exported_again_wishes_for_no_change(file: dict[str, Any]) -> None:
    try:
        wished = manifest(as_yaml(file))
    except ConfigError:
        reject()  # two things of one name, or a word that is taken: not every file can be applied
    known = standing(wished)

    again = plan(Wish(manifest=manifest(as_yaml(exported(known, shipped_presets())))), known)

    assert [step for step in again.steps if step.verb is not Verb.UNCHANGED] == []
    assert len(again.steps) == len(known.managed_by)


def test_an_exported_file_says_no_more_than_it_must() -> None:
    text = """\
pipelines:
  - id: 1
    name: shop-deploy
    incoming_hooks:
      - id: 5d0cb9f1-03b7
        name: pull requests
        variables:
          - name: sha
            path: after
    hooks:
      - name: tell
        target_url: https://a.example/{{ action.id }}
        trigger_when:
          events:
            - action.failed
        settings:
          request_body:
            text: it's over
        lane: ordered
      - preset: github/commit-status
        name: status
        active: false
        with:
          repository: acme/shop
          context: ci/shop
hooks:
  - id: chat
    name: chat
    target_url: https://b.example/
    trigger_when:
      events:
        - action.completed
    signing: chat_key
"""
    shown = as_yaml(exported(standing(manifest(text)), shipped_presets()))

    assert load(shown).data == load(text).data


@pytest.mark.parametrize("because", [{}, {"ci": "its target said 410"}])
def test_a_hook_that_is_off_for_a_reason_was_not_written_so(because: dict[str, str]) -> None:
    off = Manifest(hooks=(make_hook(id="ci", state=HookState.DISABLED),))

    (shown,) = exported(standing(off, because), shipped_presets())["hooks"]

    assert shown.get("active") is (None if because else False)


def test_a_preset_of_another_version_cannot_be_exported() -> None:
    hook = replace(make_hook(id="ci"), preset="github/gone")

    with pytest.raises(
        ConfigError, match="hook ci is of the preset github/gone, which this version does not"
    ):
        exported(standing(Manifest(hooks=(hook,))), shipped_presets())


def test_everything_that_makes_a_hook_has_words() -> None:
    """A field that is new in a hook needs words in a difference and in an export."""
    worded = {
        *worded_hook(make_hook()),
        "secrets_in_body",  # as its preset has it
        *("before", "captures"),  # among its requests
        *("id", "revision", "pipeline_id", "params", "events", "conditions", "headers", "body", "state"),
    }

    assert {field.name for field in fields(Hook)} <= worded


def test_kinds_are_all_exported() -> None:
    known = standing(manifest("pipelines: [{id: 1, name: abc, incoming_hooks: [{id: abcdefgh, name: x}]}]"))

    assert {kind for kind, _ in known.managed_by} == {Kind.PIPELINE, Kind.INCOMING_HOOK}
    assert "abcdefgh" in as_yaml(exported(known, shipped_presets()))
