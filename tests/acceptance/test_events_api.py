from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acceptance.configs import event
from tests.acceptance.server import Server

COUNT = "SELECT count(*) FROM event"


def test_an_accepted_event_is_answered_with_the_hooks_it_matched(api: Server) -> None:
    answer = api.post("/api/events", event("started", 1, id="matched"))

    body = answer.json()
    assert answer.status_code == 202
    assert body["id"] == "matched"
    assert body["action"] == {"id": 1, "pipeline": {"id": 1, "name": "shop-deploy"}}
    assert sorted(hook["name"] for hook in body["hooks"]) == ["started", "started or failed"]
    assert all(api.delivery(hook["delivery"])["event"]["id"] == "matched" for hook in body["hooks"])


def test_an_event_no_hook_wants_is_accepted_too(api: Server) -> None:
    answer = api.post("/api/events", event("cancelled", 2))

    assert answer.status_code == 202
    assert answer.json()["hooks"] == []
    assert answer.json()["id"].startswith("evt_")


def test_a_list_is_answered_with_a_list(api: Server) -> None:
    events = [
        event("failed", 3, id="first"),
        event("completed", 3, id="second", action={"pipeline": "shop-deploy"}),
    ]

    answer = api.post("/api/events", events)

    assert answer.status_code == 202
    assert [(told["id"], len(told["hooks"])) for told in answer.json()] == [("first", 1), ("second", 0)]


def test_the_same_event_again_is_answered_the_same_and_owes_nothing_more(api: Server) -> None:
    first = api.post("/api/events", event("started", 4, id="again"))
    deliveries = api.rows("SELECT count(*) FROM delivery WHERE event_id = '1:again'")

    second = api.post("/api/events", event("started", 4, id="again"))
    both = api.post("/api/events", [event("started", 4, id="again")] * 2)

    assert second.status_code == 202
    assert second.json() == first.json()
    assert both.json() == [first.json()] * 2
    assert api.rows("SELECT count(*) FROM delivery WHERE event_id = '1:again'") == deliveries == [(2,)]


def test_a_known_id_with_another_body_is_a_conflict(api: Server) -> None:
    api.post("/api/events", event("started", 5, id="taken"))

    answer = api.post("/api/events", event("started", 5, id="taken", action={"branch": "main"}))

    assert answer.status_code == 409
    assert "'taken'" in answer.json()["message"]


def test_a_conflict_in_a_list_refuses_all_of_it(api: Server) -> None:
    api.post("/api/events", event("started", 6, id="taken-before"))
    before = api.rows(COUNT)

    answer = api.post("/api/events", [event("started", 7), event("failed", 6, id="taken-before")])

    assert answer.status_code == 409
    assert api.rows(COUNT) == before


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"action": {"id": 1, "pipeline": 1}}, "type"),
        (event("status_changed", 1), "type"),
        (event("started", 1, id="with blanks"), "id"),
        (event("started", 1, occurred_at="yesterday"), "occurred_at"),
        (event("started", 1, action={"id": None}), "action.id"),
        (event("started", 1, action={"number": -1}), "action.number"),
        (event("started", 1, action={"pipeline": "shop-deplo"}), "action.pipeline"),
        (event("started", 1, application={"access_token": ["not", "text"]}), "application.access_token"),
        (event("started", 1, secrets={}), "secrets"),
        ({"type": "action.started", "action": 7}, "action"),
        ("no object", "event"),
        (event("started", 1, deep=json.loads('{"a":' * 60 + "1" + "}" * 60)), "event"),
    ],
)
def test_a_wrong_event_is_refused_with_its_field(api: Server, document: Any, field: str) -> None:
    alone = api.post("/api/events", document)
    second_of_two = api.post("/api/events", [event("started", 8), document])

    assert (alone.status_code, second_of_two.status_code) == (422, 422)
    assert list(alone.json()["errors"]) == [field]
    assert list(second_of_two.json()["errors"]) == [f"[1].{field}"]


def test_a_wrong_event_in_a_list_refuses_all_of_it(api: Server) -> None:
    before = api.rows(COUNT)

    answer = api.post(
        "/api/events", [event("started", 9), {}, event("started", 10, action={"pipeline": 404})]
    )

    assert answer.status_code == 422
    assert {field.partition(".")[0] for field in answer.json()["errors"]} == {"[1]"}
    assert api.rows(COUNT) == before


