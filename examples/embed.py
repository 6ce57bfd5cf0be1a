"""A deployment platform with hookengine inside of it: no second process, and no HTTP between the two.

    python examples/embed.py

A stand-in of GitHub on this machine shows what becomes of the commit's status. On a platform of your own,
only `deploy` and the configuration would remain, without `base_url` and what is there for this machine.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hookengine import HookEngine
from hookengine.simulators import GitHub, serve

CONFIG = """
database: sqlite:///./hookengine.db
secrets:
  insecure_plaintext: true  # `hookengine init` makes a key instead
  context_hosts: [127.0.0.1]  # where the access tokens of events may go
delivery:
  allow_networks: [127.0.0.0/8]  # because GitHub is played on this machine
pipelines:
  - id: 1
    name: shop-deploy
    hooks:
      - preset: github/commit-status
        with:
          base_url: GITHUB
          repository: acme/shop
          sha: "{{ action.commit }}"
          context: ci/shop(deploy)
"""
COMMIT = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
TOKEN = "the-token-of-the-application"  # noqa: S105  no real one


async def deploy(engine: HookEngine, number: int, command: str) -> None:
    """Whatever happens to the command, its commit will say so: `accept` returns once that is certain."""
    action = {"id": number, "type": "deploy", "pipeline": "shop-deploy", "commit": COMMIT}
    application = {"source_provider": {"access_token": TOKEN}}
    await engine.accept({"type": "action.started", "action": action, "application": application})
    process = await asyncio.create_subprocess_shell(command)
    became = "action.failed" if await process.wait() else "action.completed"
    await engine.accept({"type": became, "action": action})


async def main() -> None:
    github = GitHub(tokens=[TOKEN])
    async with serve([github]) as (url,):
        with tempfile.TemporaryDirectory() as folder:
            async with HookEngine.open(write_config(folder, url)) as engine:
                await deploy(engine, 1, "exit 1")
                await github.wait_for(lambda request: request.body["state"] == "failure")
                await deploy(engine, 2, "exit 0")
                await github.wait_for(lambda request: request.body["state"] == "success")
    for status in github.shown("acme/shop", COMMIT).values():
        print(f"{status.context}: {' -> '.join(status.history)}")


def write_config(folder: str, github: str) -> Path:
    config = Path(folder, "config.yaml")
    config.write_text(CONFIG.replace("GITHUB", github))
    return config


if __name__ == "__main__":
    asyncio.run(main())
