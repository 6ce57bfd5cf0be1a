from __future__ import annotations

import json
from typing import Any

import pytest

from hookengine.sources import sei
from hookengine.sources.report import Heard, Report
from tests.unit.sources.conftest import Case, body_named, cases_of, changed, mistakes

RUN = body_named("sei", "the first example of the page")
WRAPPED = body_named("sei", "wrapped as the specification says")


def hear(body: dict[str, Any]) -> Heard:
    return sei.hear(sei.unwrapped(body))


def heard(body: dict[str, Any]) -> Report:
    (report,) = hear(body).reports
    return report


@pytest.mark.parametrize("case", cases_of("sei"), ids=str)
def test_what_sei_documents_comes_to_our_events(case: Case) -> None:
    case.check("sei", hear(case.body))


def test_flat_or_wrapped_or_twice_it_is_the_same_report() -> None:
    flat = WRAPPED["payload"]
    ways = [flat, WRAPPED, {"data": WRAPPED}, {"Data": json.dumps(WRAPPED)}, {"data": json.dumps(flat)}]

    assert len({heard(way).key for way in ways}) == 1


def test_all_that_is_told_of_one_execution_is_one_action() -> None:
    corrected = heard(changed(RUN, "result", "FAILURE"))

    assert heard(RUN).run == corrected.run
    assert heard(RUN).key != corrected.key
    assert heard(changed(RUN, "build_number", 5)).run != corrected.run
    assert heard(changed(RUN, "build_number", ...)).run == ""


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        ("SUCCESS", "action.completed"),
        ("success", "action.completed"),
        ("FAILURE", "action.failed"),
        ("FAILED", "action.failed"),
        ("failed", "action.failed"),
        ("UNSTABLE", "action.failed"),
        ("ABORTED", "action.cancelled"),
    ],
)
def test_results_are_understood_in_any_case(result: str, kind: str) -> None:
    assert heard(changed(RUN, "result", result)).type == kind


@pytest.mark.parametrize(
    ("ci", "cd", "action_type"),
    [(True, False, "build"), (False, True, "deploy"), (False, False, ""), (None, None, "")],
)
def test_what_a_run_was_for_is_its_type_of_action(ci: Any, cd: Any, action_type: str) -> None:
    assert heard(changed(changed(RUN, "ci", ci), "cd", cd)).action_type == action_type


@pytest.mark.parametrize(
    "field", ["pipeline", "job_full_name", "instance_guid", "start_time", "duration", "result"]
)
def test_what_is_required_is_named_when_it_is_missing_or_wrong(field: str, hostile: Any) -> None:
    fits = {"pipeline": ["x"], "job_full_name": ["x"], "start_time": [5], "duration": [5]}.get(field, [])
    wrong = [] if any(type(hostile) is type(fit) and hostile == fit for fit in fits) else [field]

    assert mistakes(hear, changed(RUN, field, ...)) == [field]
    assert mistakes(hear, changed(RUN, field, hostile)) == wrong


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("build_number", -1),
        ("build_number", "7"),
        ("scm_commit_ids", "abc"),
        ("scm_commit_ids", [5]),
        ("scm_commit_ids", ["a"] * 101),
        ("module_name", []),
        ("module_name", True),
        ("ci", "true"),
        ("themes", {}),
        ("job_run_params", {"a": 1}),
        ("duration", 2**53 - 1),
        ("instance_guid", "not-a-guid"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_with_its_field(field: str, value: Any) -> None:
    assert mistakes(hear, changed(RUN, field, value)) == [field]


@pytest.mark.parametrize("wrapped", [5, [], True, None, {"payload": 5}, {"payload": {"payload": []}}])
def test_a_wrapper_holds_an_object(wrapped: Any) -> None:
    assert mistakes(hear, {"payload": wrapped}) == ["payload"]


def test_a_wrapped_text_must_be_json() -> None:
    assert mistakes(hear, {"data": "{"}) == ["body"]
    assert mistakes(hear, {"data": "[" * 3000}) == ["body"]


def test_parameters_without_a_name_or_a_plain_value_are_left_out() -> None:
    odd = [
        5,
        None,
        {"value": 1},
        {"name": 7, "value": 1},
        {"name": "a", "value": {}},
        {"name": "b", "value": 2},
    ]

    assert heard(changed(RUN, "job_run_params", odd)).variables == {"b": 2}


def test_who_asks_for_an_instance_is_always_answered_the_same() -> None:
    asked = {"integration_id": "1", "name": "Jenkins-1", "type": "jenkins"}

    first, again = sei.registered(asked), sei.registered(dict(reversed(asked.items())))

    assert first is not None
    assert first == again
    assert sei.guid(first["instance_guid"]) == first["id"]
    assert sei.registered({**asked, "name": "Jenkins-2"}) != first
    assert sei.registered(RUN) is None


def test_what_is_missing_when_somebody_asks_for_an_instance_is_named() -> None:
    assert mistakes(sei.registered, {"integration_id": [], "name": 5}) == ["integration_id", "name", "type"]  # type: ignore[arg-type]
