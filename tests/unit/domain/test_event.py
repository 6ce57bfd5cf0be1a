from __future__ import annotations

from typing import Any

import pytest

from hookengine.domain.event import STATUS, Event, Lifecycle, Rank, digest_of
from hookengine.errors import InvalidEvent
from tests.conftest import NOW, event_document, make_event


def test_an_event_is_read_from_its_document() -> None:
    document = event_document(
        id="evt_9",
        type="action.completed",
        occurred_at="2026-11-22T10:15:00.250Z",
        action={"id": 7, "type": "deploy", "number": 3, "attempt": 2, "pipeline": {"id": 4, "name": "web"}},
        application={"name": "shop"},
    )

    event = Event.parse(document)

    assert event == Event(
        id="evt_9",
        type="action.completed",
        occurred_at=1_795_342_500_250,
        action_id=7,
        pipeline=4,
        number=3 << 20 | 2,
        data={"action": document["action"], "application": {"name": "shop"}},
    )
    assert event.rank is Rank.FINISHED


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"id": None}, "id", None),
        ({"id": "!" * 200}, "id", "!" * 200),
        ({"type": "release.published"}, "type", "release.published"),
        ({"type": "a.b_1.c"}, "type", "a.b_1.c"),
        ({"occurred_at": None}, "occurred_at", None),
        ({"occurred_at": "2026-11-18T12:06:40+01:00"}, "occurred_at", NOW),
        ({"action": {"id": "build-1"}}, "action_id", "build-1"),
        ({"action": {"id": 0}}, "action_id", 0),
        ({"action": {"id": (1 << 63) - 1}}, "action_id", (1 << 63) - 1),
        ({"action": {"id": 1 - (1 << 63)}}, "action_id", 1 - (1 << 63)),
        ({"action": {"pipeline": (1 << 63) - 1}}, "pipeline", (1 << 63) - 1),
        ({"action": {"pipeline": "web"}}, "pipeline", "web"),
        ({"action": {"pipeline": {"name": "web"}}}, "pipeline", "web"),
        ({"action": {"pipeline": {"id": 9, "name": "web"}}}, "pipeline", 9),
        ({"action": {"number": None}}, "number", None),
        ({"action": {"number": None, "attempt": 3}}, "number", None),
        ({"action": {"number": 5}}, "number", 5 << 20),
        ({"action": {"number": 0, "attempt": 0}}, "number", 0),
    ],
)
def test_good_shapes_are_taken(changes: dict[str, Any], field: str, value: object) -> None:
    event = Event.parse(event_document(**changes))

    assert getattr(event, field) == value


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": ""}, "id"),
        ({"id": "two words"}, "id"),
        ({"id": "x" * 201}, "id"),
        ({"id": "ü"}, "id"),
        ({"id": 7}, "id"),
        ({"type": None}, "type"),
        ({"type": "started"}, "type"),
        ({"type": "Action.Started"}, "type"),
        ({"type": "a." + "b" * 99}, "type"),
        ({"type": 1}, "type"),
        ({"type": "action.status_changed"}, "type"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": "2026-11-22T10:15:00"}, "occurred_at"),
        ({"occurred_at": 1_795_000_000}, "occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
        ({"occurred_at": "9999-12-31T23:59:59-14:00"}, "occurred_at"),
        ({"action": {"id": None}}, "action.id"),
        ({"action": {"id": True}}, "action.id"),
        ({"action": {"id": ""}}, "action.id"),
        ({"action": {"id": "x" * 201}}, "action.id"),
        ({"action": {"id": "x\0"}}, "action.id"),
        ({"action": {"id": 1.5}}, "action.id"),
        ({"action": {"id": 1 << 63}}, "action.id"),
        ({"action": {"id": -(1 << 63)}}, "action.id"),
        ({"action": {"pipeline": None}}, "action.pipeline"),
        ({"action": {"pipeline": 0}}, "action.pipeline"),
        ({"action": {"pipeline": -1}}, "action.pipeline"),
        ({"action": {"pipeline": 1 << 63}}, "action.pipeline"),
        ({"action": {"pipeline": {"id": 1 << 63, "name": "web"}}}, "action.pipeline"),
        ({"action": {"pipeline": True}}, "action.pipeline"),
        ({"action": {"pipeline": ""}}, "action.pipeline"),
        ({"action": {"pipeline": {}}}, "action.pipeline"),
        ({"action": {"number": -1}}, "action.number"),
        ({"action": {"number": "1"}}, "action.number"),
        ({"action": {"number": True}}, "action.number"),
        ({"action": {"number": 1 << 40}}, "action.number"),
        ({"action": {"attempt": -1}}, "action.attempt"),
        ({"action": {"attempt": 1 << 20}}, "action.attempt"),
        ({"action": {"attempt": "1"}}, "action.attempt"),
        ({"event": {}}, "event"),
        ({"secrets": {}}, "secrets"),
        ({"params": {}}, "params"),
        ({"captured": {}}, "captured"),
        ({"application": "shop"}, "application"),
        ({"tags": ["a"]}, "tags"),
    ],
)
def test_a_mistake_is_told_at_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        Event.parse(event_document(**changes))

    assert list(caught.value.errors) == [field]
    assert all(message.endswith(".") for message in caught.value.errors[field])


