"""What stands in examples/ runs, and is what it says it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from hookengine.config import read_config

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_a_platform_that_embeds_the_engine_tells_the_commit_what_became_of_it() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / "embed.py")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ci/shop(deploy): ")
    assert "failure" in done.stdout
    assert done.stdout.endswith(" -> success\n")


def test_the_pull_request_fills_every_variable_of_the_demos_incoming_hooks() -> None:
    payload = json.loads((EXAMPLES / "pull_request.json").read_bytes())
    _, manifest = read_config(EXAMPLES / "demo.yaml", {})

    for hook in manifest.incoming_hooks:
        assert hook.first_failing(payload) is None
        assert hook.parse(payload) == {
            "commit_hash": "6dcb09b5b57875f334f61aebed695e2e4193db5e",
            "pull_request_id": 42,
            "pull_request_title": "Show prices with taxes",
            "source_ref": "prices-with-taxes",
        }


def test_a_pull_request_without_a_branch_counts_as_one_from_main() -> None:
    _, manifest = read_config(EXAMPLES / "demo.yaml", {})

    parsed = manifest.incoming_hooks[0].parse({"pull_request": {"head": {"sha": "6dcb09b"}}})

    assert parsed["source_ref"] == "main"


def test_the_demo_has_three_plain_hooks_and_one_preset_for_each_host() -> None:
    _, manifest = read_config(EXAMPLES / "demo.yaml", {})
    plain = [hook for hook in manifest.hooks if hook.preset is None]

    assert [(hook.name.rpartition(" ")[2], *hook.events, hook.body["state"]) for hook in plain] == [
        ("GitHub", "action.started", "pending"),
        ("GitHub", "action.failed", "failure"),
        ("GitHub", "action.completed", "success"),
        ("GitLab", "action.started", "running"),
        ("GitLab", "action.failed", "failed"),
        ("GitLab", "action.completed", "success"),
        ("Bitbucket", "action.started", "INPROGRESS"),
        ("Bitbucket", "action.failed", "FAILED"),
        ("Bitbucket", "action.completed", "SUCCESSFUL"),
    ]
    assert {(hook.body["context"], hook.body["key"]) for hook in plain} == {("ci/devopness(build)",) * 2}
    assert {hook.preset for hook in manifest.hooks} - {None} == {
        "github/commit-status",
        "gitlab/commit-status",
        "bitbucket/commit-status",
    }
