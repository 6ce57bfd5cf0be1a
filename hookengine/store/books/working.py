"""Results, and what else happens to lanes that are under way."""

from __future__ import annotations

from dataclasses import replace

import orjson

from hookengine.domain.attempt import Accept as Applied
from hookengine.domain.attempt import Certainty, GiveUp, TryAgain, Unknown
from hookengine.domain.delivery import Delivery
from hookengine.domain.gate import account_key
from hookengine.store.books import capturing
from hookengine.store.books.asks import Cancel, Release
from hookengine.store.books.desk import Desk, fails, heard_from, works
from hookengine.store.books.page import Page
from hookengine.store.books.steps import AttemptFacts, ClosedAttempt, LateResult
from hookengine.store.calls import Notice, NoticeKind, Report

_WENT_AWAY = orjson.dumps(Unknown(reason="the node went away while sending")).decode()


def finish(
    desk: Desk, page: Page, report: Report, attempt: AttemptFacts
) -> tuple[Delivery, tuple[Notice, ...]]:
    """The delivery as it is now: what comes later may end it."""
    book = desk.book(page)
    head = book.deliveries[attempt.delivery_id]
    page.closed += (_closing(report),)
    if report.captured:
        capturing.keep(desk, page, head, report.captured)
    book.finish(report.verdict, report.certainty, attempt.started_at, report.finding)
    return head, tuple(_learn(desk, head, report))


def late(desk: Desk, page: Page, report: Report, attempt: AttemptFacts) -> None:
    """Nothing is thrown away: the result stays on its attempt, and what it says about the effect counts."""
    outcome = type(report.outcome).__name__
    if attempt.closed_by == "holder" and attempt.outcome == outcome:
        return  # the commit whose answer was lost
    page.late += (LateResult(outcome, desk.now, report.token),)
    book = desk.book(page)
    delivery = book.deliveries[attempt.delivery_id]
    capturing.keep(desk, page, delivery, report.captured, late=True)
    book.late(delivery, report.certainty)


def rescue(desk: Desk, page: Page) -> str | None:
    """The delivery whose attempt ended unknown, if the lane's lease has expired."""
    lane = page.lane
    if lane.token is None:
        return None
    rescued = lane.head_id
    page.closed += (
        ClosedAttempt(
            outcome="Unknown",
            detail=_WENT_AWAY,
            certainty=Certainty.DOUBTFUL,
            verdict=None,
            because=None,
            next_at=None,
            finished_at=desk.now,
            closed_by="rescue",
            token=lane.token,
        ),
    )
    desk.book(page).rescue()
    return rescued


def release(desk: Desk, page: Page, ask: Release) -> None:
    page.taken_back += (ask.token,)
    desk.book(page).release(ask.at)


def cancel(desk: Desk, page: Page, ask: Cancel) -> str:
    book = desk.book(page)
    delivery = book.deliveries[ask.delivery_id]
    book.cancel(delivery, ask.because)
    return str(delivery.status)


def _learn(desk: Desk, head: Delivery, report: Report) -> list[Notice]:
    """What a result says about its host, its credential and its hook."""
    notices, verdict = [], report.verdict
    if report.host_failed is not None and head.host and heard_from(desk, head, failed=report.host_failed):
        kind = NoticeKind.CIRCUIT_OPENED if report.host_failed else NoticeKind.CIRCUIT_CLOSED
        notices.append(Notice(kind=kind, subject=head.host, because=verdict.because))
    if isinstance(verdict, Applied):
        works(desk, head.hook_id)
        return notices
    if verdict.pause_until and head.account:
        gate = desk.gate(account_key(head.account))
        gate.pause(verdict.pause_until)
        desk.changed(gate)
    if isinstance(verdict, GiveUp) and verdict.gone:
        facts = replace(desk.hook(head.hook_id), off_at=desk.now)
        desk.change_hook(head.hook_id, facts, "disabled", verdict.because)
        notices.append(Notice(kind=NoticeKind.HOOK_GONE, subject=head.hook_id, because=verdict.because))
    elif fails(desk, head.hook_id):
        because = f"nothing but failures for too long, the last one: {verdict.because}"
        desk.change_hook(head.hook_id, replace(desk.hook(head.hook_id), paused=True), "paused", because)
        notices.append(Notice(kind=NoticeKind.HOOK_PAUSED, subject=head.hook_id, because=because))
    return notices


def _closing(report: Report) -> ClosedAttempt:
    verdict = report.verdict
    return ClosedAttempt(
        outcome=type(report.outcome).__name__,
        detail=orjson.dumps(report.outcome).decode(),
        certainty=report.certainty,
        verdict=type(verdict).__name__,
        because=verdict.because,
        next_at=verdict.at if isinstance(verdict, TryAgain) else None,
        finished_at=report.finished_at,
        closed_by="holder",
        token=report.token,
    )
