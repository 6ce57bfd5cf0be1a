from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hookengine.errors import InvalidDefinition
from hookengine.manifest.documents import hook_document, incoming_document, pipeline_document
from hookengine.manifest.fields import milliseconds
from hookengine.manifest.presets import shipped_presets
from hookengine.manifest.single import Checks
from hookengine.manifest.wording import duration

CHECKS = Checks(secret_names={"host", "other"})
WORDS = some.text(alphabet="abcxyz _-", min_size=1, max_size=12)
VALUES = some.one_of(some.none(), some.booleans(), some.integers(-5, 5), WORDS)
BODIES = some.recursive(
    VALUES,
    lambda inner: some.one_of(some.lists(inner, max_size=3), some.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=8,
)
DURATIONS = some.integers(1, 10**9).map(duration)
CONDITIONS = some.lists(
    some.fixed_dictionaries({"path": WORDS, "accepted_values": some.lists(VALUES, min_size=1, max_size=3)}),
    max_size=2,
)
RESPONSES = some.fixed_dictionaries(
    {"status": some.lists(some.sampled_from(["404", "5xx"]), min_size=1), "then": some.just("retry")},
    optional={
        "headers": some.dictionaries(some.just("x-a"), WORDS, min_size=1),
        "body": WORDS,
        "tries": some.integers(1, 50),
        "after": DURATIONS,
        "because": WORDS,
    },
)
HOOKS = some.fixed_dictionaries(
    {
        "name": WORDS,
        "target_url": some.just("https://target.example/{{ action.id }}"),
        "trigger_when": some.fixed_dictionaries(
            {
                "events": some.lists(
                    some.sampled_from(["action.started", "action.failed", "a.b"]), min_size=1
                ),
                "conditions": CONDITIONS,
            }
        ),
    },
    optional={
        "id": some.just("an-id"),
        "active": some.booleans(),
        "action_type": WORDS,
        "method": some.sampled_from(["GET", "PUT"]),
        "settings": some.fixed_dictionaries(
            {},
            optional={
                "request_headers": some.lists(
                    some.fixed_dictionaries({"name": some.just("x-a"), "value": WORDS}), max_size=2
                ),
                "request_body": some.one_of(
                    some.none(),
                    WORDS,
                    some.lists(BODIES, max_size=2),
                    some.dictionaries(WORDS, BODIES, max_size=3),
                ),
            },
        ),
        "lane": some.one_of(
            some.sampled_from(["latest", "ordered", "none"]),
            some.fixed_dictionaries({"policy": some.just("ordered"), "key": WORDS}),
        ),
        "retry": some.fixed_dictionaries(
            {},
            optional={
                "waits": some.lists(DURATIONS, min_size=1, max_size=3),
                "give_up_after": DURATIONS,
                "jitter": some.floats(0, 1),
            },
        ),
        "timeout": some.integers(1, 300_000).map(duration),
        "rate": some.sampled_from(["10/min", "5/s"]),
        "signing": some.sampled_from(
            ["host", {"secrets": ["host", "other"]}, {"secret": "host", "scheme": "github"}]
        ),
        "responses": some.lists(RESPONSES, max_size=2),
    },
)


@given(document=HOOKS, pipeline_id=some.sampled_from([None, 3]))
def test_the_document_of_a_hook_makes_the_same_hook(
    document: dict[str, Any], pipeline_id: int | None
) -> None:
    hook = CHECKS.hook(document, pipeline_id)

    assert CHECKS.hook(hook_document(hook), pipeline_id) == hook


@pytest.mark.parametrize("name", shipped_presets().names)
def test_the_document_of_a_preset_with_its_blanks_filled_makes_the_same_hook(name: str) -> None:
    for sample in shipped_presets().get(name).samples:
        checks = Checks(secret_names={"anything"})
        document = {"preset": name, "with": sample.blanks}
        try:
            hook = checks.hook(document, 3)
        except InvalidDefinition as error:  # of secrets that this test does not know
            assert "There is no secret" in str(error)  # noqa: PT017
            continue

        assert checks.hook(hook_document(hook), 3) == hook
        assert hook_document(hook)["preset"] == name


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "another"},
        {"lane": "ordered"},
        {"timeout": "7s"},
        {"rate": "1/s"},
        {"retry": {"waits": ["9s"]}},
    ],
)
def test_what_a_hook_says_beside_its_preset_is_kept(changes: dict[str, Any]) -> None:
    rule = {"status": ["404"], "then": "success", "because": "gone"}
    document = {
        "preset": "github/commit-status",
        "with": {"repository": "acme/shop"},
        "responses": [rule],
        **changes,
    }

    hook = CHECKS.hook(document, 3)

    assert CHECKS.hook(hook_document(hook), 3) == hook
    assert hook_document(hook)["responses"] == [rule]


def test_the_documents_of_incoming_hooks_and_pipelines_make_the_same_ones() -> None:
    incoming = CHECKS.incoming_hook(
        {
            "id": "an-incoming-hook",
            "name": "pushes",
            "secret": "host",
            "signature_header": "X-Signature",
            "variables": [{"name": "a", "path": "b.c", "type": "integer", "default_value": 7}],
            "trigger_when": {"conditions": [{"path": "ref", "accepted_values": [1, None]}]},
        },
        3,
    )
    pipeline = CHECKS.pipeline({"id": 3, "name": "shop", "team": "red", "context": {"a": {"b": 1}}})

    assert CHECKS.incoming_hook(incoming_document(incoming), 3) == incoming
    assert CHECKS.pipeline(pipeline_document(pipeline)) == pipeline


@given(millis=some.integers(1, 10**10))
def test_a_duration_is_read_as_it_was_written(millis: int) -> None:
    assert milliseconds(duration(millis)) == millis


def test_the_largest_unit_is_taken() -> None:
    assert [duration(millis) for millis in (86_400_000, 90_000, 7_200_000, 1500)] == [
        "1d",
        "90s",
        "2h",
        "1500ms",
    ]


def test_a_hook_is_known_by_its_own_fields_wherever_it_stands() -> None:
    for pipeline_id in (None, 3):
        with pytest.raises(InvalidDefinition) as caught:
            CHECKS.hook({"name": 7, "settings": {"request_headers": [{"name": "x"}]}}, pipeline_id)

        assert sorted(caught.value.errors) == [
            "name",
            "settings.request_headers[0].value",
            "target_url",
            "trigger_when",
        ]


def test_a_document_that_is_nested_too_deeply_is_refused() -> None:
    body: dict[str, Any] = {}
    for _ in range(200):
        body = {"a": body}

    with pytest.raises(InvalidDefinition, match="deep"):
        CHECKS.hook({"name": "a", "settings": {"request_body": body}}, 3)


def test_only_the_state_is_not_in_a_document() -> None:
    """A paused hook is told from a disabled one elsewhere."""
    hook = CHECKS.hook(
        {"name": "a", "target_url": "https://x.example", "trigger_when": {"events": ["a.b"]}}, 3
    )

    assert hook_document(replace(hook, state=hook.state.PAUSED)) == hook_document(hook)
