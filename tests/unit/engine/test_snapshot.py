from __future__ import annotations

from typing import Any

import pytest

from hookengine.domain.request import SecretRef
from hookengine.engine.snapshot import Snapshot, snapshot
from tests.conftest import NOW, make_event, make_pipeline


def taken(
    remembered: dict[str, Any] | None = None, data: dict[str, Any] | None = None, **changes: Any
) -> Snapshot:
    pipeline = make_pipeline(**changes.pop("pipeline", {}))
    event = make_event(**changes)
    data = {"action": {"id": 7, "pipeline": 1}, **(data or {})}
    return snapshot(
        pipeline,
        remembered or {},
        event,
        data,
        {"host": SecretRef("secrets.host")},
        event_id="evt_9",
        now=NOW,
    )


def test_templates_see_the_pipeline_the_action_and_the_event() -> None:
    view = taken(type="action.started").view

    facts = {"id": 1, "name": "deploy production", "operation": "deploy"}
    assert view["pipeline"] == facts
    assert view["action"] == {
        "id": 7,
        "pipeline": facts,
        "status": "in-progress",
        "type": "deploy",
        "started_at": "2026-11-18T11:06:40.000Z",
    }
    assert view["event"] == {
        "id": "evt_9",
        "type": "action.started",
        "occurred_at": "2026-11-18T11:06:40.000Z",
    }


def test_newer_data_lies_over_older_and_all_over_the_pipelines_context() -> None:
    pipeline = {"context": {"application": {"name": "shop", "region": "eu", "tags": [1, 2]}}}
    remembered = {"action": {"branch": "main"}, "application": {"region": "us"}}

    seen = taken(remembered, {"application": {"tags": [3]}}, pipeline=pipeline)

    assert seen.view["application"] == {"name": "shop", "region": "us", "tags": [3]}
    assert seen.view["action"]["branch"] == "main"
    assert seen.remembered["application"] == {"region": "us", "tags": [3]}


@pytest.mark.parametrize(
    ("event_type", "sent", "status"),
    [
        ("action.queued", None, "queued"),
        ("action.timed_out", None, "timed_out"),
        ("action.failed", "failed-badly", "failed-badly"),
        ("release.made", None, "completed"),
    ],
)
def test_the_status_is_what_was_sent_else_what_the_event_says_else_what_it_was(
    event_type: str, sent: str | None, status: str
) -> None:
    data = {"action": {"id": 7, "pipeline": 1, **({"status": sent} if sent else {})}}

    seen = taken({"action": {"status": "completed"}}, data, type=event_type)

    assert seen.view["action"]["status"] == status


def test_a_type_that_was_sent_is_kept_and_a_pipelines_name_is_not_taken_from_events() -> None:
    data = {"action": {"id": 7, "type": "rollback", "pipeline": {"id": 1, "name": "another"}}}

    seen = taken(None, data)

    assert seen.view["action"]["type"] == "rollback"
    assert seen.view["action"]["pipeline"]["name"] == "deploy production"


def test_marks_become_named_holes_and_are_remembered_as_marks() -> None:
    mark = {"$secret": "application.token"}
    named = {"context": {"mail": [{"$secret": "secrets.host"}]}}

    seen = taken({"application": {"token": mark}}, pipeline=named)

    assert seen.view["application"]["token"] == SecretRef("context:1:application.token")
    assert seen.view["mail"] == [SecretRef("secrets.host")]
    assert seen.view["secrets"] == {"host": SecretRef("secrets.host")}
    assert seen.remembered["application"]["token"] == mark


def test_a_named_hole_of_the_pipelines_context_means_the_nearest_secret_of_that_name() -> None:
    own = SecretRef("pipeline:1:host")
    pipeline = make_pipeline(context={"mail": {"$secret": "secrets.host"}, "gone": {"$secret": "secrets.no"}})
    event = make_event()

    view = snapshot(pipeline, {}, event, event.data, {"host": own}, event_id="evt_9", now=NOW).view

    assert (view["mail"], view["gone"]) == (own, SecretRef("secrets.no"))


def test_what_it_was_given_is_not_changed() -> None:
    remembered = {"action": {"branch": "main"}}

    taken(remembered, {"action": {"id": 7, "pipeline": 1, "branch": "dev"}})

    assert remembered == {"action": {"branch": "main"}}


def test_when_an_action_started_is_remembered_by_its_later_events() -> None:
    started = taken(type="action.started")

    completed = taken(started.remembered, type="action.completed")

    assert completed.view["action"]["started_at"] == "2026-11-18T11:06:40.000Z"
    assert "started_at" not in taken(type="action.completed").view["action"]


def test_when_an_action_started_is_what_the_platform_says() -> None:
    data = {"action": {"id": 7, "pipeline": 1, "started_at": "2026-11-18T11:00:00Z"}}

    assert taken(type="action.started", data=data).view["action"]["started_at"] == "2026-11-18T11:00:00Z"


@pytest.mark.parametrize("told", ["x", [1], 7, {"$secret": "secrets.host"}])
def test_a_pipelines_context_that_says_something_else_of_it_keeps_no_event_from_being_taken(
    told: Any,
) -> None:
    view = taken(pipeline={"context": {"pipeline": told}}).view

    assert view["pipeline"] == {"id": 1, "name": "deploy production", "operation": "deploy"}
