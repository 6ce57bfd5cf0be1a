"""`hookengine schema`"""

from __future__ import annotations

import json
from typing import Any

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors.

    \b
    hookengine schema > hookengine.schema.json
    and as the first line of the YAML file:
    # yaml-language-server: $schema=./hookengine.schema.json
    """
    click.echo(json.dumps(of_the_file(), indent=2))


def of_the_file() -> dict[str, Any]:
    """Draft 2020-12. A group of settings may be empty: then it means its defaults."""
    from hookengine.config import Settings
    from hookengine.manifest import shipped_presets
    from hookengine.manifest.json_schema import REF, described

    settings = Settings.model_json_schema(ref_template=REF)
    properties, definitions = described(shipped_presets())
    groups = {
        name: {"anyOf": [said, {"type": "null"}]} if "$ref" in said else said
        for name, said in settings["properties"].items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hookengine configuration",
        "description": "Settings, pipelines and hooks.",
        "type": "object",
        "properties": {**groups, **properties},
        "additionalProperties": False,
        "$defs": {**settings["$defs"], **definitions},
    }
