"""The tables. Times are whole milliseconds since the epoch; documents are JSON text without secrets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

_BIG = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up in INTEGER keys only
_CLAIMABLE = "head_id IS NOT NULL AND waits_for IS NULL"
_WAITING = "status IN ('queued','retrying')"
_STATUSES = ("queued", "sending", "retrying", "delivered", "failed", "superseded", "cancelled")
_ENDED = ("delivered", "failed", "superseded", "cancelled")
_LAST = ("action.completed", "action.failed", "action.cancelled", "action.timed_out")


def _as_list(column: str, words: Sequence[str]) -> str:
    return f"{column} IN ({','.join(map(repr, words))})"


def _word_by_word(column: str, words: Sequence[str]) -> str:
    """For a list SQLite makes a table, for every row that is written."""
    return " OR ".join(f"{column} = '{word}'" for word in words)


def _checks(name: str, said: Callable[[Callable[[str, Sequence[str]], str]], str]) -> tuple[Any, Any]:
    """`said` puts a check into words, given how one of many is."""
    return (
        CheckConstraint(said(_word_by_word), name=name).ddl_if(dialect="sqlite"),
        CheckConstraint(said(_as_list), name=name).ddl_if(dialect="postgresql"),
    )


def _big(**arguments: Any) -> Any:
    return Field(sa_column=Column(_BIG, **{"nullable": False, **arguments}))


def _long(**arguments: Any) -> Any:
    return Field(sa_column=Column(Text, **{"nullable": False, **arguments}))


class PipelineRow(SQLModel, table=True):
    __tablename__ = "pipeline"

    id: int = Field(sa_column=Column(_BIG, primary_key=True, autoincrement=False))
    name: str = Field(unique=True)
    document: str = _long()
    managed_by: str = ""
    created_at: int = _big(server_default="0")
    updated_at: int = _big(server_default="0")


class HookRow(SQLModel, table=True):
    """An outgoing hook. Deliveries accepted up to `off_at` are cancelled, also after switching on again.

    `failing_since` is when the first of the failures in a row began, -1 while it works.
    """

    __tablename__ = "hook"

    id: str = Field(primary_key=True)
    revision: int
    digest: str
    state: str
    because: str = ""
    deleted: bool = False
    off_at: int = _big(server_default="-1")
    failing_since: int = _big(server_default="-1")
    managed_by: str = ""


class DefinitionsRow(SQLModel, table=True):
    """One row: a number that grows with every change of pipelines and hooks, so that other nodes notice."""

    __tablename__ = "definitions"

    id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    version: int = _big()


class HookRevisionRow(SQLModel, table=True):
    """What a hook was when a delivery was rendered; never changed."""

    __tablename__ = "hook_revision"

    hook_id: str = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    document: str = _long()
    created_at: int = _big()


class IncomingHookRow(SQLModel, table=True):
    __tablename__ = "incoming_hook"

    id: str = Field(primary_key=True)
    document: str = _long()
    managed_by: str = ""
    created_at: int = _big(server_default="0")
    updated_at: int = _big(server_default="0")


class ContextSecretRow(SQLModel, table=True):
    """A secret that came with an event, sealed; the newest counts."""

    __tablename__ = "context_secret"

    pipeline_id: int = Field(sa_column=Column(_BIG, primary_key=True, autoincrement=False))
    path: str = Field(primary_key=True)
    sealed: str = _long()
    updated_at: int = _big()


class SecretRow(SQLModel, table=True):
    """A secret that somebody set, sealed. `owner` is `hook:ID`, `pipeline:ID`, or empty: everyone's."""

    __tablename__ = "secret"

    owner: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    hosts: str = _long()
    sealed: str = _long()
    updated_at: int = _big()


class TokenRow(SQLModel, table=True):
    """An API token. `digest` is of its text; `scopes` are words with spaces between."""

    __tablename__ = "token"

    id: str = Field(primary_key=True)
    name: str
    scopes: str
    digest: str
    team: str | None = None
    pipeline_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    created_at: int = _big()


