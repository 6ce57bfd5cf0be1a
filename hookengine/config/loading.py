"""Reading configuration files: settings, and what is wished for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import (
    ValidationError,
)

from hookengine.config.groups import (
    Secrets,
)
from hookengine.config.settings import Settings, settings_table
from hookengine.domain.context import merge
from hookengine.errors import ConfigError, Problem
from hookengine.failpoints import VARIABLE as FAILPOINTS
from hookengine.guard.permissions import Permissions
from hookengine.guard.secret_paths import SecretPaths
from hookengine.guard.vault import secrets_in
from hookengine.manifest import Document, Manifest, load, read
from hookengine.manifest.checking import (
    Findings,
    Mistake,
    did_you_mean,
    explain,
    nearest,
)
from hookengine.manifest.document import Location
from hookengine.manifest.environment import Environment, variables_named_in
from hookengine.manifest.reading import KEYS

OTHER_VARIABLES = frozenset({"HOOKENGINE_SERVER", "HOOKENGINE_TOKEN", "HOOKENGINE_CONFIG", FAILPOINTS})
"""Variables of the command line and of tests, which are no settings."""


def load_settings(source: Document | Path, environ: Mapping[str, str]) -> Settings:
    """Raises ConfigError with everything that is wrong in the file's settings and in HOOKENGINE_* variables."""
    document = source if isinstance(source, Document) else load(source)
    findings = Findings(document)
    findings.add([problem for at, problem in document.faults if not at or at[0] not in KEYS])
    said = _without_nulls({key: value for key, value in document.data.items() if key not in KEYS})
    for key in [key for key in said if key not in Settings.model_fields]:
        likely = did_you_mean(key, [*Settings.model_fields, *KEYS])
        findings.wrong((key,), f"unknown key '{key}'{likely}", key=True)
        del said[key]
    names = [name for name, _, _ in settings_table()]
    environment = Environment(
        Settings, environ, others={*OTHER_VARIABLES, *variables_named_in(document.data)}
    )
    findings.add(list(environment.unknown(names)))
    try:
        settings = Settings(**merge(said, environment()))
    except ValidationError as error:
        findings.add([_placed(mistake, document, environment, names) for mistake in explain(error, Settings)])
        raise findings.error() from None
    findings.settle()
    return settings.resolved(document.folder)


def read_config(source: Document | Path, environ: Mapping[str, str]) -> tuple[Settings, Manifest]:
    """Settings and manifest of one file. Raises ConfigError with the mistakes of both."""
    document = source if isinstance(source, Document) else load(source)
    problems: list[Problem] = []
    settings = manifest = None
    try:
        settings = load_settings(document, environ)
    except ConfigError as error:
        problems.extend(error.problems)
    try:
        names = settings.secrets.names if settings else None
        permissions = settings.permissions if settings else Permissions()
        manifest = read(document, secret_names=names, permissions=permissions)
    except ConfigError as error:
        problems.extend(error.problems)
    if settings is not None and manifest is not None:
        problems.extend(_secrets_in_the_open(document, settings.secrets.context_paths))
    if settings is None or manifest is None or problems:
        raise ConfigError(problems)
    return settings, manifest


def read_files(
    documents: Sequence[Document],
    environ: Mapping[str, str],
    *,
    base: Settings | None = None,
    secret_names: Collection[str] = (),
    pipelines: Mapping[int | str, int] | None = None,
) -> Manifest:
    """What files wish for that count as one; each may hold settings too. `base` are the settings that count beside
    theirs, `secret_names` and `pipelines` what is known besides. Raises ConfigError with all that is wrong.
    """
    problems: list[Problem] = []
    said = [base] if base is not None else []
    for document in documents:
        if document.data.keys() <= KEYS:
            continue
        try:
            said.append(load_settings(document, environ))
        except ConfigError as error:
            problems.extend(error.problems)
    said = said or [Settings()]
    names = {name for settings in said for name in settings.secrets.names} | set(secret_names)
    try:
        manifest = read(
            documents,
            secret_names=None if problems else names,
            permissions=_together([settings.permissions for settings in said]),
            pipelines=pipelines,
        )
    except ConfigError as error:
        raise ConfigError(list(dict.fromkeys([*problems, *error.problems]))) from None
    for document in documents:
        problems.extend(_secrets_in_the_open(document, said[0].secrets.context_paths))
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return manifest


def _together(permissions: Sequence[Permissions]) -> Permissions:
    """The first counts, with the secrets that any of them names."""
    audiences: dict[str, frozenset[str]] = {}
    for each in permissions:
        audiences |= each.audiences or {}
    in_bodies = frozenset[str]().union(*(each.in_bodies for each in permissions))
    return replace(permissions[0], audiences=audiences, in_bodies=in_bodies)


def _secrets_in_the_open(document: Document, paths: Sequence[str]) -> Iterator[Problem]:
    """A pipeline's context stands in a file and in the database as it is: no place for a secret."""
    hint = 'name it under `secrets:` and write {"$secret": "secrets.NAME"} here'
    pipelines = document.data.get("pipelines")
    for number, pipeline in enumerate(pipelines if isinstance(pipelines, list) else []):
        context = pipeline.get("context") if isinstance(pipeline, dict) else None
        for path in secrets_in(context if isinstance(context, dict) else {}, SecretPaths(paths)):
            at: Location = ("pipelines", number, "context", *path.split("."))
            yield document.problem(at, "a secret must not stand here", hint=hint)


def _placed(mistake: Mistake, document: Document, environment: Environment, names: list[str]) -> Problem:
    """Where it was said: in a variable, else in the file."""
    at, hint = mistake.at, mistake.hint
    if len(at) == 2 and at[0] == "secrets" and (likely := nearest(str(at[1]), [*Secrets.model_fields])):
        hint = f"did you mean '{likely}'?"
    in_file = document.problem(at, mistake.message, hint=hint, key=mistake.key)
    said = environment.problem(at, mistake.message, hint, key=mistake.key, settings=names)
    return said or in_file


def _without_nulls(said: Any) -> Any:
    """A group whose keys are all commented out is null, and means its defaults."""
    if not isinstance(said, dict):
        return said
    return {key: _without_nulls(value) for key, value in said.items() if value is not None}
