"""The command `hookengine`: finds the command that was asked for, and says how things went wrong."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import click

from hookengine import __version__
from hookengine.cli.asking import PLACES
from hookengine.cli.failing import EXIT_CODES, INTERRUPTED, Bug, Misused, Unreachable
from hookengine.errors import ConfigError, HookEngineError, StoreError

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "demo": ("hookengine.cli.demo:demo", "Watch pipeline runs become commit statuses on three hosts."),
    "init": ("hookengine.cli.starting:init", "Write a configuration, a key and a token to start with."),
    "serve": ("hookengine.cli.serving:serve", "Accept events and deliver what they owe."),
    "emit": ("hookengine.cli.emitting:emit", "Tell the engine what happened to an action."),
    "trigger": ("hookengine.cli.emitting:trigger", "Post to an incoming hook, which starts an action."),
    "deliveries": (
        "hookengine.cli.deliveries:deliveries",
        "See what is owed and what was tried; send it again, or cancel it.",
    ),
    "replays": ("hookengine.cli.replays:replays", "Send many deliveries again."),
    "actions": ("hookengine.cli.actions:actions", "See runs of pipelines and what became of their news."),
    "events": ("hookengine.cli.events:events", "See what was told, and why hooks matched it or not."),
    "status": ("hookengine.cli.commits:status", "Tell what a commit shows, and why."),
    "deployments": (
        "hookengine.cli.deployments:deployments",
        "Tell what was deployed around an alert.",
    ),
    "hooks": ("hookengine.cli.defined:hooks", "See, make, change and switch hooks."),
    "pipelines": ("hookengine.cli.defined:pipelines", "See pipelines."),
    "render": ("hookengine.cli.rendering:render", "Show what a hook would send for an event; sends nothing."),
    "test": ("hookengine.cli.trying:test", "Send one real request of a hook, and show the answer."),
    "simulate": (
        "hookengine.cli.simulating:simulate",
        "Run stand-ins of GitHub, GitLab and others to try hooks on.",
    ),
    "secrets": (
        "hookengine.cli.secrets:secrets",
        "Set secrets that the database keeps sealed; rotate the key.",
    ),
    "tokens": ("hookengine.cli.tokens:tokens", "Make and revoke API tokens."),
    "validate": ("hookengine.cli.checking:validate", "Check configuration files; sends nothing."),
    "diff": ("hookengine.cli.applying:diff", "Show what applying files would change."),
    "apply": ("hookengine.cli.applying:apply", "Make what is defined what files say."),
    "export": ("hookengine.cli.exporting:export", "Write all pipelines and hooks as a file."),
    "schema": (
        "hookengine.cli.schema:schema",
        "Print the JSON Schema of the configuration file, for editors.",
    ),
    "postman": (
        "hookengine.cli.postman:postman",
        "Write the API as a collection for Postman and others.",
    ),
    "completion": (
        "hookengine.cli.completion:completion",
        "Print what makes a shell complete commands and options.",
    ),
    "openapi": (
        "hookengine.cli.describing:openapi",
        "Print the OpenAPI document of the API, or its reference.",
    ),
    "migrate": ("hookengine.cli.checking:migrate", "Bring the database to the newest tables."),
    "version": ("hookengine.cli.main:version", "Print the version."),
}
"""Name, where it lives, and its one line: `--help` imports none of them."""


class Commands(click.Group):
    """Imports a command when it is called, so that none waits for what only another one needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f", did you mean '{near[0]}'?" if near else f"; there is {', '.join(COMMANDS)}"
            raise click.UsageError(f"there is no command '{args[0]}'{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except ConfigError as error:
            raise Misused(map(str, error.problems)) from error
        except StoreError as error:
            raise Unreachable(str(error)) from error
        except HookEngineError as error:
            raise Misused(str(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE or error.strerror is None:
                raise
            place = f"{error.filename}: " if error.filename is not None else ""
            raise Misused(f"{place}{error.strerror}") from error
        except (click.exceptions.Exit, click.Abort, click.ClickException):
            raise
        except Exception as error:
            if ctx.params.get("traceback"):
                raise
            said = f"unexpected {type(error).__name__}: {error}"
            raise Bug([said, "this is a bug; `hookengine --traceback ...` shows where"]) from error


@click.group(
    cls=Commands,
    epilog=f"{PLACES}\n\n{EXIT_CODES}",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="hookengine %(version)s")
@click.option("--traceback", is_flag=True, hidden=True)
@click.pass_context
def main(ctx: click.Context, traceback: bool) -> None:
    """Outgoing webhooks with templates, order and durable retries: commit statuses that end up true."""
    if os.environ.get("NO_COLOR"):
        ctx.color = False


@click.command()
def version() -> None:
    """Print the version."""
    click.echo(f"hookengine {__version__}")
