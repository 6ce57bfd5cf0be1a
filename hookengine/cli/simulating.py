"""`hookengine simulate`"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Sequence

import click

from hookengine.cli.failing import Misused
from hookengine.simulators import SIMULATORS, Host, serve

FIRST_PORT = 8741
UNSIGNED = "webhook"
"""The one that checks nothing unless a secret is given."""

CONTROLS = (
    ("received", "curl {url}/_simulator/received"),
    ("shown", "curl {url}/_simulator/shown"),
    ("next fails", "curl {url}/_simulator/faults --json '{{\"fail\": 503}}'"),
)


@click.command()
@click.argument("names", nargs=-1, required=True, type=click.Choice(list(SIMULATORS)), metavar="HOST...")
@click.option(
    "--port",
    "ports",
    multiple=True,
    type=click.IntRange(0, 65535),
    help=f"One per host, in order; 0 is any free one. Else each has its own, from {FIRST_PORT} on.",
)
@click.option("--token", help="The one they know, in the place of a sample; for `webhook` the secret.")
@click.option("--limits", is_flag=True, help="Refuse what goes beyond the hosts' documented rate limits.")
def simulate(names: tuple[str, ...], ports: tuple[int, ...], token: str | None, limits: bool) -> None:
    """Run stand-ins of hosts on this machine, until Ctrl-C.

    They enforce the real rules of the hosts (states, limits of fields, credentials, errors) and keep what they
    are sent in memory. Hooks that are to reach them need `delivery.allow_networks: [127.0.0.0/8]`.

    \b
    HOST is one of: github gitlab bitbucket bitbucket_datacenter gitea forgejo
    azure_devops ilert harness_sei cdevents slack teams webhook
    """
    if len(ports) > len(names):
        raise Misused(f"{len(ports)} ports for {len(names)} hosts")
    if len(set(names)) < len(names):
        raise Misused("each host is named once")
    usual = [FIRST_PORT + list(SIMULATORS).index(name) for name in names]
    asyncio.run(_run(names, [*ports, *usual[len(ports) :]], token, limits=limits))


async def _run(names: Sequence[str], ports: Sequence[int], token: str | None, *, limits: bool) -> None:
    known = {name: _tokens(name, token) for name in names}
    hosts = [SIMULATORS[name](tokens=known[name]) for name in names]
    for host in hosts:
        if limits:
            host.enforce()
    told_to_stop = _being_told_to_stop()
    async with contextlib.AsyncExitStack() as stack:
        try:
            urls = await stack.enter_async_context(serve(hosts, ports=ports))
        except OSError as error:
            raise Misused(f"{error.strerror}: choose other ports with --port") from error
        for name, host, url in zip(names, hosts, urls, strict=True):
            _tell(host, url, known[name])
        click.echo("Ctrl-C ends it")
        await told_to_stop.wait()


def _tokens(name: str, token: str | None) -> list[str]:
    if token is not None:
        return [token]
    return [] if name == UNSIGNED else [f"sample-token-of-{name}"]


def _tell(host: Host, url: str, tokens: Sequence[str]) -> None:
    click.echo(f"{host.name}: {url}{host.api}")
    told = [("token", tokens[0]) if tokens else ("token", "none: takes what is not signed")]
    told += [(what, command.format(url=url)) for what, command in CONTROLS]
    for what, value in told:
        click.echo(f"  {what:<10}  {value}")


def _being_told_to_stop() -> asyncio.Event:
    told, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    return told
