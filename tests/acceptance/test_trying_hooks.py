"""Previews and test sends over HTTP: the first send nothing, the second one request beside all lanes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.acceptance.configs import API_TOKEN, TOKEN, a_config, a_hook, event, sha_of, write_config
from tests.acceptance.server import Server


class Target(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.received: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answering(BaseHTTPRequestHandler):
    server: Target

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append((self.path, headers, body))
        self.send_response(503 if "broken" in self.path else 201)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments: Any) -> None: ...


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    target = Target()
    thread = threading.Thread(target=target.serve_forever)
    thread.start()
    yield target
    target.shutdown()
    thread.join()
    target.server_close()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, target: Target) -> Iterator[Server]:
    commit = "{{ action.triggered_from.hook_parsed_variables.commit_hash }}"
    config = a_config(
        a_hook(
            f"{target.url}/{commit}",
            "action.failed",
            id="tells-failures",
            name="tells failures",
            body={"state": "{{ action.status }}", "app": "{{ application.name }}"},
            headers={"Authorization": "Bearer {{ secrets.host }}"},
            trigger_when={"conditions": [{"path": "application.name", "accepted_values": ["shop"]}]},
        ),
        a_hook(f"{target.url}/broken", "action.cancelled", id="broken", name="broken"),
        pipeline={"context": {"application": {"name": "shop"}}},
        auth={"enabled": True, "tokens": {"platform": {"env": "TOKEN_OF_PLATFORM"}}},
    )
    folder = tmp_path_factory.mktemp("trials")
    write_config(folder, config)
    server = Server(folder, {"TOKEN_OF_PLATFORM": API_TOKEN})
    server.start()
    yield server
    server.close()


def ask(engine: Server, path: str, document: Any = None) -> dict[str, Any]:
    answer = engine.request("POST", path, **({} if document is None else {"json": document}))
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_preview_shows_what_a_sample_would_send_and_no_secret(engine: Server, target: Target) -> None:
    before = len(target.received)

    shown = ask(engine, "/api/hooks/tells-failures/preview")

    assert shown["matches"]
    assert shown["request"]["headers"][0] == {"name": "Authorization", "value": "Bearer <secrets.host>"}
    assert json.loads(shown["request"]["body"]) == {"state": "failed", "app": "shop"}
    assert len(target.received) == before


def test_a_preview_of_a_given_event_says_why_the_hook_does_not_match(engine: Server) -> None:
    document = event("failed", 7, application={"name": "blog"})

    refused = ask(engine, "/api/hooks/tells-failures/preview", {"event": document})
    forced = ask(engine, "/api/hooks/tells-failures/preview", {"event": document, "ignore_conditions": True})

    assert (refused["matches"], refused["request"]) == (False, None)
    assert refused["why_not"] == "application.name must be one of shop, but is blog"
    assert forced["request"]["url"].endswith(sha_of(7))


def test_a_preview_of_an_event_that_was_sent_sees_what_was_known_then(engine: Server) -> None:
    started = {**event("started", 8), "id": "evt-8-1"}
    failed = {
        "id": "evt-8-2",
        "type": "action.failed",
        "action": {"id": 8, "pipeline": 1},
    }  # which commit it is, the first one has told
    engine.accept(started, failed)

    shown = ask(engine, "/api/hooks/tells-failures/preview", {"event_id": "evt-8-2"})

    assert shown["request"]["url"].endswith(sha_of(8))


def test_a_preview_names_what_a_template_is_missing(engine: Server) -> None:
    wished = {
        "pipeline": 1,
        "name": "wished for",
        "target_url": "https://target.example/",
        "settings": {"request_body": {"a": "{{ application.nmae }}"}},
        "trigger_when": {"events": ["action.failed"]},
    }

    shown = ask(engine, "/api/hooks/preview", {"hook": wished, "sample": "action.failed"})

    assert shown["request"] is None
    assert shown["error"]["field"] == "settings.request_body.a"
    assert "name" in shown["error"]["hint"] + shown["error"]["message"]
    assert "wished for" not in engine.get("/api/hooks").text


def test_a_test_sends_one_request_and_leaves_no_delivery(engine: Server, target: Target) -> None:
    before, rows = len(target.received), engine.rows("SELECT count(*) FROM delivery")

    told = ask(engine, "/api/hooks/tells-failures/test", {"event": event("failed", 9)})

    ((path, headers, body),) = target.received[before:]
    assert path == f"/{sha_of(9)}"
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["webhook-id"] == told["sent"]["id"]
    assert json.loads(body) == {"state": "failed", "app": "shop"}
    assert (told["sent"]["outcome"], told["sent"]["detail"]["status"]) == ("answered", 201)
    assert TOKEN not in json.dumps(told)
    assert engine.rows("SELECT count(*) FROM delivery") == rows


def test_a_test_is_not_tried_again(engine: Server, target: Target) -> None:
    before = len(target.received)

    told = ask(engine, "/api/hooks/broken/test")

    assert (told["sent"]["because"], len(target.received) - before) == ("503", 1)


def test_nothing_is_sent_for_an_event_that_the_hook_does_not_want(engine: Server, target: Target) -> None:
    before = len(target.received)

    told = ask(engine, "/api/hooks/tells-failures/test", {"sample": "action.started"})

    assert told["sent"] is None
    assert told["why_not"] == "it wants action.failed, not action.started"
    assert len(target.received) == before


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"event": {"type": "action.failed"}}, "action"),
        ({"event": event("failed", 1), "sample": "action.failed"}, "sample"),
        ({"sample": 7}, "sample"),
        ({"sample": "nothing"}, "type"),
        ({"ignore_conditions": "yes"}, "ignore_conditions"),
        ({"evnet": {}}, "evnet"),
    ],
)
def test_what_is_wrong_with_a_trial_is_told_by_field(
    engine: Server, document: dict[str, Any], field: str
) -> None:
    for path in ("preview", "test"):
        answer = engine.post(f"/api/hooks/tells-failures/{path}", document)

        assert answer.status_code == 422
        assert field in answer.json()["errors"]


def test_an_event_that_nobody_sent_is_not_found(engine: Server) -> None:
    answer = engine.post("/api/hooks/tells-failures/preview", {"event_id": "evt-nobody"})

    assert answer.status_code == 404
