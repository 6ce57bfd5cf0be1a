from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from hookengine import failpoints
from hookengine.failpoints import parse

PROGRAM = "from hookengine.failpoints import reach; reach('a.point', 'evt_7'); print('alive')"


def hits(orders: str, *subjects: str) -> list[bool]:
    """Which of the hits of `a.point` raise."""
    points = parse(orders)
    raised = []
    for subject in subjects:
        try:
            points.reach("a.point", subject)
            raised.append(False)
        except RuntimeError:
            raised.append(True)
    return raised


def run(orders: str, program: str = PROGRAM) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, failpoints.VARIABLE: orders}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, check=False, env=environ, capture_output=True, text=True)


def test_an_order_strikes_at_its_point_every_time() -> None:
    assert hits("a.point:raise", "", "", "") == [True, True, True]
    assert hits("another.point:raise", "") == [False]


def test_a_star_lets_only_the_first_times_count() -> None:
    assert hits("a.point:raise*2", "", "", "") == [True, True, False]


def test_a_hash_lets_only_one_time_count() -> None:
    assert hits("a.point:raise#2", "", "", "") == [False, True, False]


def test_a_text_must_be_a_word_of_the_subject() -> None:
    subjects = ("evt_7", "evt_70", "dlv_1 evt_7", "evt_7-b", "an-evt_7", "")
    assert hits("a.point:raise@evt_7", *subjects) == [True, False, True, False, False, False]


def test_only_times_whose_subject_fits_are_counted() -> None:
    assert hits("a.point:raise#2@b", "a", "b", "a", "b", "b") == [False, False, False, True, False]


def test_several_orders_for_one_point_are_obeyed_in_their_order() -> None:
    assert hits("a.point:raise#3; a.point:raise*1;", "", "", "") == [True, False, True]


def test_the_point_says_what_is_raised() -> None:
    with pytest.raises(OSError, match=r"fail-point a\.point"):
        parse("a.point:raise").reach("a.point", error=OSError)


def test_sleeping_blocks_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)

    parse("a.point:sleep(0.25);a.point:sleep(2)").reach("a.point")

    assert slept == [0.25, 2.0]


@pytest.mark.parametrize(
    "orders",
    [
        "accept",
        "accept:kill",
        "a.point",
        "a.point:",
        "a.point:explode",
        "a.point:kill*0",
        "a.point:kill*1#2",
        "a.point:kill#-1",
        "a.point:kill@",
        "a.point:sleep",
        "a.point:sleep()",
        "a.point:sleep(-1)",
        "a.point:sleep(inf)",
        "a.point:kill, b.point:kill",
        "A.Point:kill",
    ],
)
def test_what_is_no_order_is_refused_and_quoted(orders: str) -> None:
    with pytest.raises(ValueError, match=r"HOOKENGINE_FAILPOINTS: .* is no order") as refused:
        parse(orders)
    assert repr(orders.split(";")[0]) in str(refused.value)


def test_without_the_variable_nothing_is_there_to_reach() -> None:
    done = run("", "from hookengine import failpoints; print(failpoints.reach is failpoints._nothing)")
    assert done.stdout.strip() == "True"


def test_malformed_orders_stop_the_process_at_its_start() -> None:
    done = run("a.point:explode")

    assert done.returncode == 1
    assert "ValueError: HOOKENGINE_FAILPOINTS: 'a.point:explode' is no order" in done.stderr


def test_killing_ends_the_process_there_and_then_after_saying_so() -> None:
    done = run("a.point:kill@evt_7")

    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")
    assert json.loads(done.stderr) == {
        "message": "failpoint.reached",
        "point": "a.point",
        "action": "kill",
        "subject": "evt_7",
    }


def test_exiting_ends_the_process_with_its_own_code() -> None:
    done = run("a.point:exit")

    assert (done.returncode, done.stdout) == (failpoints.EXIT_CODE, "")


@pytest.mark.parametrize("thread", [False, True])
def test_stopping_holds_the_whole_process_until_it_is_continued(thread: bool) -> None:
    program = f"import threading; t = threading.Thread(target=lambda: exec({PROGRAM!r})); t.start(); t.join()"
    process = subprocess.Popen(
        [sys.executable, "-c", program if thread else PROGRAM],
        env={**os.environ, failpoints.VARIABLE: "a.point:stop"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(signal.SIGCONT)
        out, told = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (out.strip(), process.returncode) == ("alive", 0)
    assert json.loads(told)["action"] == "stop"
