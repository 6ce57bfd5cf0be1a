"""Integration keys of a file's pipelines: from where they are read to the digests that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hookengine.errors import ConfigError, Problem
from hookengine.guard.integration_key import UnfitKey, digest_of_chosen_key
from hookengine.guard.vault import NAMED, NamedSecret, SecretMissing

if TYPE_CHECKING:
    from hookengine.manifest.reading import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySource:
    """One of the three says where an integration key, or its digest, comes from."""

    env: str | None = None
    file: Path | None = None
    digest: str | None = None

    def read(self, environ: Mapping[str, str]) -> str:
        """The key's digest. Raises SecretMissing, UnfitKey."""
        if self.digest is not None:
            return self.digest
        return digest_of_chosen_key(
            NamedSecret(env=self.env, file=self.file, environ=environ).value("integration_key")
        )


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
