"""One delivery on a terminal: its request, and every attempt with what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from typing import Any, Final, get_args

import click

from hookengine.cli import showing
from hookengine.cli.showing import plain, relative
from hookengine.domain import attempt as attempts

VERDICTS: Final = {"accept": "done", "try_again": "try again", "give_up": "give up"}
KINDS: Final[dict[str, type[Any]]] = {
    attempts.OUTCOMES[kind.__name__]: kind for kind in get_args(attempts.Outcome)
}


def show(delivery: dict[str, Any], now: datetime) -> None:
    click.echo(f"{click.style(delivery['id'], bold=True)}  {showing.status(delivery['status'])}")
    click.echo()
    showing.facts(_facts(delivery, now))
    if delivery["request"] is not None:
        click.echo()
        showing.request(delivery["request"])
    for attempt in delivery["attempts"]:
        click.echo()
        _show_attempt(attempt, now)


def show_attempts(made: Iterable[dict[str, Any]], now: datetime) -> None:
    for number, attempt in enumerate(made):
        if number:
            click.echo()
        _show_attempt(attempt, now)


def _facts(delivery: dict[str, Any], now: datetime) -> list[tuple[str, str | None]]:
    lane, hook, event = delivery["lane"], delivery["hook"], delivery["event"]
    return [
        ("because", plain(delivery["because"] or "")),
        ("event", plain(f"{event['id']}  {event['type'] or ''}")),
        ("hook", plain(f"{hook['id']}  {hook['name'] or ''}")),
        ("request", _part(delivery)),
        ("lane", plain(f"{lane['key']}  {lane['policy']}") if lane else None),
        ("accepted", _when(delivery["accepted_at"], now)),
        ("ended", _when(delivery["ended_at"], now)),
        ("waits for", plain(delivery.get("waits_for") or "")),
        ("next try", _when(delivery["next_attempt_at"], now)),
        ("superseded by", delivery["superseded_by"]),
        ("repair of", delivery["repair_of"]),
        ("replay of", delivery["replay_of"]),
    ]


def _part(delivery: dict[str, Any]) -> str | None:
    """Which of its hook's requests it is, if it makes several."""
    part = delivery.get("part")
    if delivery.get("check"):
        return "asks what is shown"
    if part is None:
        return None
    return plain(f"{part['number']} of {part['of']}" + (f", {part['name']}" if part["name"] else ""))


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
    outcome = KINDS[kind]
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
