"""`hookengine render`"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from hookengine.cli import showing
from hookengine.cli.failing import NO, AnswerIsNo, Misused
from hookengine.cli.offline import Configuration, read
from hookengine.cli.options import config_option, json_of, output_option, text_of
from hookengine.domain.clock import SystemClock
from hookengine.domain.event import Event
from hookengine.domain.hook import Hook
from hookengine.domain.pipeline import Pipeline
from hookengine.domain.request import RenderedRequest
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.preview import Preview, preview, sample_event
from hookengine.errors import InvalidEvent
from hookengine.manifest.checking import unknown_name
from hookengine.store.care import Definitions

SAMPLE = "sample:"


@click.command()
@config_option
@click.option("--hook", "wanted", metavar="NAME|ID", required=True, help="A name may be that of several.")
@click.option(
    "--event", "source", metavar="FILE|-|sample:TYPE", required=True, help="Such as sample:action.failed."
)
@click.option("--ignore-conditions", is_flag=True, help="Render hooks that do not match, too.")
@output_option
@click.pass_context
def render(
    ctx: click.Context, config: Path, wanted: str, source: str, ignore_conditions: bool, output: str
) -> None:
    """Show what a hook would send for an event. Nothing is sent and no secret is read.

    Exit code 1: no such hook matches the event, or one cannot be rendered.
    """
    configuration = read(config, os.environ)
    hooks = _find(configuration, wanted)
    try:
        previews = _Stage(configuration, source).previews(hooks, ignore_conditions=ignore_conditions)
    except InvalidEvent as error:
        lines = [f"  {field}: {said}" for field, messages in error.errors.items() for said in messages]
        raise AnswerIsNo(["the event is not valid", *lines]) from error
    if not showing.as_data({"items": [shown.shown() for shown in previews]}, output):
        _show(previews)
    if any(shown.error for shown in previews) or not any(shown.request for shown in previews):
        ctx.exit(NO)


def _find(configuration: Configuration, wanted: str) -> list[Hook]:
    hooks = configuration.manifest.hooks
    found = [hook for hook in hooks if hook.id == wanted] or [hook for hook in hooks if hook.name == wanted]
    if not found:
        known = {hook.name for hook in hooks} | {hook.id for hook in hooks}
        raise Misused(unknown_name("hook", wanted, known))
    return found


class _Stage:
    """Where an event meets hooks: read from a file once, or made up for each hook's pipeline."""

    def __init__(self, configuration: Configuration, source: str) -> None:
        manifest = configuration.manifest
        self._configuration = configuration
        self._catalogue = Catalogue(Definitions(pipelines=manifest.pipelines))
        self._now = SystemClock().now()
        self._type = source.removeprefix(SAMPLE) if source.startswith(SAMPLE) else None
        self._document = json_of(text_of(source), source) if self._type is None else None

    def previews(self, hooks: Sequence[Hook], *, ignore_conditions: bool) -> list[Preview]:
        """Raises InvalidEvent."""
        shown = []
        for hook in hooks:
            event = Event.parse(self._document or self._sample(hook))
            pipeline = self._pipeline(event.pipeline)
            vault = self._configuration.vault
            shown.append(
                preview(
                    hook,
                    pipeline,
                    event,
                    vault,
                    self._now,
                    self._configuration.settings.permissions,
                    ignore_conditions=ignore_conditions,
                )
            )
        return shown

    def _sample(self, hook: Hook) -> dict[str, Any]:
        """Of the hook's own pipeline; for a hook of all pipelines, of the first."""
        known = self._catalogue.pipelines
        own = next((pipeline for pipeline in known if pipeline.id == hook.pipeline_id), None)
        pipeline = own or (known[0] if known else self._catalogue.new_pipeline(1))
        incoming = self._configuration.manifest.incoming_hooks
        return sample_event(self._type or "", pipeline, incoming, self._now)

    def _pipeline(self, reference: int | str) -> Pipeline:
        made = not self._catalogue.pipelines or self._configuration.settings.events.create_pipelines
        if made and self._catalogue.find_pipeline(reference) is None:
            return self._catalogue.new_pipeline(reference)
        return self._catalogue.pipeline(reference)


def _show(previews: Sequence[Preview]) -> None:
    """Requests on stdout. Why a hook would not match is only worth telling if none does, or it was rendered."""
    none_matches = all(shown.why_not is not None for shown in previews)
    told = False
    for shown in previews:
        name = f"{showing.plain(shown.hook.name)} ({shown.hook.id})"
        if shown.why_not is not None and (none_matches or shown.request):
            click.echo(f"{name} does not match: {showing.plain(shown.why_not)}", err=True)
        if shown.error is not None:
            click.echo(f"{name} cannot be rendered: {showing.plain(shown.error)}", err=True)
        if shown.request is not None and shown.lane is not None:
            click.echo("\n" if told else "", nl=False)
            told = True
            key, policy = shown.lane
            click.echo(click.style(f"# {name}, lane {showing.plain(key)}, {policy.value}", dim=True))
            _show_requests(shown, shown.request)


def _show_requests(shown: Preview, own: RenderedRequest) -> None:
    """In the order in which they are sent."""
    many = len(shown.before) + 1
    for number, request in enumerate((*shown.before, own), start=1):
        if many > 1:
            click.echo(click.style(f"# request {number} of {many}", dim=True))
        showing.request({**request.shown()})
    if shown.check is not None:
        click.echo(click.style("# and to ask what is shown", dim=True))
        showing.request({**shown.check.shown()})
