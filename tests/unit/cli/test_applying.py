"""`hookengine diff`, `apply` and `export`, in the database and over a server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

HOOKS = """\
pipelines:
  - id: 7
    name: blog-deploy
hooks:
  - name: chat
    pipeline: blog-deploy
    target_url: https://chat.example/{{ action.id }}
    trigger_when: {events: [action.failed]}
  - name: board
    pipeline: shop-deploy
    target_url: https://target.example/
    trigger_when: {events: [action.completed]}
    settings:
      request_headers: [{name: Authorization, value: "Bearer {{ secrets.github }}"}]
"""


@pytest.fixture(params=["database", "server"])
def there(request: pytest.FixtureRequest, config: Path, run: Any) -> str:
    """Where `config` is applied already; a file with more lies beside it."""
    Path("hooks.yaml").write_text(HOOKS, encoding="utf-8")
    if request.param == "server":
        request.getfixturevalue("server")
    else:
        assert run("apply", "--selector", "managed-by=file").exit_code == 0
    return str(request.param)


def summary(plan: Any) -> dict[str, int]:
    return {verb: number for verb, number in json.loads(plan.stdout)["summary"].items() if number}


def test_a_file_is_shown_then_applied_once_and_then_changes_nothing(there: str, run: Any) -> None:
    shown, applied, again, after = (
        run(*command, "hooks.yaml") for command in (["diff"], ["apply"], ["apply"], ["diff"])
    )

    assert (shown.exit_code, applied.exit_code, again.exit_code, after.exit_code) == (1, 0, 0, 0)
    assert shown.stdout.splitlines()[0].startswith("+ pipeline blog-deploy  create  7")
    assert "+ hook board of shop-deploy  create" in shown.stdout
    assert shown.stdout.endswith("3 defined: 3 to create\n")
    assert applied.stdout.endswith("3 defined: 3 created\n")
    assert again.stdout == after.stdout == "3 defined: 3 unchanged\n"


def test_without_files_the_configuration_that_was_said_is_applied_not_the_usual_one(
    config: Path, run: Any
) -> None:
    other = Path("other.yaml")
    beginning = f"database: sqlite:///{other.absolute()}.db\nsecrets: {{insecure_plaintext: true}}\n"
    other.write_text(f"{beginning}pipelines:\n  - id: 7\n    name: blog-deploy\n", encoding="utf-8")

    shown, applied = (run(command, "--config", "other.yaml") for command in ("diff", "apply"))

    assert config.exists()
    assert shown.stdout.splitlines() == ["+ pipeline blog-deploy  create  7", "1 defined: 1 to create"]
    assert applied.stdout.splitlines()[-1] == "1 defined: 1 created"


def test_a_change_is_told_field_by_field(there: str, run: Any) -> None:
    run("apply", "hooks.yaml")
    Path("hooks.yaml").write_text(HOOKS.replace("chat.example", "talk.example"), encoding="utf-8")

    shown = run("diff", "hooks.yaml")

    assert "~ hook chat of blog-deploy  change" in shown.stdout
    assert (
        '    target_url: "https://chat.example/{{ action.id }}" -> "https://talk.example/{{ action.id }}"'
        in shown.stdout
    )
    assert run("diff", "--no-exit-code", "hooks.yaml").exit_code == 0


def test_a_dry_run_changes_nothing_and_says_the_same_as_a_diff(there: str, run: Any) -> None:
    dry = run("apply", "--dry-run", "-o", "json", "hooks.yaml")

    assert dry.exit_code == 0
    assert dry.stdout == run("diff", "-o", "json", "hooks.yaml").stdout
    assert summary(dry) == {"create": 3}


def test_files_may_stand_after_an_option_too(config: Path, run: Any) -> None:
    run("apply", "--selector", "managed-by=file")
    Path("hooks.yaml").write_text(HOOKS, encoding="utf-8")
    Path("more.yaml").write_text("pipelines: [{id: 9, name: more}]\n", encoding="utf-8")

    alone = run("diff", "hooks.yaml", "more.yaml")

    assert run("diff", "-f", "hooks.yaml", "-f", "more.yaml").stdout == alone.stdout
    assert run("diff", "more.yaml", "-f", "hooks.yaml").stdout.endswith("4 defined: 4 to create\n")
    assert run("validate", "-f", "config.yaml").stdout == run("validate", "config.yaml").stdout


def test_an_export_in_json_changes_nothing_either(config: Path, run: Any) -> None:
    run("apply", "--selector", "managed-by=file")

    Path("all.json").write_text(run("export", "-o", "json").stdout, encoding="utf-8")

    assert json.loads(Path("all.json").read_text("utf-8"))["pipelines"][0]["name"] == "shop-deploy"
    assert run("diff", "all.json", "--selector", "managed-by=file").exit_code == 0


def test_only_what_the_selector_covers_is_pruned(there: str, run: Any) -> None:
    run("apply", "--selector", "managed-by=team-a", "hooks.yaml")
    Path("hooks.yaml").write_text("pipelines: [{id: 7, name: blog-deploy}]\n", encoding="utf-8")

    kept = run("diff", "-o", "json", "hooks.yaml")
    others = run("diff", "-o", "json", "--prune", "--selector", "managed-by=team-b,pipeline=x", "hooks.yaml")
    pruned = run("apply", "-o", "json", "--prune", "--selector", "managed-by=team-a", "hooks.yaml")

    assert summary(kept) == {"unchanged": 1}
    assert summary(others) == {"change": 1}
    assert summary(pruned) == {"delete": 2, "unchanged": 1}
    assert "chat.example" not in run("export").stdout
    assert "pull requests" in run("export").stdout


def test_pruning_without_a_selector_is_refused(there: str, run: Any) -> None:
    result = run("apply", "--prune", "hooks.yaml")

    assert result.exit_code == 2
    assert "pruning needs a selector of what may be deleted" in result.stderr


def test_a_wrong_file_is_told_with_its_places_and_changes_nothing(there: str, run: Any) -> None:
    Path("more").mkdir()
    Path("more/wrong.yaml").write_text(
        "hooks:\n  - name: x\n    pipeline: shop-deplo\n    target_ur1: https://a.example\n"
        "    trigger_when: {events: [action.complete]}\n",
        encoding="utf-8",
    )
    before = run("export").stdout

    for command in ("diff", "apply"):
        result = run(command, "more", "hooks.yaml")
        assert result.exit_code == 2
        assert (
            "more/wrong.yaml:4:5: hooks[0].target_ur1: unknown key 'target_ur1', did you mean"
            in result.stderr
        )
        assert "did you mean 'action.completed'?" in result.stderr
    assert run("export").stdout == before


def test_what_is_exported_changes_nothing(there: str, run: Any) -> None:
    run("apply", "hooks.yaml")
    exported = run("export")
    Path("all.yaml").write_text(exported.stdout, encoding="utf-8")

    assert exported.exit_code == 0
    assert run("diff", "all.yaml").exit_code == 0
    assert run("diff", "-", input=exported.stdout).stdout == run("diff", "all.yaml").stdout


def test_yaml_is_written_for_programs_too(there: str, run: Any) -> None:
    assert run("diff", "-o", "yaml", "hooks.yaml").stdout.startswith("dry_run: true\nchanged: true\n")


def test_serving_the_file_again_leaves_alone_what_was_applied_beside_it(
    config: Path, run: Any, serving: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("hooks.yaml").write_text(HOOKS, encoding="utf-8")
    run("apply", "--selector", "managed-by=file")
    run("apply", "hooks.yaml")

    server = serving(config)

    monkeypatch.setenv("HOOKENGINE_TOKEN", "hke_test")
    assert run("diff", "--server", server.url, "hooks.yaml", "config.yaml").exit_code == 0


def test_a_server_that_is_not_there_and_one_that_does_not_know_the_token_have_exit_codes(
    server: Any, run: Any
) -> None:
    assert run("export", "--server", "http://127.0.0.1:1").exit_code == 3
    assert run("export", "--token", "other").exit_code == 4


def test_files_that_refer_to_each_other_are_checked_together(config: Path, run: Any) -> None:
    Path("hooks.yaml").write_text(HOOKS, encoding="utf-8")

    alone, together = run("validate", "hooks.yaml"), run("validate", "config.yaml", "hooks.yaml")

    assert alone.exit_code == 1
    assert "there is no pipeline 'shop-deploy'" in alone.stdout
    assert (together.exit_code, together.stdout) == (0, "2 files: ok (2 pipelines, 4 hooks)\n")


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ({"scopes": ["hooks:write"]}, 1),
        ({"scopes": ["hooks:read"]}, 4),
        ({"scopes": ["hooks:write"], "team": "shop"}, 4),
    ],
)
def test_a_token_needs_the_scope_and_must_not_be_bound(
    server: Any, run: Any, token: dict[str, Any], code: int
) -> None:
    Path("hooks.yaml").write_text(HOOKS, encoding="utf-8")
    made = httpx.post(
        f"{server.url}/api/tokens",
        headers={"authorization": "Bearer hke_test"},
        json={"name": "ci", **token},
        trust_env=False,
    ).json()

    assert run("diff", "--token", made["token"], "hooks.yaml").exit_code == code
