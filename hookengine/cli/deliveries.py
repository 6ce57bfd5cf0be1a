"""`hookengine deliveries`"""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from hookengine.cli import showing
from hookengine.cli.options import output_option, talks_to_a_server
from hookengine.cli.showing import plain, relative
from hookengine.domain import attempt as attempts
from hookengine.domain.delivery import DeliveryStatus

if TYPE_CHECKING:
    from hookengine.cli.client import Client

STATUSES: Final = [str(status) for status in DeliveryStatus]
VERDICTS: Final = {"Accept": "done", "TryAgain": "try again", "GiveUp": "give up"}
OUTCOMES: Final[dict[str, type[Any]]] = {
    kind.__name__: kind
    for kind in (
        attempts.Answered,
        attempts.Unreachable,
        attempts.TimedOut,
        attempts.Blocked,
        attempts.Unrenderable,
        attempts.Unknown,
    )
}


@click.group()
def deliveries() -> None:
    """See what is owed, and what was tried."""


@deliveries.command("list")
@click.option("--status", type=click.Choice(STATUSES), metavar="STATUS", help=f"{', '.join(STATUSES)}.")
@click.option("--event", metavar="ID", help="Only those of this event.")
@click.option("--hook", metavar="ID", help="Only those of this hook.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--before", metavar="ID", help="Go on after the delivery at which the last list ended.")
@output_option
@talks_to_a_server
def list_deliveries(client: Client, output: str, **wanted: Any) -> None:
    """List deliveries, the newest first."""
    found = client.get("/api/deliveries", wanted)
    if showing.as_data(found, output):
        return
    now = showing.now()
    headings = ("ID", "STATUS", "EVENT", "HOOK", "TRIES", "ACCEPTED", "NEXT TRY", "BECAUSE")
    if found["items"]:
        showing.table(headings, [_row(item, now) for item in found["items"]])
    else:
        click.echo("no deliveries", err=True)
    if found["next"]:
        click.echo(f"there are more: --before {found['next']}", err=True)


def _row(item: dict[str, Any], now: datetime) -> tuple[str, ...]:
    return (
        item["id"],
        showing.status(item["status"]),
        plain(item["event"]["type"] or ""),
        plain(item["hook"]["name"] or item["hook"]["id"]),
        str(item["attempts_made"]),
        relative(item["accepted_at"], now),
        relative(item["next_attempt_at"], now),
        plain(item["because"] or ""),
    )


@deliveries.command("get")
@click.argument("delivery_id", metavar="ID")
@output_option
@talks_to_a_server
def get_delivery(client: Client, delivery_id: str, output: str) -> None:
    """Show one delivery: its request, every attempt, and what came of each."""
    delivery = client.get("/api/deliveries/{}", identity=delivery_id)
    if showing.as_data(delivery, output):
        return
    now = showing.now()
    click.echo(f"{click.style(delivery['id'], bold=True)}  {showing.status(delivery['status'])}")
    click.echo()
    showing.facts(_facts(delivery, now))
    if delivery["request"] is not None:
        click.echo()
        showing.request(delivery["request"])
    for attempt in delivery["attempts"]:
        click.echo()
        _show_attempt(attempt, now)


def _facts(delivery: dict[str, Any], now: datetime) -> list[tuple[str, str | None]]:
    lane, hook, event = delivery["lane"], delivery["hook"], delivery["event"]
    return [
        ("because", plain(delivery["because"] or "")),
        ("event", plain(f"{event['id']}  {event['type'] or ''}")),
        ("hook", plain(f"{hook['id']}  {hook['name'] or ''}")),
        ("lane", plain(f"{lane['key']}  {lane['policy']}") if lane else None),
        ("accepted", _when(delivery["accepted_at"], now)),
        ("ended", _when(delivery["ended_at"], now)),
        ("next try", _when(delivery["next_attempt_at"], now)),
        ("superseded by", delivery["superseded_by"]),
        ("repair of", delivery["repair_of"]),
        ("replay of", delivery["replay_of"]),
    ]


def _when(moment: str | None, now: datetime) -> str | None:
    return None if moment is None else f"{moment}  {relative(moment, now)}"


def _show_attempt(attempt: dict[str, Any], now: datetime) -> None:
    number = click.style(f"attempt {attempt['number']}", bold=True)
    if attempt["outcome"] is None:
        click.echo(f"{number}  is under way since {relative(attempt['started_at'], now)}")
        return
    detail = attempt["detail"] or {}
    outcome = _outcome(attempt["outcome"], detail)
    click.echo(f"{number}  {plain(outcome)}{_took(attempt)}")
    showing.facts(
        [
            ("  started", _when(attempt["started_at"], now)),
            ("  verdict", plain(_verdict(attempt, outcome))),
            ("  next try", _when(attempt["next_attempt_at"], now)),
            ("  came late", attempt["late_outcome"]),
            ("  answer", _excerpt(detail.get("body", ""))),
        ]
    )


def _outcome(kind: str, detail: dict[str, Any]) -> str:
    """In the engine's own words, of what was kept."""
    outcome = OUTCOMES[kind]
    known = {field.name for field in fields(outcome)} & detail.keys()
    return attempts.describe(outcome(**{name: detail[name] for name in known}))


def _verdict(attempt: dict[str, Any], outcome: str) -> str:
    """With its reason, unless that is the outcome itself."""
    verdict = VERDICTS.get(attempt["verdict"] or "", "")
    return verdict if attempt["because"] in (None, outcome) else f"{verdict}: {attempt['because']}"


def _took(attempt: dict[str, Any]) -> str:
    if attempt["finished_at"] is None:
        return ""
    started, finished = (datetime.fromisoformat(attempt[key]) for key in ("started_at", "finished_at"))
    return f"  after {round((finished - started).total_seconds() * 1000)} ms"


def _excerpt(body: str) -> str:
    """One line of an answer, to see what it was about; `-o json` has all that was kept."""
    line = " ".join(plain(body).split())
    return line if len(line) <= 200 else line[:200] + "…"
