"""The one place where what happened is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from hookengine.domain import replay_views, views
from hookengine.errors import StoreError
from hookengine.store.records import actions, commits, deliveries, deployments, events, replays
from hookengine.store.records.actions import WantedActions
from hookengine.store.records.deployments import Around
from hookengine.store.records.events import Told, WantedEvents
from hookengine.store.records.wanted import Page, Seen, Wanted

T = TypeVar("T")


class Records:
    """Values are plain JSON ones; times RFC 3339; secrets by name only. All methods raise StoreError when the
    database fails."""

    def __init__(self, engine: AsyncEngine, seen: Seen = None) -> None:
        """The engine is closed with it."""
        self._engine = engine
        self._seen = seen

    @classmethod
    def of_sqlite(cls, path: Path) -> Records:
        return cls(create_async_engine(f"sqlite+aiosqlite:///{path}", hide_parameters=True))

    def seen_by(self, seen: Seen) -> Records:
        """The same, as far as these pipelines go: what belongs to others is not there."""
        return self if seen is None else Records(self._engine, seen)

    async def close(self) -> None:
        await self._engine.dispose()

    async def deliveries(self, wanted: Wanted, page: Page) -> list[views.Delivery]:
        """Newest first."""
        return await self._ask(lambda connection: deliveries.listed(connection, self.within(wanted), page))

    async def delivery(self, delivery_id: str) -> views.DeliveryDetails:
        """With its request and its attempts. Raises NotFound."""
        return await self._ask(lambda connection: deliveries.one(connection, delivery_id, self._seen))

    async def attempts(self, delivery_id: str) -> list[views.Attempt]:
        """In order. Raises NotFound."""
        return await self._ask(lambda connection: deliveries.attempts(connection, delivery_id, self._seen))

    async def actions(self, wanted: WantedActions, page: Page) -> list[tuple[str, views.Action]]:
        """Those heard of last first, each with where a list can go on."""
        return await self._ask(lambda connection: actions.listed(connection, wanted, page, self._seen))

    async def action(self, action_id: str, pipeline: str | None = None) -> views.ActionDetails:
        """With its events, its deliveries, and what each target shows now. Raises NotFound, and InvalidQuery
        where several pipelines have an action of this id."""
        return await self._ask(lambda connection: actions.one(connection, action_id, pipeline, self._seen))

    async def events(self, wanted: WantedEvents, page: Page) -> list[tuple[str, views.Event]]:
        """Newest first, each with where a list can go on."""
        return await self._ask(lambda connection: events.listed(connection, wanted, page, self._seen))

    async def event(self, event_id: str, pipeline: int | str | None = None) -> views.EventDetails:
        """With its data and the deliveries it owes. Raises NotFound, and InvalidQuery where several pipelines have
        an event of this id."""
        return await self._ask(lambda connection: events.one(connection, event_id, pipeline, self._seen))

    async def told(self, event_id: str, pipeline: int | str | None = None) -> Told:
        """The event as it was told, with those of its action before it. Raises NotFound, and InvalidQuery where
        several pipelines have an event of this id."""
        return await self._ask(lambda connection: events.told(connection, event_id, pipeline, self._seen))

    async def commit(self, sha: str) -> views.Commit:
        """What is told of a commit, by its hash or how that begins. Raises NotFound."""
        return await self._ask(lambda connection: commits.one(connection, sha, self._seen))

    async def deployments(self, asked: Around) -> views.Deployments:
        """What was deployed around a moment. Raises InvalidQuery."""
        return await self._ask(lambda connection: deployments.around(connection, asked, self._seen))

    async def replays(self, page: Page) -> list[replay_views.Replay]:
        """Newest first."""
        return await self._ask(lambda connection: replays.listed(connection, page, self._seen))

    async def replay(self, replay_id: str) -> replay_views.Replay:
        """Raises NotFound."""
        return await self._ask(lambda connection: replays.one(connection, replay_id, self._seen))

    async def count(self, wanted: Wanted, most: int) -> tuple[int, str]:
        """How many there are, `most` standing for that many or more, and the newest delivery of all."""

        def ask(connection: Connection) -> tuple[int, str]:
            up_to = deliveries.newest(connection)
            return deliveries.counted(connection, self.within(wanted), up_to, most), up_to

        return await self._ask(ask)

    async def following(self, wanted: Wanted, after: str, up_to: str, limit: int) -> list[str]:
        """The ids of those after this one, the oldest first."""
        found = self.within(wanted)
        return await self._ask(
            lambda connection: deliveries.following(connection, found, after, up_to, limit)
        )

    def within(self, wanted: Wanted) -> Wanted:
        """What is wanted, as far as it may be seen."""
        return wanted if self._seen is None else replace(wanted, seen=self._seen)

    async def _ask(self, question: Callable[[Connection], T]) -> T:
        try:
            async with self._engine.connect() as connection:
                return await connection.run_sync(question)
        except SQLAlchemyError as error:
            raise StoreError(f"the database cannot be read: {type(error).__name__}") from error
