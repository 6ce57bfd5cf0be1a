"""What the command line makes of answers, and of none."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from hookengine.cli.client import Client
from hookengine.cli.failing import AnswerIsNo, Failure, Misused, NotAuthorised, Unreachable

SERVER = "http://hookengine.example:8730"


@pytest.mark.parametrize(
    ("answer", "failure", "exit_code"),
    [
        ({"status_code": 401, "json": {"message": "m"}}, NotAuthorised, 4),
        ({"status_code": 403, "json": {"message": "m"}}, NotAuthorised, 4),
        ({"status_code": 404, "json": {"message": "m"}}, AnswerIsNo, 1),
        ({"status_code": 409, "json": {"message": "m"}}, AnswerIsNo, 1),
        ({"status_code": 422, "json": {"message": "m"}}, AnswerIsNo, 1),
        ({"status_code": 503, "json": {"message": "m"}}, Unreachable, 3),
        ({"status_code": 502, "text": "<html>"}, Unreachable, 3),
        ({"status_code": 200, "text": "<html>"}, Unreachable, 3),
        ({"status_code": 302, "headers": {"location": "/"}}, Unreachable, 3),
        ({"status_code": 404, "json": ["not ours"]}, Unreachable, 3),
    ],
)
def test_every_answer_that_is_no_success_has_its_exit_code(
    answer: dict[str, Any], failure: type[Failure], exit_code: int, httpx_mock: Any
) -> None:
    httpx_mock.add_response(**answer)

    with pytest.raises(failure) as raised:
        Client(SERVER).get("/api/deliveries")
    assert raised.value.exit_code == exit_code


def test_no_server_is_told_with_what_to_do(httpx_mock: Any) -> None:
    httpx_mock.add_exception(httpx.ConnectError("[Errno 111] Connection refused"))

    with pytest.raises(Unreachable) as raised:
        Client(SERVER).get("/")
    assert raised.value.lines[0] == f"no hookengine at {SERVER}: Connection refused"
    assert "hookengine serve" in raised.value.lines[1]


@pytest.mark.parametrize("server", ["127.0.0.1:8730", "ftp://there", "http://there:port"])
def test_an_address_that_is_none_is_a_wrong_usage(server: str) -> None:
    with pytest.raises(Misused):
        Client(server).get("/")


@pytest.mark.parametrize("token", ["two\nlines", "with space", "ünïcode"])
def test_what_cannot_be_a_token_is_not_sent_as_one(token: str) -> None:
    with pytest.raises(Misused, match="visible ASCII"):
        Client(SERVER, token)


def test_an_id_stays_one_step_of_the_path(httpx_mock: Any) -> None:
    httpx_mock.add_response(json={})

    Client(SERVER).get("/api/deliveries/{}", {"limit": 1}, identity="../a?b/c")

    assert httpx_mock.get_request().url.raw_path == b"/api/deliveries/..%2Fa%3Fb%2Fc?limit=1"


def test_what_is_wrong_with_each_field_is_a_line(httpx_mock: Any) -> None:
    httpx_mock.add_response(
        status_code=422, json={"message": "Wrong.", "errors": {"type": ["a", "b"], "id": ["c"]}}
    )

    with pytest.raises(AnswerIsNo) as raised:
        Client(SERVER).post("/api/events", b"{}")
    assert raised.value.lines == ["Wrong.", "  type: a", "  type: b", "  id: c"]


def test_the_token_goes_in_the_header_and_what_is_not_asked_for_is_not_sent(httpx_mock: Any) -> None:
    httpx_mock.add_response(json={})

    Client(f"{SERVER}/", "hke_x").get("/api/deliveries", {"status": None, "limit": 5})

    request = httpx_mock.get_request()
    assert str(request.url) == f"{SERVER}/api/deliveries?limit=5"
    assert request.headers["authorization"] == "Bearer hke_x"


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")

    with pytest.raises(Unreachable) as raised:
        Client("http://nothing.invalid").get("/")
    assert "Connection refused" not in raised.value.lines[0]
