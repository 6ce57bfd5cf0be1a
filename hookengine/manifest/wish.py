"""What configuration files wish for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hookengine.domain.hook import Hook
from hookengine.domain.pipeline import IncomingHook, Pipeline
from hookengine.errors import ConfigError, Problem
from hookengine.guard.integration_key import UnfitKey
from hookengine.guard.vault import NAMED, SecretMissing
from hookengine.manifest.key_source import KeySource


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What the files wish for: all of it checked, all templates prepared once without complaint. Nothing
    secret has been read yet."""

    pipelines: tuple[Pipeline, ...] = ()
    hooks: tuple[Hook, ...] = ()
    incoming_hooks: tuple[IncomingHook, ...] = ()
    integration_keys: Mapping[int, KeySource] = field(default_factory=dict)
    """Of pipelines by their ids; `with_keys` reads them."""


def with_keys(manifest: Manifest, environ: Mapping[str, str]) -> Manifest:
    """With the digest of its integration key in every pipeline that has one.

    Raises ConfigError for a key that cannot be read, is too short, or is another pipeline's, too.
    """
    digests: dict[int, str] = {}
    problems: list[Problem] = []
    for pipeline in manifest.pipelines:
        source = manifest.integration_keys.get(pipeline.id)
        if source is None:
            continue
        place = f"pipeline {pipeline.name}"
        try:
            digest = source.read(environ)
        except (SecretMissing, UnfitKey) as error:
            problems.append(Problem(place=place, message=str(error).removeprefix(NAMED)))
            continue
        if digest in digests.values():
            problems.append(Problem(place=place, message="another pipeline has the same integration_key"))
        digests[pipeline.id] = digest
    if problems:
        raise ConfigError(problems)
    pipelines = tuple(
        replace(pipeline, integration_key_digest=digests.get(pipeline.id, ""))
        for pipeline in manifest.pipelines
    )
    return replace(manifest, pipelines=pipelines)
