"""`make soak`: three nodes on one PostgreSQL, with everything that goes wrong in a bad month, in minutes.

    SOAK_EVENTS=100000 SOAK_LANES=5000 SOAK_TROUBLES=250 SOAK_MINUTES=30 SOAK_SEED=1 make soak

Nodes are killed, stopped and started again, PostgreSQL restarts in the middle, and the target answers 503, hangs
up before and after it has taken something, and is slow. In the end there must be quiet, and a history in which
nothing acknowledged is lost, repeated without need, or out of order; the exit code is 1 otherwise. Everything is
on the loopback interface, and the folder with logs and journal is kept only if something was wrong.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path

from tests.faults.own_database import OwnDatabase
from tests.faults.soaking import Plan, Soaked, soak
from tests.faults.stage import Hatchery, Stage
from tests.faults.targets import TargetProcess
from tests.postgres import PostgresServer

SHOWN = 20  # violations
SETTINGS = {"autovacuum": "on", "shared_buffers": "128MB", "max_wal_size": "1GB"}


def run(plan: Plan, folder: Path) -> Soaked:
    with (
        PostgresServer(fsync=False, settings=SETTINGS) as server,
        OwnDatabase(server) as database,
        Hatchery() as hatchery,
    ):
        stage = Stage(folder, database, hatchery)
        stage.target = TargetProcess(folder / "target.jsonl", seed=plan.seed)  # type: ignore[assignment]
        with stage:
            return soak(stage, plan, server.restart)


def main() -> int:
    plan = Plan.from_environ(os.environ)
    folder = Path(tempfile.mkdtemp(prefix="hookengine-soak-"))
    say = sys.stdout.write
    say(f"{plan.events} events, {plan.lanes} lanes, {plan.troubles} troubles, seed {plan.seed}\n")
    soaked = run(plan, folder)
    say(f"{soaked}\n")
    say(f"memory      {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB to judge it\n")
    for violation in soaked.violations[:SHOWN]:
        say(f"{violation}\n")
    if soaked.right:
        shutil.rmtree(folder)
        return 0
    say(f"WRONG; see {folder}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
