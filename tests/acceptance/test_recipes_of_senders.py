"""The steps of the Jenkinsfile and of the workflow in docs/recipes, run as Jenkins and GitHub Actions run them."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Any

import pytest

from hookengine.manifest import load
from tests.acceptance.hosts import CONTEXT
from tests.acceptance.sources import API, Told, quiet_hook, told

pytestmark = pytest.mark.anyio

FOLDER = Path(__file__).parents[2] / "docs" / "recipes"
COMMIT = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
JENKINS = {
    "BUILD_TAG": "jenkins-shop-7",
    "BUILD_NUMBER": "7",
    "BUILD_URL": "https://ci.example.com/7",
    "GIT_COMMIT": COMMIT,
}
ACTIONS = {
    "GITHUB_RUN_ID": "30433642",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_RUN_NUMBER": "562",
    "GITHUB_SHA": COMMIT,
}


def block(page: str, language: str) -> str:
    text = (FOLDER / page).read_text("utf-8")
    return re.findall(
        rf"^<!-- not run here: [^\n]+\n```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
    )[0]


def steps_of_the_workflow() -> dict[str, str]:
    steps: list[dict[str, Any]] = load(block("from-github-actions.md", "yaml")).data["jobs"]["deploy"][
        "steps"
    ]
    return {step["name"]: step["run"] for step in steps if "run" in step}


def shell_step_of_the_jenkinsfile() -> str:
    (step,) = re.findall(r"sh '''\n(.*?)'''", block("from-jenkins.md", "groovy"), re.DOTALL)
    return step


async def run(doors: Told, folder: Path, step: str, **environment: str) -> None:
    """As both do it: the step fails with its first command that fails."""
    token = API["Authorization"].removeprefix("Bearer ")
    url = str(doors.client.base_url).rstrip("/")
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-e",
        "-c",
        step,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOOKENGINE": url, "HOOKENGINE_TOKEN": token, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


async def test_a_build_of_jenkins_tells_what_its_commit_shows(tmp_path: Path) -> None:
    told_of = re.findall(r"tell\('(\w+)'\)", block("from-jenkins.md", "groovy"))
    async with told(tmp_path) as doors:
        for what in ("started", "completed", "completed"):
            await run(doors, tmp_path, shell_step_of_the_jenkinsfile(), WHAT=what, **JENKINS)
        await doors.settled()
        shown = doors.host.shown("acme/shop", COMMIT)
        deliveries = await doors.deliveries()

    assert {context: status.state for context, status in shown.items()} == {CONTEXT: "success"}
    assert len(deliveries) == 2
    assert told_of == ["started", "completed", "failed", "cancelled"]


@pytest.mark.parametrize(
    ("status", "state"), [("success", "success"), ("failure", "failure"), ("cancelled", "error")]
)
async def test_a_workflow_tells_what_its_commit_shows(tmp_path: Path, status: str, state: str) -> None:
    steps = steps_of_the_workflow()
    environment = {**ACTIONS, "RUN_URL": "https://github.com/acme/shop/actions/runs/1"}
    async with told(tmp_path) as doors:
        await run(doors, tmp_path, steps["say that it has started"], **environment)
        await run(doors, tmp_path, steps["say how it ended"], STATUS=status, **environment)
        await doors.settled()
        shown = doors.host.shown("acme/shop", COMMIT)

    assert {context: status.state for context, status in shown.items()} == {CONTEXT: state}


async def test_a_step_fails_when_it_is_not_let_in(tmp_path: Path) -> None:
    async with told(tmp_path, quiet_hook("action.started")) as doors:
        with pytest.raises(AssertionError, match="401"):
            await run(
                doors,
                tmp_path,
                shell_step_of_the_jenkinsfile().replace("--retry 5", "--retry 0"),
                **{**JENKINS, "WHAT": "started", "HOOKENGINE_TOKEN": "wrong"},
            )
