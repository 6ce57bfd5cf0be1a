from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hookengine.config import read_config
from hookengine.errors import ConfigError
from hookengine.simulators import GitHub, serve
from tests.acceptance.configs import TOKEN, Config, a_config, a_hook, event, write_config
from tests.acceptance.engines import opened
from tests.acceptance.hosts import CONTEXT, GITHUB, states

pytestmark = pytest.mark.anyio

FROM_CONTEXT = "canary/context+0b1e6c44f2a94d"


def provided(token: str) -> dict[str, object]:
    return {"application": {"source_provider": {"access_token": token}}}


LOG_A_BUG = """
import logging, sys
from hookengine.cli.logs import log_to_stderr

log_to_stderr(sys.argv[1], "info")

def send(token):
    raise RuntimeError("a bug")

try:
    send("canary-in-a-local-variable"[:])
except RuntimeError:
    logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
"""


@pytest.mark.parametrize("style", ["json", "console"])
def test_the_traceback_of_a_bug_tells_no_local_variables(style: str) -> None:
    said = subprocess.run(
        [sys.executable, "-c", LOG_A_BUG, style], capture_output=True, text=True, timeout=60, check=True
    ).stderr

    assert "RuntimeError" in said
    assert "canary-in-a-local-variable" not in said.replace('send("canary-in-a-local-variable"[:])', "")


def hooks_for(base: str) -> list[Config]:
    """One with a named secret, one with a secret out of the context."""
    values = {"named": "{{ secrets.elsewhere }}", "context": "{{ application.source_provider.access_token }}"}
    return [
        a_hook(f"{base}/{name}", name=name, headers={"Authorization": f"Bearer {value}"})
        for name, value in values.items()
    ]


def elsewhere(*hooks: Config, **changes: Any) -> Config:
    """Secrets may go to api.github.com only."""
    config = a_config(*hooks, **changes)
    config["secrets"] |= {
        "context_hosts": ["api.github.com"],
        "elsewhere": {"env": "TOKEN_OF_HOSTS", "hosts": ["api.github.com"]},
    }
    return config


async def test_a_hook_that_sends_a_secret_elsewhere_is_a_mistake_with_its_place(tmp_path: Path) -> None:
    path = write_config(tmp_path, elsewhere(*hooks_for("https://hooks.example")))

    with pytest.raises(ConfigError) as refused:
        read_config(path, {})

    first, second = (str(problem) for problem in refused.value.problems)
    assert re.match(r".*config\.yaml:\d+:\d+: pipelines\[0\]\.hooks\[0\]\.settings\.request_headers", first)
    assert "secrets.elsewhere may not go to hooks.example, line 1, column 11 of the template" in first
    assert "if it should, add hooks.example to secrets.elsewhere.hosts" in first
    assert "application.source_provider.access_token may not go to hooks.example" in second
    assert "add hooks.example to secrets.context_hosts" in second


async def test_a_secret_goes_to_its_own_hosts_only_also_where_a_value_names_the_host(tmp_path: Path) -> None:
    github = GitHub(tokens={TOKEN})
    async with serve([github]) as (address,):
        open_url = address.replace("127.0.0.1", "{{ application.host }}")
        config = elsewhere(*hooks_for(open_url), delivery={"allow_host_values": ["127.0.0.1"]})
        told = provided(FROM_CONTEXT)["application"]
        async with opened(tmp_path, config) as engine:
            deliveries = [
                await engine.ended(delivery)
                for delivery in await engine.accept(
                    event("started", 1, application={"host": "127.0.0.1", **told})  # type: ignore[dict-item]
                )
            ]

    assert [delivery["status"] for delivery in deliveries] == ["failed", "failed"]
    assert [delivery["attempts"][0]["outcome"] for delivery in deliveries] == ["blocked", "blocked"]
    assert all("may not go to 127.0.0.1" in delivery["because"] for delivery in deliveries)
    assert github.received == []


async def test_a_value_names_no_host_that_the_operator_has_not_listed(tmp_path: Path) -> None:
    hook = a_hook("https://{{ application.host }}/x")
    config = a_config(hook, delivery={"allow_host_values": ["git.example"]})
    async with opened(tmp_path, config) as engine:
        refused, *_ = await engine.accept(event("started", 1, application={"host": "evil.example"}))
        because = (await engine.delivery(refused))["because"]

    assert "target_url, line 1, column 12: the value is not one of the hosts that a value may name" in because
    assert "delivery.allow_host_values" in because
    assert "evil" not in because


async def test_of_a_secret_that_was_changed_the_newest_is_sent(tmp_path: Path) -> None:
    github = GitHub(tokens={"the-new-token"})
    github.fail_next(503)
    async with serve([github]) as (address,):
        hook = GITHUB.preset_hook(address)
        del hook["with"]["token"]  # its default is the token that came with the event
        async with opened(tmp_path, a_config(hook)) as engine:
            (delivery,) = await engine.accept(event("completed", 1, **provided("the-old-token")))
            await engine.tried(delivery)
            await engine.engine.accept(
                {**event("x", 2, **provided("the-new-token")), "type": "token.changed"}
            )
            engine.later(seconds=60)
            ended = await engine.ended(delivery)

    assert ended["status"] == "delivered"
    assert states(github, 1) == {CONTEXT: "success"}
    assert [received.headers["authorization"] for received in github.received] == [
        "Bearer the-old-token",
        "Bearer the-new-token",
    ]


async def test_without_the_key_of_its_secrets_the_engine_tries_again_and_says_why(tmp_path: Path) -> None:
    github = GitHub(tokens={FROM_CONTEXT})
    github.fail_next(503)
    async with serve([github]) as (address,):
        hook = GITHUB.preset_hook(address)
        del hook["with"]["token"]
        async with opened(tmp_path, a_config(hook)) as engine:
            (delivery,) = await engine.accept(event("completed", 1, **provided(FROM_CONTEXT)))
            await engine.tried(delivery)
        (tmp_path / "hookengine.key").unlink()
        engine.clock.advance(seconds=60)
        async with opened(tmp_path, a_config(hook), engine.clock) as engine:
            await engine.tried(delivery, 2)
            waiting = await engine.delivery(delivery)

    assert waiting["status"] == "retrying"
    assert "which is not in the key file" in waiting["because"]
    assert waiting["attempts"][1]["certainty"] == "unsent"
