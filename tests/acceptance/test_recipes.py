"""The configuration on every page of docs/recipes, run against a stand-in of its service over real sockets."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hookengine.manifest import Presets, load
from hookengine.simulators import SIMULATORS, Host, Shown, serve
from tests.acceptance.configs import event, sha_of
from tests.acceptance.engines import Opened, opened

pytestmark = pytest.mark.anyio

FOLDER = Path(__file__).parents[2] / "docs" / "recipes"
SERVICES = sorted(
    page.stem for page in FOLDER.glob("*.md") if page.stem != "README" and not page.stem.startswith("from-")
)
STATUSES = [name for name in SERVICES if f"{name}/commit-status" in Presets().names]
DOUBTING = [name for name in STATUSES if name != "bitbucket_datacenter"]
"""Data Center tells an unknown commit by the same 400 as a wrong field."""
SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two characters").decode()
LIFECYCLE = ("queued", "started", "completed", "failed", "cancelled", "timed_out")
FINISHED = LIFECYCLE[2:]
NOTHING = "nothing"
OUTSIDE_RULES = ("there is no commit hash", "not the full hash of a commit", "addresses are not cut")
STATED_BY_TEMPLATES = ("action.started_at is not in the context",)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    service: str
    config: dict[str, Any]
    states: Mapping[str, str]  # what is shown after each event
    errors: tuple[str, ...]


def recipe_of(page: str) -> Recipe:
    """A page is named after its service; what it shows of it besides may stand behind a dash."""
    text = (FOLDER / f"{page}.md").read_text()
    (yaml,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return Recipe(
        service=page.partition("-")[0],
        config=load(yaml).data,
        states=dict(re.findall(r"^\| `action\.(\w+)` \| (.+) \|$", text, re.MULTILINE)),
        errors=tuple(re.findall(r"^\| `([^`]+)` \| ", text.partition("you read")[2], re.MULTILINE)),
    )


def pointed_at(address: str, config: dict[str, Any]) -> dict[str, Any]:
    """The page's configuration with nothing changed but the address, and where its secret is read."""
    (hook,) = config["hooks"]
    blanks = hook["with"]
    name = "url" if "url" in Presets().get(hook["preset"]).params else "base_url"
    if "sig=" in blanks.get("url", ""):
        address += f"?api-version=1&sig={SECRET}"
    secrets = {
        secret: {"env": "SECRET_OF_RECIPES", "hosts": ["127.0.0.1"]} for secret in config.get("secrets", {})
    }
    return {
        **config,
        "server": {"port": 0},
        "auth": {"enabled": False},
        "delivery": {"allow_networks": ["127.0.0.0/8"]},
        "secrets": secrets,
        "hooks": [{**hook, "with": {**blanks, name: address}, "retry": {"waits": ["1m"], "jitter": 0}}],
    }


class Stage:
    """An engine that runs a recipe, and the stand-in it talks to."""

    def __init__(self, engine: Opened, host: Host) -> None:
        self.engine, self.host = engine, host

    async def shown_after(self, kind: str, number: int) -> list[Shown]:
        """What is shown differently once this event has been told."""
        before = dict(self.host.contexts())
        for delivery in await self.engine.accept(event(kind, number)):
            await self.engine.ended(delivery)
        self.engine.later(seconds=2)  # what the rates of presets want between two requests
        return [entry for place, entry in self.host.contexts().items() if before.get(place) != entry]

    async def ending_of(self, kind: str, number: int, **action: Any) -> dict[str, Any]:
        """The delivery of an event, after all the tries it gets in an hour."""
        (delivery,) = await self.engine.accept(event(kind, number, action=action))
        for attempt in range(1, 60):
            told = await self.engine.ears.wait_for_any(delivery, attempt)
            if told == "delivery.ended":
                break
            self.engine.later(seconds=61)
        return await self.engine.delivery(delivery)


