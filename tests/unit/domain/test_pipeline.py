from __future__ import annotations

import pytest

from hookengine.domain.hook import Condition
from hookengine.domain.pipeline import IncomingHook, Variable, VariableType
from hookengine.errors import InvalidEvent
from tests.conftest import make_pipeline

STRING, INTEGER, BOOLEAN, ARRAY = VariableType


@pytest.mark.parametrize(
    ("wanted", "value", "parsed"),
    [
        (STRING, "text", "text"),
        (STRING, 7, "7"),
        (STRING, True, "true"),
        (STRING, 1.5, "1.5"),
        (INTEGER, 7, 7),
        (INTEGER, "-7", -7),
        (BOOLEAN, False, False),
        (BOOLEAN, "true", True),
        (BOOLEAN, "false", False),
        (ARRAY, [1, "a"], [1, "a"]),
    ],
)
def test_a_variable_takes_a_value_of_its_type(wanted: VariableType, value: object, parsed: object) -> None:
    found = Variable(name="v", path="a.v", type=wanted).parse({"a": {"v": value}})

    assert found == parsed
    assert type(found) is type(parsed)


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        (STRING, []),
        (STRING, {}),
        (INTEGER, True),
        (INTEGER, 1.0),
        (INTEGER, "1.0"),
        (INTEGER, ""),
        (INTEGER, "9" * 19),
        (INTEGER, "٣"),
        (BOOLEAN, 1),
        (BOOLEAN, "True"),
        (ARRAY, "a,b"),
        (ARRAY, {}),
    ],
)
def test_a_variable_refuses_a_value_of_another_type(wanted: VariableType, value: object) -> None:
    with pytest.raises(ValueError, match=f"^v: the value at v must be of type {wanted}.$"):
        Variable(name="v", path="v", type=wanted).parse({"v": value})


@pytest.mark.parametrize("body", [{}, {"v": None}, [], None])
def test_where_nothing_is_the_default_counts(body: object) -> None:
    assert Variable(name="v", path="v", default="x").parse(body) == "x"
    assert Variable(name="v", path="v", required=True, default="x").parse(body) == "x"
    assert Variable(name="v", path="v").parse(body) is None
    with pytest.raises(ValueError, match="nothing at v"):
        Variable(name="v", path="v", required=True).parse(body)


def _incoming(*variables: Variable, conditions: tuple[Condition, ...] = ()) -> IncomingHook:
    return IncomingHook(id="inc_1", name="push", pipeline_id=1, variables=variables, conditions=conditions)


def test_an_incoming_hook_takes_its_variables_and_leaves_out_what_is_not_there() -> None:
    hook = _incoming(
        Variable(name="sha", path="after"),
        Variable(name="count", path="size", type=INTEGER, default=0),
        Variable(name="branch", path="ref"),
    )

    assert hook.parse({"after": "abc"}) == {"sha": "abc", "count": 0}


def test_an_incoming_hook_tells_all_that_is_wrong_by_path() -> None:
    hook = _incoming(
        Variable(name="sha", path="after", required=True),
        Variable(name="size", path="size", type=INTEGER),
        Variable(name="again", path="size", type=BOOLEAN),
        Variable(name="fine", path="fine"),
    )

    with pytest.raises(InvalidEvent) as caught:
        hook.parse({"size": "many"})

    assert caught.value.errors == {
        "after": ["sha: the request body has nothing at after."],
        "size": [
            "size: the value at size must be of type integer.",
            "again: the value at size must be of type boolean.",
        ],
    }


def test_an_incoming_hook_tells_its_first_condition_that_fails() -> None:
    main, push = (
        Condition(path="ref", accepted_values=("main",)),
        Condition(path="kind", accepted_values=("push",)),
    )
    hook = _incoming(conditions=(main, push))

    assert hook.first_failing({"ref": "main", "kind": "tag"}) is push
    assert hook.first_failing({"ref": "main", "kind": "push"}) is None


def test_templates_see_a_pipeline_without_its_context() -> None:
    pipeline = make_pipeline(id=4, name="web", context={"token": "x"})

    assert pipeline.facts() == {"id": 4, "name": "web", "operation": "deploy"}


def test_templates_see_whose_a_pipeline_is_if_somebody_said_it() -> None:
    pipeline = make_pipeline(id=4, name="web", team="red", environment="production")

    assert pipeline.facts() == {
        "id": 4,
        "name": "web",
        "operation": "deploy",
        "team": "red",
        "environment": "production",
    }
