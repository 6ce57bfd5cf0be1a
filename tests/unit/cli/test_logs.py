"""Signals become lines."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hookengine.cli.logs import log_to_stderr
from hookengine.domain.delivery import DeliveryStatus
from hookengine.domain.request import SecretRef
from hookengine.engine import signals
from tests.conftest import make_request

FINISHED = {
    "delivery": "dlv_1",
    "event": "evt_1",
    "host": "api.github.com",
    "seconds": 0.2413,
    "kind": "5xx",
    "outcome": "503",
    "verdict": "TryAgain",
    "because": "503 is worth a retry",
    "next_try": None,
    "request": make_request(headers=(("authorization", (SecretRef("secrets.host"),)),)),
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("hookengine")
    before = root.handlers[:], root.level, own.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    own.setLevel(before[2])


Told = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """The lines of JSON on stderr since it was asked last."""
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_has_time_level_and_name_and_then_the_facts(told: Told) -> None:
    log_to_stderr("json", "info")(signals.EVENT_ACCEPTED, {"event": "evt_1", "matched": 2})

    (line,) = told()
    assert list(line) == ["time", "level", "message", "event", "matched"]
    assert (line["message"], line["event"], line["level"]) == ("event.accepted", "evt_1", "info")
    assert line["time"].endswith("Z")


@pytest.mark.parametrize("name", [signals.ATTEMPT_FINISHED, signals.ATTEMPT_LATE])
def test_an_attempt_says_host_time_and_status_and_keeps_the_request_for_debugging(
    name: str, told: Told
) -> None:
    log_to_stderr("json", "info")(name, FINISHED)
    log_to_stderr("json", "debug")(name, FINISHED)

    line, debugging = told()
    assert (line["host"], line["seconds"], line["status"]) == ("api.github.com", 0.2413, 503)
    assert line["verdict"] == "try_again"
    assert not {"request", "outcome", "kind", "next_try"} & line.keys()
    assert debugging["request"]["headers"] == [{"name": "authorization", "value": "<secrets.host>"}]


def test_an_attempt_without_an_answer_says_once_what_happened(told: Told) -> None:
    facts = {**FINISHED, "outcome": "unreachable: refused", "because": "unreachable: refused"}
    log_to_stderr("json", "info")(signals.ATTEMPT_FINISHED, facts)

    (line,) = told()
    assert line["outcome"] == "unreachable: refused"
    assert not {"because", "status"} & line.keys()


def test_members_of_enumerations_are_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr("console", "info")(signals.DELIVERY_ENDED, {"status": DeliveryStatus.DELIVERED})

    assert capsys.readouterr().err.endswith(" status=delivered\n")


@pytest.mark.parametrize(
    ("name", "facts", "level"),
    [
        (signals.DELIVERY_ENDED, {"status": DeliveryStatus.FAILED}, "warning"),
        (signals.HOOK_SWITCHED_OFF, {}, "warning"),
        (signals.HOOK_PAUSED, {}, "warning"),
        (signals.CIRCUIT_OPENED, {}, "warning"),
        (signals.CIRCUIT_CLOSED, {}, "info"),
        (signals.LANE_CONTESTED, {}, "warning"),
        (signals.ACTION_TIMED_OUT, {}, "warning"),
        (signals.STORE_FAILED, {}, "error"),
        (signals.ATTEMPT_STARTED, {}, "debug"),
        (signals.WORKER_STARTED, {}, "info"),
    ],
)
def test_what_matters_more_has_a_higher_level(
    name: str, facts: dict[str, Any], level: str, told: Told
) -> None:
    log_to_stderr("json", "debug")(name, facts)

    assert told()[0]["level"] == level


def test_what_is_below_the_level_is_not_written(told: Told) -> None:
    listener = log_to_stderr("json", "warning")
    listener(signals.EVENT_ACCEPTED, {})
    listener(signals.STORE_FAILED, {})

    assert [line["message"] for line in told()] == ["store.failed"]


def test_libraries_are_heard_only_when_they_warn_and_never_break_the_format(told: Told) -> None:
    log_to_stderr("json", "debug")
    logging.getLogger("httpx").info("HTTP Request: GET ...")
    logging.getLogger("uvicorn.error").warning("odd")

    (line,) = told()
    assert (line["message"], line["logger"]) == ("odd", "uvicorn.error")


def test_auto_is_for_people_on_a_terminal_and_for_programs_elsewhere(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_to_stderr("auto", "info")(signals.EVENT_ACCEPTED, {"event": "evt_1"})
    assert told()[0]["event"] == "evt_1"

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.delenv("NO_COLOR", raising=False)
    log_to_stderr("auto", "info")(signals.EVENT_ACCEPTED, {"event": "evt_1"})
    assert "\x1b[" in terminal.getvalue()

    terminal.truncate(0)
    monkeypatch.setenv("NO_COLOR", "1")
    log_to_stderr("auto", "info")(signals.STORE_FAILED, {"error": "disk is full"})
    assert "\x1b[" not in terminal.getvalue()
    assert " error error='disk is full'" in terminal.getvalue()
