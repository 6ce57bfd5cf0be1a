"""L1, L2, L3 and L5: of each a violation that is found, and beside it what only looks like one."""

from __future__ import annotations

import pytest

from tests.faults.judging import attempt, broken, said, sent
from tests.faults.model import MutableRow, Run


@pytest.fixture
def run() -> Run:
    return Run()


@pytest.fixture
def lane(run: Run) -> MutableRow:
    run.arrive()
    return run.lanes["main"]


def lease(run: Run, lane: MutableRow) -> None:
    run._lease(lane, "a")


# L1


def test_what_waits_without_a_head_is_stuck(run: Run, lane: MutableRow) -> None:
    assert broken(run) == set()
    lane["head_id"] = None

    assert said(run) == ["L1: dlv_001 waits in a lane without a head"]


def test_a_lease_has_a_token_an_open_attempt_and_a_head_that_is_being_sent(
    run: Run, lane: MutableRow
) -> None:
    lease(run, lane)

    assert broken(run) == set()


@pytest.mark.parametrize("status", ["queued", "retrying"])
def test_the_head_of_a_leased_lane_is_being_sent(run: Run, lane: MutableRow, status: str) -> None:
    lease(run, lane)
    run.deliveries["dlv_001"]["status"] = status

    assert f"L1: dlv_001 is {status}, and its lane says otherwise" in said(run)


def test_nothing_else_of_a_leased_lane_is_being_sent(run: Run, lane: MutableRow) -> None:
    lease(run, lane)
    run.arrive(rank=2)
    assert broken(run) == set()
    run.deliveries["dlv_002"]["status"] = "sending"

    assert "L1: dlv_002 is sending, and its lane says otherwise" in said(run)


def test_a_token_without_an_open_attempt_is_found(run: Run, lane: MutableRow) -> None:
    lane["token"] = 7
    run.deliveries["dlv_001"]["status"] = "sending"

    assert "L1: lane 1 has token 7 and open attempts []" in said(run)


def test_an_open_attempt_without_its_token_is_found(run: Run, lane: MutableRow) -> None:
    lease(run, lane)
    lane["token"] = 7

    assert said(run) == ["L1: lane 1 has token 7 and open attempts [1]"]


def test_an_open_attempt_in_a_free_lane_is_found(run: Run, lane: MutableRow) -> None:
    sent(run)
    run.attempts[0].update(dict.fromkeys(("finished_at", "outcome", "certainty", "closed_by")))

    assert "L1: lane 1 has token None and open attempts [1]" in said(run)


@pytest.mark.parametrize("head", ["dlv_001", "dlv_999"])
def test_a_head_that_has_ended_or_is_not_there_is_found(run: Run, lane: MutableRow, head: str) -> None:
    sent(run)
    lane["head_id"] = head

    assert "L1: lane 1 has a head that has ended" in said(run)


def test_a_head_of_another_lane_is_found(run: Run, lane: MutableRow) -> None:
    run.arrive("other")
    lane["head_id"] = "dlv_002"

    assert "L1: lane 1 has a head of another lane" in said(run)


# L2


def test_two_that_wait_in_a_lane_of_the_latest_are_found(run: Run, lane: MutableRow) -> None:
    run.arrive(rank=2)
    assert broken(run) == set()
    run.deliveries["dlv_001"].update(status="retrying", ended_at=None)

    assert said(run) == ["L2: 2 deliveries wait in lane 1"]


def test_two_may_wait_in_a_line(run: Run) -> None:
    run.arrive(policy="ordered")
    run.arrive(policy="ordered")

    assert broken(run) == set()


def test_what_is_superseded_by_nothing_is_found(run: Run, lane: MutableRow) -> None:
    sent(run)
    run.arrive(rank=0)
    assert run.deliveries["dlv_002"]["status"] == "superseded"
    assert broken(run) == set()
    run.deliveries["dlv_002"]["rank"] = 2

    assert "L2: dlv_002 is superseded, and nothing newer is there" in said(run)


def test_what_is_superseded_by_an_older_one_is_found(run: Run, lane: MutableRow) -> None:
    run.arrive(rank=2)
    run.arrive(rank=0)
    assert run.deliveries["dlv_001"]["superseded_by"] == "dlv_002"
    assert broken(run) == set()
    run.deliveries["dlv_001"]["superseded_by"] = "dlv_003"

    assert said(run) == ["L2: dlv_001 is superseded by what is not newer"]


def test_what_is_superseded_by_what_is_not_there_is_found(run: Run, lane: MutableRow) -> None:
    run.arrive(rank=2)
    run.deliveries["dlv_001"]["superseded_by"] = "dlv_999"

    assert said(run) == ["L2: dlv_001 is superseded by what is not newer"]


def test_nothing_is_superseded_in_a_line(run: Run) -> None:
    run.arrive(policy="ordered")
    run.cancel("dlv_001")
    run.deliveries["dlv_001"]["status"] = "superseded"
    run.arrive(policy="ordered")

    assert said(run) == ["L2: dlv_001 is superseded, and nothing newer is there"]