@asynccontextmanager
async def played(recipe: Recipe, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setenv("SECRET_OF_RECIPES", SECRET)
    host = SIMULATORS[recipe.service](tokens=[SECRET])
    async with (
        serve([host]) as (address,),
        opened(folder, pointed_at(address + host.api, recipe.config)) as engine,
    ):
        host.clock = engine.clock.now
        yield Stage(engine, host)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_recipe_shows_what_its_page_says(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_of(service)
    assert tuple(recipe.states) == LIFECYCLE
    shown: dict[str, str] = {}

    async with played(recipe, tmp_path, monkeypatch) as stage:
        for number, kind in enumerate(LIFECYCLE, start=1):
            if kind in FINISHED:
                await stage.shown_after("started", number)
            changed = await stage.shown_after(kind, number)
            shown[kind] = changed[0].state.replace(f"/{number}|", "/ID|") if changed else NOTHING
            assert len(changed) == (shown[kind] != NOTHING)

    assert shown == recipe.states


@pytest.mark.parametrize("service", SERVICES)
def test_the_errors_on_a_page_are_those_its_preset_tells(service: str) -> None:
    recipe = recipe_of(service)
    (hook,) = recipe.config["hooks"]
    told = [*(rule.because for rule in Presets().responses(hook["preset"])), *STATED_BY_TEMPLATES]

    assert len(recipe.errors) >= 2
    for error in recipe.errors:
        assert any(error in because for because in told) or any(known in error for known in OUTSIDE_RULES), (
            error
        )


@pytest.mark.parametrize("service", SERVICES)
async def test_a_token_that_the_service_does_not_know_is_a_failure_that_says_so(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with played(recipe_of(service), tmp_path, monkeypatch) as stage:
        await stage.shown_after("started", 1)
        before = dict(stage.host.contexts())
        stage.host.tokens = ["another"]
        delivery = await stage.ending_of("failed", 1)

    assert delivery["status"] == "failed"
    assert re.search("token|signature", delivery["because"])
    assert SECRET not in str(delivery["because"])
    assert stage.host.contexts() == before


@pytest.mark.parametrize("service", [*STATUSES, "harness_sei", "cdevents", "slack"])
async def test_a_token_that_may_only_read_is_a_failure_that_names_the_scope(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with played(recipe_of(service), tmp_path, monkeypatch) as stage:
        await stage.shown_after("started", 1)
        stage.host.readers = [SECRET]
        delivery = await stage.ending_of("failed", 1)

    assert (delivery["status"], len(delivery["attempts"])) == ("failed", 1)
    assert "scope" in delivery["because"]


@pytest.mark.parametrize("service", SERVICES)
async def test_a_rate_limit_delays_and_loses_nothing(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_of(service)
    async with played(recipe, tmp_path, monkeypatch) as stage:
        await stage.shown_after("started", 1)
        stage.host.fail_next(429, times=2)
        delivery = await stage.ending_of("failed", 1)

    assert (delivery["status"], len(delivery["attempts"])) == ("delivered", 3)
    assert list(stage.host.contexts().values())[-1].state.replace("/1|", "/ID|") == recipe.states["failed"]


@pytest.mark.parametrize("service", STATUSES)
async def test_a_commit_that_the_host_does_not_know_is_given_up_after_a_few_tries(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with played(recipe_of(service), tmp_path, monkeypatch) as stage:
        stage.host.commits = {sha_of(9)}
        delivery = await stage.ending_of("completed", 1)

    assert delivery["status"] == "failed"
    assert len(delivery["attempts"]) <= 4
    assert re.search("commit", delivery["because"])


@pytest.mark.parametrize("service", DOUBTING)
async def test_a_commit_that_becomes_known_in_time_gets_its_status(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_of(service)
    async with played(recipe, tmp_path, monkeypatch) as stage:
        stage.host.commits = set()
        (delivery,) = await stage.engine.accept(event("completed", 1))
        await stage.engine.tried(delivery)
        stage.host.commits = {sha_of(1)}
        stage.engine.later(seconds=61)
        ended = await stage.engine.ended(delivery)

    assert ended["status"] == "delivered"
    assert [entry.state for entry in stage.host.contexts().values()] == [recipe.states["completed"]]


@pytest.mark.parametrize("service", ["github", "slack"])
async def test_a_redirect_is_not_followed_and_its_address_is_told(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with played(recipe_of(service), tmp_path, monkeypatch) as stage:
        await stage.shown_after("started", 1)
        stage.host.fail_next(307, headers={"Location": "https://new.example/elsewhere"})
        delivery = await stage.ending_of("failed", 1)

    assert delivery["status"] == "failed"
    assert delivery["because"].endswith("; its new address is https://new.example/elsewhere")


@pytest.mark.parametrize("service", ["github", "bitbucket_datacenter"])
async def test_a_missing_commit_stops_before_the_network(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with played(recipe_of(service), tmp_path, monkeypatch) as stage:
        (delivery,) = await stage.engine.accept({"type": "action.failed", "action": {"id": 1, "pipeline": 1}})
        ended = await stage.engine.delivery(delivery)

    assert ended["status"] == "failed"
    assert "there is no commit hash: action.triggered_from" in ended["because"]
    assert "the variable `commit_hash` of the incoming hook" in ended["because"]
    assert stage.host.received == []


@pytest.mark.parametrize("service", STATUSES)
async def test_two_runs_on_one_commit_write_one_status(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_of(service)
    commit = {"triggered_from": {"hook_parsed_variables": {"commit_hash": sha_of(7)}}}
    async with played(recipe, tmp_path, monkeypatch) as stage:
        for number, kind in ((1, "failed"), (2, "completed")):
            await stage.ending_of(kind, number, **commit)

    assert len(stage.host.contexts()) == 1
    assert [entry.state for entry in stage.host.contexts().values()] == [recipe.states["completed"]]
