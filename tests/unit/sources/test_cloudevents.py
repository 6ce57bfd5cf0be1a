from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from hookengine.errors import InvalidEvent
from hookengine.sources import cdevents
from hookengine.sources.cloudevents import BATCH, STRUCTURED, NotACloudEvent, UnknownFormat, opened
from hookengine.sources.report import Heard, Report
from tests.unit.sources.conftest import Case, body_named, cases_of, changed, mistakes

STARTED = body_named("cloudevents", "a pipeline run that was started, with its commit as custom data")
FAILED = body_named("cloudevents", "a pipeline run that failed, as the examples of the drafts have it")
TASK = body_named("cloudevents", "a task of a pipeline run that failed")
SERVICE = body_named("cloudevents", "a service that was deployed")
BINARY = {
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "/s",
    "ce-type": "com.example",
    "content-type": "application/json; charset=utf-8",
}


def structured(event: Any) -> list[Any]:
    return list(opened(json.dumps(event).encode(), {"content-type": STRUCTURED}))


def hear(event: Any) -> Heard:
    (found,) = structured(event)
    return cdevents.hear(found)


def heard(event: Any) -> Report:
    (report,) = hear(event).reports
    return report


# CDEvents


@pytest.mark.parametrize("case", cases_of("cloudevents"), ids=str)
def test_what_cdevents_documents_comes_to_our_events(case: Case) -> None:
    case.check("cloudevents", hear(case.body))


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        ("success", "action.completed"),
        ("failure", "action.failed"),
        ("error", "action.failed"),
        ("cancel", "action.cancelled"),
        ("canceled", "action.cancelled"),
    ],
)
def test_every_outcome_is_an_end_of_our_lifecycle(outcome: str, kind: str) -> None:
    assert heard(changed(FAILED, "data.subject.content.outcome", outcome)).type == kind


@pytest.mark.parametrize("outcome", [..., None, "", "SUCCESS", "maybe", 5, {}])
def test_an_end_without_a_known_outcome_is_refused_rather_than_guessed(outcome: Any) -> None:
    broken = changed(FAILED, "data.subject.content.outcome", outcome)

    assert mistakes(hear, broken) == ["data.subject.content.outcome"]


def test_all_that_is_told_of_a_run_is_one_action_and_another_source_has_others() -> None:
    elsewhere = changed(changed(FAILED, "source", "/other"), "data.context", ...)

    assert heard(STARTED).run == heard(FAILED).run != heard(elsewhere).run


def test_a_task_is_told_at_the_action_of_its_run_and_ends_nothing_there() -> None:
    assert heard(TASK).run == heard(STARTED).run
    assert heard(TASK).type == "task.failed"


def test_the_same_id_of_the_same_source_is_the_same_event() -> None:
    bare = changed(STARTED, "data.context", ...)

    assert heard(bare).key == heard(STARTED).key
    assert (
        len({heard(changed(bare, name, "/other")).key for name in ("id", "source")} | {heard(bare).key}) == 3
    )


@pytest.mark.parametrize("name", ["id", "source", "type"])
def test_an_event_that_says_otherwise_than_its_envelope_is_refused(name: str) -> None:
    assert mistakes(hear, changed(STARTED, f"data.context.{name}", "other")) == [f"data.context.{name}"]


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (STARTED, "data.subject.id"),
        (TASK, "data.subject.id"),
        (SERVICE, "data.subject.content.environment.id"),
    ],
)
def test_a_field_that_is_missing_or_wrong_is_named(event: Any, field: str, hostile: Any) -> None:
    assert mistakes(hear, changed(event, field, ...)) == [field]
    assert mistakes(hear, changed(event, field, hostile)) == ([] if hostile == "x" else [field])


@pytest.mark.parametrize("data", [..., None, 5, "text", [], {}, {"subject": []}, {"subject": {"content": 5}}])
def test_data_that_is_no_cdevent_is_refused(data: Any) -> None:
    assert mistakes(hear, changed(STARTED, "data", data)) == ["data.subject.id"]


@pytest.mark.parametrize(
    "kind",
    [
        "dev.cdevents.pipelinerun.paused.0.3.0",
        "dev.cdevents.pipelinerun.started.1.0.0",
        "dev.cdevents.pipelinerun.started",
        "dev.cdevents.service.exploded.0.3.0",
        "xdev.cdevents.pipelinerun.started.0.3.0",
    ],
)
def test_types_that_nobody_knows_come_to_nothing(kind: str) -> None:
    assert hear(changed(changed(STARTED, "type", kind), "data.context", ...)).reports == ()


