"""What came of one call, gathered while its transaction is decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hookengine.domain.delivery import ENDED
from hookengine.store.books.asks import Accept, Ask, Claim, Finish, Release, Replay
from hookengine.store.books.page import Page
from hookengine.store.calls import (
    Accepted,
    Claimed,
    Ending,
    Finished,
    Intake,
    Leased,
    Notice,
    NoticeKind,
    Replayed,
)


@dataclass(slots=True)
class Outcome:
    failure: Exception | None = None
    known: bool = False  # a replay that was there already
    accepted: tuple[Accepted, ...] = ()
    leased: tuple[Leased, ...] = ()
    endings: tuple[Ending, ...] = ()
    notices: tuple[Notice, ...] = ()
    rescued: tuple[str, ...] = ()
    stuck: tuple[int, ...] = ()
    more: bool = False
    waiting_for: frozenset[str] = frozenset()
    waits: bool = False
    finished: str | None = None  # the delivery whose result was taken
    status: str = ""
    because: str = ""
    late: bool = False
    repair_id: str | None = None

    def gather(self, page: Page) -> None:
        """What has happened to this lane since it was asked last."""
        book = page.book
        if book is None or not (book.news or book.contested):
            return
        if book.news:
            news, book.news = book.news, []
            ended = [row for row in news if row.status in ENDED]
            self.endings += tuple(
                [Ending(delivery_id=row.id, status=row.status, because=row.because) for row in ended]
            )
            self.repair_id = next((row.id for row in news if row.status not in ENDED), self.repair_id)
        if book.contested:
            book.contested = False
            self.notices += (Notice(kind=NoticeKind.LANE_CONTESTED, subject=page.lane.key),)

    def result(self, ask: Ask) -> Any:
        if self.failure is not None:
            return self.failure
        leased, endings, notices = self.leased, self.endings, self.notices
        if isinstance(ask, Accept):
            return Intake(accepted=self.accepted, leased=leased, endings=endings, notices=notices)
        if isinstance(ask, Finish):
            return self._finished()
        if isinstance(ask, Claim):
            return Claimed(
                leased=leased,
                endings=endings,
                notices=notices,
                rescued=self.rescued,
                stuck=self.stuck,
                more=self.more,
                waiting_for=self.waiting_for,
            )
        if isinstance(ask, Replay):
            return Replayed(fresh=not self.known, leased=leased, endings=endings, notices=notices)
        return endings if isinstance(ask, Release) else self.status

    def _finished(self) -> Finished:
        return Finished(
            status=self.status,
            because=self.because,
            late=self.late,
            following=self.leased[0] if self.leased else None,
            endings=tuple([ending for ending in self.endings if ending.delivery_id != self.finished]),
            notices=self.notices,
            repair_id=self.repair_id,
            waits=self.waits,
        )
