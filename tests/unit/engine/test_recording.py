from __future__ import annotations

from typing import Any

import pytest

from hookengine.domain.attempt import (
    Accept,
    Answered,
    Blocked,
    Certainty,
    GiveUp,
    Outcome,
    TimedOut,
    TryAgain,
)
from hookengine.domain.event import Rank
from hookengine.domain.hook import Hook, HookState
from hookengine.domain.request import RenderedRequest, SecretRef
from hookengine.domain.response import ResponseRule, Ruling
from hookengine.domain.retry import RetryPolicy
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.recording import Recorder
from hookengine.engine.signals import Signals
from hookengine.errors import StoreError
from hookengine.store.calls import Ending, Finished, Leased, LeaseTerms, Notice, NoticeKind, Report, Seat
from hookengine.store.care import Definitions
from tests.conftest import NOW, Clock, make_hook, make_request
from tests.contract.conftest import terms

pytestmark = pytest.mark.anyio

STATUS = make_request(url="https://gitlab.com/api/v4/projects/1/statuses/abc", body=('{"name":"ci"}',))
BENIGN = ResponseRule(statuses=("400",), body="from :running", then=Ruling.SUCCESS, because="says so already")
HOOK = make_hook(retry=RetryPolicy(waits=(5_000,), jitter=0))


class Store:
    """Takes reports; answers what it is told to."""

    def __init__(self) -> None:
        self.answers: list[Finished | StoreError] = []
        self.reports: list[Report] = []
        self.past: dict[tuple[str, int], Hook] = {}

    async def finish(self, report: Report, now: int, terms: LeaseTerms) -> Finished:
        self.reports.append(report)
        answer = self.answers.pop(0) if self.answers else Finished(status="delivered")
        if isinstance(answer, StoreError):
            raise answer
        return answer

    async def hook_revision(self, hook_id: str, revision: int) -> Hook | None:
        return self.past.get((hook_id, revision))


class Desk:
    def __init__(self, clock: Clock) -> None:
        self.store, self.signals = Store(), Signals()
        self.catalogue = Catalogue(Definitions(hooks=(HOOK,)))
        self.recorder = Recorder(self.store, self.catalogue, self.signals, clock, {"gitlab": (BENIGN,)})  # type: ignore[arg-type]
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.signals.listen(lambda name, facts: self.told.append((name, facts)))

    async def record(self, outcome: Outcome, leased: Leased | None = None, hook: Hook = HOOK) -> Finished:
        return await self.recorder.record(leased or a_lease(), hook, outcome, terms(), seconds=0.25)

    def names(self) -> list[str]:
        return [name for name, _ in self.told]


def a_lease(request: RenderedRequest | None = None, **changes: Any) -> Leased:
    values: dict[str, Any] = {
        "token": 7,
        "delivery_id": "dlv_1",
        "event_id": "evt_1",
        "hook_id": "hook_1",
        "hook_revision": 1,
        "attempt": 1,
        "rank": Rank.FINISHED,
        "accepted_at": NOW,
        "started_at": NOW,
        "lane_key": "a lane",
        "position": (1, 2, 1),
        "request": request or make_request(),
        "seat": Seat("api.example", "hook_1", suspect=False),
    }
    return Leased(**{**values, **changes})


@pytest.fixture
def desk(clock: Clock) -> Desk:
    return Desk(clock)


@pytest.mark.parametrize(
    ("outcome", "verdict", "certainty", "host_failed"),
    [
        (Answered(status=201), Accept(because="201: the target took it"), Certainty.APPLIED, False),
        (
            Answered(status=503),
            TryAgain(at=NOW + 5_000, because="503: the target has a fault that may pass"),
            Certainty.DOUBTFUL,
            True,
        ),
        (
            Answered(status=404),
            GiveUp(because="404: the target refuses this request"),
            Certainty.REFUSED,
            False,
        ),
        (Blocked(reason="private"), GiveUp(because="blocked: private"), Certainty.UNSENT, None),
        (
            TimedOut(phase="connect", seconds=5.0),
            TryAgain(at=NOW + 5_000, because="timed out after 5.0 s (connect)"),
            Certainty.UNSENT,
            True,
        ),
    ],
)
async def test_an_outcome_is_judged_and_written(
    desk: Desk, outcome: Outcome, verdict: Any, certainty: Certainty, host_failed: bool | None
) -> None:
    await desk.record(outcome)

    assert desk.store.reports == [
        Report(
            token=7,
            outcome=outcome,
            certainty=certainty,
            verdict=verdict,
            finished_at=NOW,
            host_failed=host_failed,
        )
    ]


async def test_a_recognised_status_call_gets_the_rules_of_its_host_whoever_wrote_its_hook(desk: Desk) -> None:
    answer = Answered(status=400, body="Cannot transition status via :run from :running")

    await desk.record(answer, a_lease(STATUS))
    await desk.record(answer, a_lease(make_request()))

    assert [type(report.verdict) for report in desk.store.reports] == [Accept, GiveUp]
    assert desk.store.reports[0].certainty is Certainty.APPLIED