# CloudEvents


@pytest.mark.parametrize("field", ["specversion", "id", "source", "type"])
def test_an_attribute_that_is_missing_or_wrong_is_named(field: str, hostile: Any) -> None:
    for broken in (changed(STARTED, field, ...), changed(STARTED, field, hostile)):
        if hostile == "x" and field != "specversion" and field in broken:
            continue
        assert mistakes(structured, broken) == [field]


@pytest.mark.parametrize("version", ["0.3", "2.0", "1", "1.0.2", 1.0])
def test_another_version_of_the_specification_is_refused(version: Any) -> None:
    assert mistakes(structured, changed(STARTED, "specversion", version)) == ["specversion"]


@pytest.mark.parametrize("body", [[], 5, None, "text"])
def test_a_structured_event_is_an_object(body: Any) -> None:
    with pytest.raises(NotACloudEvent):
        structured(body)


def test_binary_mode_has_its_attributes_in_headers_and_is_otherwise_the_same() -> None:
    attributes = {f"ce-{name}": value for name, value in STARTED.items() if name != "data"}
    body = json.dumps(STARTED["data"]).encode()

    (event,) = opened(body, {**attributes, "content-type": "application/json"})

    assert cdevents.hear(event) == hear(STARTED)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ('"a \\"b\\" c"', 'a "b" c'),
        ("%e2%82%ac", "€"),
        ("%41", "A"),
    ],
)
def test_values_of_headers_are_unescaped(sent: str, meant: str) -> None:
    (event,) = opened(b"", {**BINARY, "ce-subject": sent})

    assert event["subject"] == meant


@pytest.mark.parametrize("sent", ["%C0%A0", "%ff", "%E2%82"])
def test_a_value_that_is_no_utf8_is_refused(sent: str) -> None:
    with pytest.raises(NotACloudEvent) as refused:
        opened(b"", {**BINARY, "ce-subject": sent})

    assert list(refused.value.errors) == ["ce-subject"]


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/vnd.acme+json", "application/json;charset=utf-8", ""]
)
def test_binary_data_is_json(content_type: str) -> None:
    (event,) = opened(b'{"a": 1}', {**BINARY, "content-type": content_type})

    assert event["data"] == {"a": 1}


@pytest.mark.parametrize(
    "content_type",
    ["text/xml", "application/x-www-form-urlencoded", "application/cloudevents+avro", "application/cloudevents",
     "application/cloudevents-batch+protobuf", "application/jsonx"],
)  # fmt: skip
def test_another_format_is_not_taken(content_type: str) -> None:
    with pytest.raises(UnknownFormat):
        opened(b"<a/>", {**BINARY, "content-type": content_type})


def test_what_has_neither_the_type_nor_the_headers_is_no_cloudevent() -> None:
    with pytest.raises(NotACloudEvent, match="no CloudEvent"):
        opened(json.dumps(STARTED).encode(), {"content-type": "application/json"})


def test_a_batch_is_a_list_of_structured_events_which_may_be_empty() -> None:
    def batch(events: Any) -> list[Any]:
        return list(opened(json.dumps(events).encode(), {"content-type": f"{BATCH}; charset=utf-8"}))

    assert batch([]) == []
    assert batch([STARTED, FAILED]) == [STARTED, FAILED]
    assert mistakes(batch, {}) == ["body"]  # type: ignore[arg-type]
    assert mistakes(batch, [STARTED, 5, {**FAILED, "id": ""}]) == ["[1].event", "[2].id"]  # type: ignore[arg-type]


def test_data_may_come_as_base64() -> None:
    data = base64.b64encode(json.dumps(STARTED["data"]).encode()).decode()
    event = {**changed(STARTED, "data", ...), "datacontenttype": "application/json", "data_base64": data}

    assert hear(event) == hear(STARTED)
    assert mistakes(structured, {**event, "data": {}}) == ["data_base64"]
    assert mistakes(structured, {**event, "data_base64": "?"}) == ["data_base64"]
    assert mistakes(structured, {**event, "data_base64": 5}) == ["data_base64"]
    assert mistakes(structured, {**event, "data_base64": "ew=="}) == ["body"]
    assert structured({**event, "datacontenttype": "text/xml"})[0]["data"] is None


def test_an_invalid_cloudevent_is_an_invalid_event_too() -> None:
    assert issubclass(NotACloudEvent, InvalidEvent)
