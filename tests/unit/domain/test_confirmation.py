from __future__ import annotations

import pytest

from hookengine.domain.confirmation import Reading, Unreadable
from hookengine.domain.request import Confirming, RenderedRequest, SecretRef
from tests.conftest import make_request

LIST = '[{"name":"other","status":"failed"},{"name":"ci","status":"success"},{"name":"ci","status":"failed"}]'


def reading(**changes: object) -> Reading:
    values = {"entries": "", "match": (("name", "ci"),), "state": "status", "expected": "success"}
    return Reading(**{**values, **changes})  # type: ignore[arg-type]


def test_the_first_entry_that_matches_tells_the_state() -> None:
    assert reading().shown_in(LIST) == "success"
    assert reading(entries="a.values").shown_in(f'{{"a":{{"values":{LIST}}}}}') == "success"


def test_an_answer_that_is_no_list_is_the_only_entry() -> None:
    assert reading(match=()).shown_in('{"status":"failed"}') == "failed"
    assert reading().shown_in('{"name":"ci","status":"failed"}') == "failed"


def test_what_must_stand_there_may_be_deeper_and_of_another_type() -> None:
    two = reading(match=(("context.name", "ci"), ("id", "7")))

    assert (
        two.shown_in('[{"context":{"name":"ci"},"id":8},{"context":{"name":"ci"},"id":7,"status":"x"}]')
        == "x"
    )


@pytest.mark.parametrize(
    "body", ["[]", '[{"name":"other","status":"success"}]', '[{"name":"ci"}]', '["ci"]', "7"]
)
def test_nothing_may_be_shown(body: str) -> None:
    assert reading().shown_in(body) is None


@pytest.mark.parametrize(
    ("body", "said"), [("<html>", "no JSON"), ('[{"name"', "no JSON"), ("{}", "no values")]
)
def test_an_answer_that_cannot_be_it_is_no_finding(body: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        reading(entries="values").shown_in(body)


def test_a_request_comes_back_with_what_it_is_confirmed_by() -> None:
    asks = make_request(
        method="GET", url="https://target.example/x", body=None, headers=(("a", (SecretRef("secrets.x"),)),)
    )
    request = make_request(confirming=Confirming(request=asks, reading=reading()))

    assert RenderedRequest.from_json(request.to_json()) == request
