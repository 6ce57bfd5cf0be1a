"""What the command line makes of answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hookengine.cli.client import Answer, Client
from hookengine.cli.failing import AnswerIsNo, Failure, NotAuthorised, Unreachable


class Canned:
    """A place that always answers the same."""

    name = server = "http://hookengine.example:8730"

    def __init__(self, status: int, document: Any = None, *, text: str | None = None) -> None:
        self._answer = Answer(status, (json.dumps(document) if text is None else text).encode())
        self.asked: list[tuple[str, str, bytes | None]] = []

    def ask(self, method: str, path: str, body: bytes | None) -> Answer:
        self.asked.append((method, path, body))
        return self._answer

    def unreachable(self, reason: str) -> Unreachable:
        return Unreachable(reason)


@pytest.mark.parametrize(
    ("place", "failure", "exit_code"),
    [
        (Canned(401, {"message": "m"}), NotAuthorised, 4),
        (Canned(403, {"message": "m"}), NotAuthorised, 4),
        (Canned(404, {"message": "m"}), AnswerIsNo, 1),
        (Canned(409, {"message": "m"}), AnswerIsNo, 1),
        (Canned(422, {"message": "m"}), AnswerIsNo, 1),
        (Canned(503, {"message": "m"}), Unreachable, 3),
        (Canned(502, text="<html>"), Unreachable, 3),
        (Canned(200, text="<html>"), Unreachable, 3),
        (Canned(302, text=""), Unreachable, 3),
        (Canned(404, ["not ours"]), Unreachable, 3),
    ],
)
def test_every_answer_that_is_no_success_has_its_exit_code(
    place: Canned, failure: type[Failure], exit_code: int
) -> None:
    with pytest.raises(failure) as raised:
        Client(place).get("/api/deliveries")
    assert raised.value.exit_code == exit_code


def test_an_answer_without_content_is_none() -> None:
    assert Client(Canned(204, text="")).send("DELETE", "/api/tokens/{}", identity="x") == (204, None)


def test_an_id_stays_one_step_of_the_path() -> None:
    place = Canned(200, {})

    Client(place).get("/api/deliveries/{}", {"limit": 1}, identity="../a?b/c")

    assert place.asked == [("GET", "/api/deliveries/..%2Fa%3Fb%2Fc?limit=1", None)]


def test_what_is_not_asked_for_is_not_sent_and_what_is_asked_twice_is() -> None:
    place = Canned(200, {})

    Client(place).get("/api/deliveries", {"status": None, "code": ("5xx", "none"), "q": "a&b"})

    assert place.asked == [("GET", "/api/deliveries?code=5xx&code=none&q=a%26b", None)]


def test_what_is_wrong_with_each_field_is_a_line() -> None:
    wrong = {"message": "Wrong.", "errors": {"type": ["a", "b"], "id": ["c"]}}

    with pytest.raises(AnswerIsNo) as raised:
        Client(Canned(422, wrong)).post("/api/events", b"{}")
    assert raised.value.lines == ["Wrong.", "  type: a", "  type: b", "  id: c"]


def test_a_list_is_read_to_its_last_page() -> None:
    class Pages(Canned):
        def ask(self, method: str, path: str, body: bytes | None) -> Answer:
            super().ask(method, path, body)
            last = "after=two" in path
            return Answer(
                200, json.dumps({"items": [{"id": path}], "next": None if last else "two"}).encode()
            )

    assert [item["id"] for item in Client(Pages(200)).all("/api/hooks")] == [
        "/api/hooks?limit=500",
        "/api/hooks?limit=500&after=two",
    ]
