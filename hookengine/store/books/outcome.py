"""What came of one call, gathered while its transaction is decided."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    leased: list[Leased] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    rescued: list[str] = field(default_factory=list)
    stuck: list[int] = field(default_factory=list)
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
        for row in page.news():
            if row.status in ENDED:
                self.endings.append(Ending(delivery_id=row.id, status=row.status, because=row.because))
            else:
                self.repair_id = row.id
        if page.contested():
            self.notices.append(Notice(kind=NoticeKind.LANE_CONTESTED, subject=page.lane.key))

    def result(self, ask: Ask) -> Any:
        if self.failure is not None:
            return self.failure
        told = {"endings": tuple(self.endings), "notices": tuple(self.notices)}
        if isinstance(ask, Accept):
            return Intake(accepted=self.accepted, leased=tuple(self.leased), **told)  # type: ignore[arg-type]
        if isinstance(ask, Claim):
            return Claimed(
                leased=tuple(self.leased),
                rescued=tuple(self.rescued),
                stuck=tuple(self.stuck),
                more=self.more,
                waiting_for=self.waiting_for,
                **told,  # type: ignore[arg-type]
            )
        if isinstance(ask, Finish):
            return self._finished()
        if isinstance(ask, Replay):
            return Replayed(fresh=not self.known, leased=tuple(self.leased), **told)  # type: ignore[arg-type]
        return tuple(self.endings) if isinstance(ask, Release) else self.status

    def _finished(self) -> Finished:
        return Finished(
            status=self.status,
            because=self.because,
            late=self.late,
            following=self.leased[0] if self.leased else None,
            endings=tuple(ending for ending in self.endings if ending.delivery_id != self.finished),
            notices=tuple(self.notices),
            repair_id=self.repair_id,
            waits=self.waits,
        )