class EventRow(SQLModel, table=True):
    """`id` is `PIPELINE:ID`: ids are each pipeline's own. `answer` is what its sender was told, so that a repeated
    event is told the same. `revision` is the one that it brought its action to: the order of the action's events.

    `occurred_at` is what the event says of itself, else when it was accepted.
    """

    __tablename__ = "event"
    __table_args__ = (
        Index(
            "event_last",
            "occurred_at",
            sqlite_where=text(_word_by_word("type", _LAST)),
            postgresql_where=text(_as_list("type", _LAST)),
        ),
    )

    id: str = Field(primary_key=True)
    type: str
    action_seq: int = _big(index=True)
    revision: int = _big(server_default="0")
    digest: str
    document: str = _long()
    answer: str = _long()
    accepted_at: int = _big(index=True)
    occurred_at: int | None = Field(default=None, sa_column=Column(BigInteger))


class ActionRow(SQLModel, table=True):
    """`first_seq` is the order in which actions were first heard of, `context` what is remembered of it.

    `open_since` is when it was last queued or started, NULL once it ended; `ended_number` then is the number
    it ended with, -1 if it has none.
    """

    __tablename__ = "action"
    __table_args__ = (
        UniqueConstraint("pipeline_id", "action_id"),
        Index(
            "action_open",
            "open_since",
            sqlite_where=text("open_since IS NOT NULL"),
            postgresql_where=text("open_since IS NOT NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    first_seq: int | None = Field(default=None, sa_column=Column(_BIG, primary_key=True))
    pipeline_id: int = _big()
    action_id: str
    revision: int
    context: str = _long()
    updated_at: int = _big(index=True)
    open_since: int | None = Field(default=None, sa_column=Column(BigInteger))
    ended_number: int | None = Field(default=None, sa_column=Column(BigInteger))


class GateRow(SQLModel, table=True):
    """What all nodes know of a host, or of a credential at a host: see `hookengine.domain.gate`."""

    __tablename__ = "gate"

    key: str = Field(primary_key=True)
    open_at: int = _big()
    failures: int = 0
    trips: int = 0
    probed_at: int = _big(server_default="-1")
    recovering_since: int = _big(server_default="-1")
    passed: str = _long()
    updated_at: int = _big()


class LaneRow(SQLModel, table=True):
    """`due_at` says when a lane with a head may be claimed, and when one without came to rest.

    `waits_for` names the gate or the room that its head waits for although it is due. `sha` is the commit
    whose status it changes, if it is known to.
    """

    __tablename__ = "lane"
    __table_args__ = (
        Index(
            "lane_due",
            "due_at",
            sqlite_where=text(_CLAIMABLE),
            postgresql_where=text(_CLAIMABLE),
        ),
        Index(
            "lane_waits_for",
            "waits_for",
            "due_at",
            sqlite_where=text("waits_for IS NOT NULL"),
            postgresql_where=text("waits_for IS NOT NULL"),
        ),
        Index(
            "lane_commit",
            "sha",
            sqlite_where=text("sha IS NOT NULL"),
            postgresql_where=text("sha IS NOT NULL"),
        ),
        Index(
            "lane_at_rest",
            "due_at",
            sqlite_where=text("head_id IS NULL"),
            postgresql_where=text("head_id IS NULL"),
        ),
        CheckConstraint("token IS NULL OR head_id IS NOT NULL", name="lease_has_head"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, sa_column=Column(_BIG, primary_key=True))
    key: str = Field(unique=True)
    policy: str
    sha: str | None = None
    head_id: str | None = None
    due_at: int = _big(server_default="0")
    waits_for: str | None = None
    token: int | None = Field(default=None, sa_column=Column(BigInteger))
    not_before: int = _big(server_default="0")
    next_seq: int = _big(server_default="1")
    scope: str | None = None
    newest_number: int | None = Field(default=None, sa_column=Column(BigInteger))
    newest_first: int | None = Field(default=None, sa_column=Column(BigInteger))
    newest_rank: int | None = None
    newest_seq: int | None = Field(default=None, sa_column=Column(BigInteger))
    shown_id: str | None = None
    shown_digest: str | None = None
    cleared_to: int = _big(server_default="0")
    doubt_until: int = _big(server_default="0")


class RequestRow(SQLModel, table=True):
    """A rendered request, apart from the delivery whose row changes; repairs and replays share it."""

    __tablename__ = "request"

    id: str = Field(primary_key=True)
    document: str = _long()


class DeliveryRow(SQLModel, table=True):
    """`lane_id` is NULL only for a delivery born failed: it could not be rendered and takes no lane.

    `host` is whom the request goes to, `account` whose credential it carries there, `rate` what that allows.
    `part` is which of its hook's requests it is, `provides` what it need not be sent for once it is known.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        *_checks("delivery_status", lambda one_of: one_of("status", _STATUSES)),
        *_checks("ended_has_time", lambda one_of: f"(ended_at IS NOT NULL) = ({one_of('status', _ENDED)})"),
        Index(
            "delivery_once",
            "event_id",
            "hook_id",
            "part",
            unique=True,
            sqlite_where=text("replay_of IS NULL AND repair_of IS NULL"),
            postgresql_where=text("replay_of IS NULL AND repair_of IS NULL"),
        ),
        Index(
            "delivery_waiting",
            "lane_id",
            "seq",
            sqlite_where=text(_WAITING),
            postgresql_where=text(_WAITING),
        ),
        Index(
            "delivery_in_doubt",
            "lane_id",
            "doubt_until",
            sqlite_where=text("doubt_until > 0"),
            postgresql_where=text("doubt_until > 0"),
        ),
        Index("delivery_lane", "lane_id", "ended_at"),
        Index("delivery_ended", "status", "ended_at"),
        Index("delivery_hook", "hook_id", "id"),
    )

    id: str = Field(primary_key=True)
    event_id: str = Field(index=True)
    hook_id: str
    hook_revision: int
    lane_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    request_id: str | None = None
    digest: str = ""
    host: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    account: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    rate: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    part: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    provides: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    number: int | None = Field(default=None, sa_column=Column(BigInteger))
    first_seq: int = _big()
    rank: int
    seq: int = _big()
    status: str
    attempts: int = 0
    strikes: int = 0
    cancel_asked: bool = False
    doubt_until: int = _big(server_default="0")
    superseded_by: str | None = None
    because: str = _long()
    replay_of: str | None = None
    repair_of: str | None = None
    accepted_at: int = _big()
    ended_at: int | None = Field(default=None, sa_column=Column(BigInteger))


class CaptureRow(SQLModel, table=True):
    """What an answer told, as JSON text, for the later requests of its lane and action."""

    __tablename__ = "capture"

    lane_id: int = Field(sa_column=Column(_BIG, primary_key=True, autoincrement=False))
    action_seq: int = Field(sa_column=Column(_BIG, primary_key=True, autoincrement=False))
    name: str = Field(primary_key=True)
    value: str = _long()


class AttemptRow(SQLModel, table=True):
    """Written before any byte leaves. `closed_by` is holder or rescue; a result that comes late is kept."""

    __tablename__ = "attempt"

    delivery_id: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    token: int = Field(sa_column=Column(BigInteger, nullable=False, unique=True))
    node: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    started_at: int = _big()
    finished_at: int | None = Field(default=None, sa_column=Column(BigInteger))
    outcome: str | None = None
    detail: str | None = Field(default=None, sa_column=Column(Text))
    certainty: str | None = None
    verdict: str | None = None
    because: str | None = Field(default=None, sa_column=Column(Text))
    next_at: int | None = Field(default=None, sa_column=Column(BigInteger))
    closed_by: str | None = None
    late_outcome: str | None = None
    late_at: int | None = Field(default=None, sa_column=Column(BigInteger))


class ReplayRow(SQLModel, table=True):
    """A replay of many. `wanted` says which deliveries, up to the one of id `up_to`; `place` is the last one done.

    `due_at` is when the next ones may go; whoever takes them moves it on.
    """

    __tablename__ = "replay"
    __table_args__ = (
        Index(
            "replay_due",
            "due_at",
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
    )

    id: str = Field(primary_key=True)
    mode: str
    wanted: str = _long()
    per_minute: int
    state: str
    total: int
    replayed: int
    refused: int
    problems: str = _long()
    up_to: str
    place: str
    due_at: int = _big()
    created_at: int = _big()
    ended_at: int | None = Field(default=None, sa_column=Column(BigInteger))