def test_what_is_unchanged_was_shown_before(run: Run) -> None:
    run.arrive(state="up")
    sent(run)
    run.arrive(state="up", rank=2)
    run.send()
    assert broken(run) == set()
    run.deliveries["dlv_001"]["status"] = "cancelled"

    assert "L2: dlv_002 is unchanged, and nobody showed it before" in said(run)


# L3


@pytest.mark.parametrize(("status", "ended_at"), [("delivered", None), ("queued", 1_795_000_000_100)])
def test_an_end_and_its_time_come_together(
    run: Run, lane: MutableRow, status: str, ended_at: int | None
) -> None:
    if status == "delivered":
        sent(run)
    run.deliveries["dlv_001"].update(status=status, ended_at=ended_at)

    assert said(run) == [f"L3: dlv_001 is {status}, and its end is {ended_at}"]


def test_an_end_before_the_beginning_is_found(run: Run, lane: MutableRow) -> None:
    run.cancel("dlv_001")
    run.deliveries["dlv_001"]["ended_at"] = (
        run.deliveries["dlv_001"]["accepted_at"] - 3
    )  # clocks differ by less

    assert said(run) == ["L3: dlv_001 ended before it was accepted"]


def test_an_attempt_after_the_end_is_found(run: Run, lane: MutableRow) -> None:
    run.send(how="unreachable")
    run.send(how="unreachable")
    run.cancel("dlv_001")
    assert broken(run) == set()
    run.deliveries["dlv_001"]["ended_at"] = attempt(run, "dlv_001", 2)["started_at"] - 1

    assert said(run) == ["L3: dlv_001 was tried after its end"]


@pytest.mark.parametrize("missing", ["finished_at", "outcome", "certainty", "closed_by"])
def test_half_an_end_of_an_attempt_is_found(run: Run, lane: MutableRow, missing: str) -> None:
    sent(run, "busy")
    attempt(run, "dlv_001")[missing] = None

    assert "L3: attempt 1 of dlv_001 is half finished" in said(run)


def test_an_attempt_that_ends_before_it_begins_is_found(run: Run, lane: MutableRow) -> None:
    run.send(how="unreachable")
    attempt(run, "dlv_001")["finished_at"] = attempt(run, "dlv_001")["started_at"] - 1

    assert said(run) == ["L3: attempt 1 of dlv_001 ended before it began"]


# L5


def repaired(run: Run) -> MutableRow:
    run.arrive(rank=1)
    sent(run, "late")
    run.arrive(rank=2)
    sent(run)
    run.come_to_rest()
    assert broken(run) == set()
    return run.deliveries["dlv_003"]


def test_a_repair_without_a_doubt_is_found(run: Run) -> None:
    repaired(run)
    attempt(run, "dlv_001").update(certainty="refused", outcome="TimedOut")

    assert said(run) == ["L5: lane 1 has 1 repairs for 0 doubts"]


def test_a_crash_and_a_late_result_are_two_doubts(run: Run) -> None:
    repaired(run)
    second = {**run.deliveries["dlv_003"], "id": "dlv_004"}
    run.deliveries["dlv_004"] = second
    run.attempts.append({**attempt(run, "dlv_003"), "delivery_id": "dlv_004", "token": 99})
    assert "L5: lane 1 has 2 repairs for 1 doubts" in said(run)

    attempt(run, "dlv_001").update(late_outcome="Answered", late_at=run.now)
    assert not [text for text in said(run) if text.startswith("L5")]


@pytest.mark.parametrize("wrong", [{"seq": 1}, {"digest": "other"}, {"repair_of": "dlv_999"}])
def test_a_repair_of_something_else_is_found(run: Run, wrong: dict[str, object]) -> None:
    repaired(run).update(wrong)

    assert "L5: dlv_003 repairs what is not the same" in said(run)


def test_nothing_is_repaired_in_a_line(run: Run) -> None:
    repaired(run)
    run.lanes["main"]["policy"] = "ordered"

    assert "L5: dlv_003 repairs in a lane that knows no repairs" in said(run)


def test_a_repair_that_was_never_tried_leaves_its_doubt_to_another(run: Run) -> None:
    run.arrive(rank=1)
    sent(run, "cut_off")
    run.arrive(rank=2)
    sent(run)
    run.arrive(rank=2)
    sent(run)
    run.come_to_rest()

    repairs = [row["status"] for row in run.deliveries.values() if row["repair_of"] is not None]
    assert repairs == ["superseded", "delivered"]
    assert broken(run) == set()


def test_a_repair_that_was_never_tried_needs_a_doubt_all_the_same(run: Run) -> None:
    repaired(run).update(status="cancelled", attempts=0)
    del run.attempts[-1], run.received[-1]
    assert not [text for text in said(run) if text.startswith("L5")]

    attempt(run, "dlv_001").update(certainty="refused", outcome="TimedOut")
    assert "L5: lane 1 has 1 repairs for 0 doubts" in said(run)