@pytest.mark.parametrize("document", [None, [], "event", 7])
def test_an_event_is_an_object(document: object) -> None:
    with pytest.raises(InvalidEvent) as caught:
        Event.parse(document)

    assert list(caught.value.errors) == ["event"]


@pytest.mark.parametrize("action", [None, "deploy", [1]])
def test_without_an_action_only_the_action_is_complained_about(action: object) -> None:
    document = {**event_document(), "action": action}

    with pytest.raises(InvalidEvent) as caught:
        Event.parse(document)

    assert list(caught.value.errors) == ["action"]


def test_all_mistakes_are_told_at_once() -> None:
    document = event_document(id="", type="x", occurred_at="x", action={"id": None, "number": -1}, params={})

    with pytest.raises(InvalidEvent) as caught:
        Event.parse(document)

    assert set(caught.value.errors) == {
        "id",
        "type",
        "occurred_at",
        "action.id",
        "action.number",
        "params",
    }


def test_a_later_attempt_of_an_action_comes_between_its_number_and_the_next() -> None:
    documents = [{"number": 1}, {"number": 1, "attempt": 1}, {"number": 2}]

    numbers = [Event.parse(event_document(action=action)).number for action in documents]

    assert numbers == sorted(set(numbers), key=lambda number: number or 0)


@pytest.mark.parametrize(
    ("event_type", "rank"),
    [
        ("action.queued", Rank.QUEUED),
        ("action.started", Rank.STARTED),
        ("action.completed", Rank.FINISHED),
        ("action.failed", Rank.FINISHED),
        ("action.cancelled", Rank.FINISHED),
        ("action.timed_out", Rank.FINISHED),
        ("release.published", Rank.STARTED),
    ],
)
def test_each_type_has_its_rank(event_type: str, rank: Rank) -> None:
    assert Rank.of(event_type) is rank


def test_each_lifecycle_type_has_a_status() -> None:
    assert set(STATUS) == set(Lifecycle) == Lifecycle.values()


def test_templates_see_when_an_event_was_accepted_if_it_does_not_say_when_it_occurred() -> None:
    event = make_event(type="action.started", occurred_at=None)

    facts = event.facts("evt_1", NOW)

    assert facts == {"id": "evt_1", "type": "action.started", "occurred_at": "2026-11-18T11:06:40.000Z"}


def test_equal_events_have_equal_digests_whatever_the_order_of_their_keys() -> None:
    event = make_event(id="a")

    assert digest_of({"a": 1, "b": 2}, event) == digest_of({"b": 2, "a": 1}, make_event(id="b"))


@pytest.mark.parametrize(
    "changes",
    [{"type": "action.failed"}, {"occurred_at": NOW + 1}, {"action_id": 8}, {"pipeline": 2}, {"number": 2}],
)
def test_events_that_say_something_else_have_other_digests(changes: dict[str, Any]) -> None:
    assert digest_of({}, make_event(**changes)) != digest_of({}, make_event())
    assert digest_of({"a": 1}, make_event()) != digest_of({}, make_event())