def test_a_pipeline_nobody_knows_is_told_with_what_was_likely_meant(api: Server) -> None:
    answer = api.post("/api/events", event("started", 1, action={"pipeline": "shop-deplo"}))

    (message,) = answer.json()["errors"]["action.pipeline"]
    assert "Did you mean 'shop-deploy'?" in message


@pytest.mark.parametrize("count", [0, 1001])
def test_too_many_events_and_none_are_refused(api: Server, count: int) -> None:
    before = api.rows(COUNT)

    answer = api.post("/api/events", [{"type": "a.b", "action": {"id": 1, "pipeline": 1}}] * count)

    assert answer.status_code == 422
    assert f"not {count}" in answer.json()["errors"]["events"][0]
    assert api.rows(COUNT) == before


def test_a_thousand_events_are_accepted_at_once(api: Server) -> None:
    events = [{"type": "a.b", "action": {"id": 11, "pipeline": 1}} for _ in range(1000)]

    answer = api.post("/api/events", events)

    assert answer.status_code == 202
    assert len({told["id"] for told in answer.json()}) == 1000


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic bGV0"}])
def test_nobody_comes_in_without_a_token(api: Server, headers: dict[str, str]) -> None:
    before = api.rows(COUNT)

    answers = [
        api.post("/api/events", event("started", 1), headers=headers),
        api.get("/api/deliveries", headers=headers),
        api.get("/nowhere", headers=headers),
    ]

    assert [answer.status_code for answer in answers] == [401] * 3
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}
    assert api.rows(COUNT) == before


def test_whether_it_runs_is_told_without_a_token(api: Server) -> None:
    answers = [api.get(path, headers={}) for path in ("/healthz", "/readyz")]

    assert [answer.status_code for answer in answers] == [200, 200]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused(api: Server, chunked: bool) -> None:
    large = b'{"type": "' + b"a" * 65536 + b'"}'

    answer = api.request("POST", "/api/events", content=iter([large]) if chunked else large)

    assert answer.status_code == 413
    assert "65536" in answer.json()["message"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"{'type': 1}", b'{"a": 1,}', b"\xff\xfe", b"[" * 30_000, b'{"a": NaN}', b'"\\ud800"']
)
def test_a_body_that_is_not_json_is_refused(api: Server, body: bytes) -> None:
    answer = api.request("POST", "/api/events", content=body)

    assert answer.status_code == 400
    assert answer.json()["message"].startswith("The body is not JSON")


def test_an_event_that_cannot_be_rendered_is_accepted_and_its_delivery_says_why(api: Server) -> None:
    nowhere = {"type": "action.queued", "action": {"id": 12, "pipeline": 1}}

    answer = api.post("/api/events", nowhere)

    (hook,) = answer.json()["hooks"]
    delivery = api.delivery(hook["delivery"])
    assert answer.status_code == 202
    assert (delivery["status"], delivery["lane"], delivery["attempts"]) == ("failed", None, [])
    assert delivery["because"] == hook["problem"]
    for word in ("line 1", "column 27", "action.triggered_from"):
        assert word in delivery["because"]


def test_deliveries_are_listed_newest_first_page_by_page(api: Server) -> None:
    for number in (13, 14, 15):
        api.post("/api/events", event("failed", number, id=f"listed{number}"))

    first = api.get("/api/deliveries", params={"limit": 2}).json()
    second = api.get("/api/deliveries", params={"limit": 2, "before": first["next"]}).json()
    one = api.get("/api/deliveries", params={"event": "listed13"}).json()

    listed = [item["event"]["id"] for item in (*first["items"], *second["items"])]
    assert listed[:3] == ["listed15", "listed14", "listed13"]
    assert [item["event"]["id"] for item in one["items"]] == ["listed13"]
    assert one["next"] is None


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("/api/deliveries/dlv_none", 404, None),
        ("/nowhere", 404, None),
        ("/api/deliveries?limit=0", 422, "limit"),
        ("/api/deliveries?status=lost", 422, "status"),
        ("/hooks/any/trigger", 405, None),
    ],
)
def test_every_refusal_has_a_message_and_errors_by_field(
    api: Server, path: str, status: int, field: str | None
) -> None:
    answer = api.get(path)

    assert answer.status_code == status
    assert answer.json()["message"]
    assert list(answer.json().get("errors", {})) == ([field] if field else [])