async def test_a_hooks_own_rules_come_before_those_of_the_host(desk: Desk) -> None:
    strict = make_hook(
        responses=(ResponseRule(statuses=("4xx",), then=Ruling.PERMANENT, because="we say no"),)
    )

    await desk.record(Answered(status=400, body="from :running"), a_lease(STATUS), strict)

    assert desk.store.reports[0].verdict == GiveUp(because="400: we say no")


async def test_the_age_of_a_delivery_counts_from_its_acceptance(desk: Desk) -> None:
    old = a_lease(accepted_at=NOW - 3_600_000, rank=Rank.STARTED, attempt=9)

    await desk.record(Answered(status=503), old)

    verdict = desk.store.reports[0].verdict
    assert isinstance(verdict, GiveUp)
    assert verdict.because.endswith("out of time after 9 attempts")


async def test_the_hook_is_the_one_the_request_was_rendered_with(desk: Desk) -> None:
    past = make_hook(timeout=1.0)
    desk.store.past["hook_1", 0] = past

    assert await desk.recorder.hook_of(a_lease()) == HOOK
    assert await desk.recorder.hook_of(a_lease(hook_revision=0)) == past
    with pytest.raises(StoreError, match="revision 3"):
        await desk.recorder.hook_of(a_lease(hook_revision=3))


async def test_a_result_is_written_however_often_the_database_fails(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(seconds: float) -> None:
        return

    monkeypatch.setattr("hookengine.engine.recording.asyncio.sleep", at_once)
    desk.store.answers = [StoreError("locked"), StoreError("locked"), Finished(status="delivered")]

    finished = await desk.record(Answered(status=200))

    assert finished.status == "delivered"
    assert desk.names() == ["store.failed", "store.failed", "attempt.finished", "delivery.ended"]
    assert desk.told[0][1] == {"doing": "recording a result", "error": "locked"}


async def test_a_delivery_that_ended_is_told(desk: Desk) -> None:
    request = make_request(headers=(("authorization", (SecretRef("secrets.host"),)),))

    await desk.record(Answered(status=200), a_lease(request))

    (name, facts), (ended, _) = desk.told
    assert (name, ended) == ("attempt.finished", "delivery.ended")
    assert (facts["outcome"], facts["kind"]) == ("200", "2xx")
    assert (facts["host"], facts["seconds"]) == ("api.example", 0.25)
    assert facts["request"] is request
    assert desk.told[1][1]["status"] == "delivered"


@pytest.mark.parametrize(
    ("status", "names"),
    [
        ("retrying", ["attempt.finished"]),
        ("superseded", ["attempt.finished", "delivery.ended"]),
        ("cancelled", ["attempt.finished", "delivery.ended"]),
    ],
)
async def test_what_was_to_be_tried_again_may_have_ended_all_the_same(
    desk: Desk, status: str, names: list[str]
) -> None:
    desk.store.answers = [Finished(status=status, because="a reason of its own")]

    await desk.record(Answered(status=503))

    assert desk.names() == names
    assert [facts["because"] for name, facts in desk.told if name == "delivery.ended"] == [
        "a reason of its own" for name in names if name == "delivery.ended"
    ]


async def test_a_result_that_came_late_is_told_as_that_only(desk: Desk) -> None:
    desk.store.answers = [Finished(late=True)]

    await desk.record(Answered(status=200))

    assert desk.names() == ["attempt.late"]


async def test_a_target_that_is_gone_switches_its_hook_off(desk: Desk) -> None:
    notice = Notice(kind=NoticeKind.HOOK_GONE, subject="hook_1", because="410")
    desk.store.answers = [Finished(status="failed", notices=(notice,))]

    await desk.record(Answered(status=410))

    hook = desk.catalogue.hook("hook_1", 1)
    assert hook is not None
    assert hook.state is HookState.DISABLED
    assert desk.names() == ["attempt.finished", "delivery.ended", "hook.switched_off"]


async def test_what_else_happened_in_the_lane_is_told(desk: Desk) -> None:
    other = Ending(delivery_id="dlv_0", status="cancelled", because="its hook was switched off")
    desk.store.answers = [Finished(status="delivered", repair_id="dlv_2", endings=(other,))]

    await desk.record(Answered(status=200))

    assert desk.told[2:] == [
        ("repair.owed", {"delivery": "dlv_2"}),
        (
            "delivery.ended",
            {"delivery": "dlv_0", "status": "cancelled", "because": "its hook was switched off"},
        ),
    ]


@pytest.mark.parametrize(
    ("kind", "name", "subject"),
    [
        (NoticeKind.CIRCUIT_OPENED, "circuit.opened", "host"),
        (NoticeKind.CIRCUIT_CLOSED, "circuit.closed", "host"),
        (NoticeKind.HOOK_PAUSED, "hook.paused", "hook"),
        (NoticeKind.LANE_CONTESTED, "lane.contested", "lane"),
    ],
)
async def test_what_the_store_noticed_is_told(desk: Desk, kind: NoticeKind, name: str, subject: str) -> None:
    desk.store.answers = [Finished(notices=(Notice(kind=kind, subject="it", because="so"),))]

    await desk.record(Answered(status=200))

    assert desk.told[-1] == (name, {subject: "it", "because": "so"})
