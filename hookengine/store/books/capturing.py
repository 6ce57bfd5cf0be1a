"""Captures within a transaction: what lanes know already, and what the answer of a result has told."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence

from hookengine.domain.capture import Captured
from hookengine.domain.delivery import Delivery
from hookengine.store.books.desk import Desk
from hookengine.store.books.page import Page
from hookengine.store.books.steps import Answer, LoadCaptures, Step
from hookengine.store.calls import OwedDelivery, Report


def load(
    desk: Desk,
    reports: Iterable[tuple[int, Report]],
    arrivals: Iterable[tuple[int, OwedDelivery]],
    by_key: Mapping[str, Page],
) -> Generator[Step, Answer, None]:
    """For whatever is not sent where its captures are known, and for answers that told some. Reports and arrivals
    come with the indexes of their calls."""
    pages = [page for page in desk.pages.values() for row in page.rows.values() if row.provides]
    pages += [by_key[delivery.lane_key] for _, delivery in arrivals if delivery.provides]
    pages += [page for index, report in reports if report.captured for page in desk.pages_of.get(index, ())]
    yield from _load(pages)


def load_for(desk: Desk, given: Iterable[tuple[int, Page, Delivery]]) -> Generator[Step, Answer, None]:
    """For the requests that are handed out."""
    yield from _load([page for _, page, head in given if _uses(desk, head)])


def known_to(desk: Desk, page: Page, head: Delivery) -> Captured:
    """Of what its lane and action know, what its request uses."""
    first_seq, known = head.first_seq, page.captured
    return {name: known[first_seq, name] for name in _uses(desk, head) if (first_seq, name) in known}


def keep(desk: Desk, page: Page, delivery: Delivery, captured: Captured, *, late: bool = False) -> None:
    """The newest answer counts; a late one only where there is none."""
    for name, value in captured.items():
        key = delivery.first_seq, name
        if not (late and key in page.captured):
            page.captured[key] = value
            desk.write.captures[page.lane.id, *key] = value


def _load(pages: Sequence[Page]) -> Generator[Step, Answer, None]:
    wanted = {page.lane.id: page for page in pages if not page.knows_captures}
    if not wanted:
        return
    rows: Sequence[tuple[int, int, str, str]] = yield LoadCaptures(list(wanted))
    for lane_id, action_seq, name, value in rows:
        wanted[lane_id].captured[action_seq, name] = value
    for page in wanted.values():
        page.knows_captures = True


def _uses(desk: Desk, head: Delivery) -> tuple[str, ...]:
    capturing = desk.requests[head.request_id].capturing
    return () if capturing is None else capturing.uses
