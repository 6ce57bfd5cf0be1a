"""The shape of pipelines and hooks in a file, as JSON Schema for editors."""

from __future__ import annotations

from typing import Any, Final

from pydantic.json_schema import models_json_schema

from hookengine.manifest.presets import Preset, Presets
from hookengine.manifest.requests import PlainText, SeveralText
from hookengine.manifest.schema import IncomingText, PipelineText, PresetHookText

REF: Final = "#/$defs/{model}"
_HOOK: Final = {
    "if": {"required": ["preset"]},
    "then": {"$ref": "#/$defs/PresetHookText"},
    "else": {
        "if": {"required": ["requests"]},
        "then": {"$ref": "#/$defs/SeveralText"},
        "else": {"$ref": "#/$defs/PlainText"},
    },
}


def described(presets: Presets) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `pipelines` and `hooks` are, and the definitions they refer to, under `$defs`."""
    hooks = (PlainText, SeveralText, PresetHookText)
    models = [(model, "validation") for model in (PipelineText, IncomingText, *hooks)]
    _, schema = models_json_schema(models, ref_template=REF)  # type: ignore[arg-type]  # an invariant list
    definitions: dict[str, Any] = schema["$defs"]
    inside = definitions["PipelineText"]["properties"]
    inside["incoming_hooks"]["items"] = {"$ref": "#/$defs/IncomingText"}
    inside["hooks"]["items"] = _HOOK
    of_preset = definitions["PresetHookText"]
    of_preset["properties"]["preset"]["enum"] = list(presets.names)
    of_preset["allOf"] = [_blanks(presets.get(name)) for name in presets.names]
    properties = {
        "pipelines": _listed("What actions run on.", {"$ref": "#/$defs/PipelineText"}),
        "hooks": _listed("Hooks of no pipeline, or of those that they name.", _HOOK),
    }
    return properties, definitions


def _listed(description: str, items: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "type": ["array", "null"], "items": items}


def _blanks(preset: Preset) -> dict[str, Any]:
    """What stands under `with` where this preset is filled in."""
    blanks = {
        "properties": {
            name: {"description": param.help, "default": param.default}
            for name, param in preset.params.items()
        },
        "required": [name for name, param in preset.params.items() if param.required],
        "additionalProperties": False,
    }
    needed = {"required": ["with"]} if blanks["required"] else {}
    return {
        "if": {"properties": {"preset": {"const": preset.id}}, "required": ["preset"]},
        "then": {"properties": {"with": blanks}, **needed},
    }
