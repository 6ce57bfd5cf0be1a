"""`hookengine schema`: what an editor checks is what the engine reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel

from hookengine.cli.schema import of_the_file
from hookengine.config import Settings
from hookengine.manifest import load
from hookengine.manifest.checking import keys_at
from hookengine.manifest.reading import KEYS
from hookengine.manifest.requests import PlainText, SeveralText
from hookengine.manifest.schema import IncomingText, PipelineText, PresetHookText

ROOT = Path(__file__).parents[3]
FILES = [ROOT / "config.example.yaml", *sorted((ROOT / "examples").glob("*.yaml"))]
PAGES = [
    block
    for page in sorted((ROOT / "docs").rglob("*.md"))
    for block in re.findall(r"^```yaml\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    if load(block).data.keys() <= {*Settings.model_fields, *KEYS}  # others are files of other programs
]
HOOK = {"name": "x", "target_url": "https://a.example", "trigger_when": {"events": ["action.failed"]}}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return of_the_file()


@pytest.fixture(scope="module")
def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_it_is_printed_as_json(run: Any, schema: dict[str, Any]) -> None:
    assert json.loads(run("schema").stdout) == schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_files_that_come_with_hookengine_are_valid(file: Path, validator: Any) -> None:
    assert [error.message for error in validator.iter_errors(load(file).data)] == []


@pytest.mark.parametrize("text", PAGES)
def test_yaml_in_the_documents_is_valid(text: str, validator: Any) -> None:
    assert [error.message for error in validator.iter_errors(load(text).data)] == []


@pytest.mark.parametrize(
    "hook",
    [
        {**HOOK, "lane": "latest"},
        {**HOOK, "lane": {"policy": "ordered", "key": "a"}},
        {**HOOK, "signing": "key"},
        {**HOOK, "signing": {"secrets": ["a", "b"]}},
        {
            **HOOK,
            "responses": [{"status": 404, "then": "retry"}, {"status": ["4xx", 500], "then": "success"}],
        },
        {**HOOK, "timeout": 5, "retry": {"waits": ["5s", 1.5]}},
    ],
)
def test_short_forms_are_valid_too(hook: dict[str, Any], validator: Any) -> None:
    assert [error.message for error in validator.iter_errors({"hooks": [hook]})] == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"sever": {}}, "'sever' was unexpected"),
        ({"server": {"prt": 1}}, "is not valid under any"),
        ({"hooks": [{**HOOK, "target_ur1": "x"}]}, "'target_ur1' was unexpected"),
        (
            {"hooks": [{"name": "x", "target_url": "https://a.example"}]},
            "'trigger_when' is a required property",
        ),
        ({"hooks": [{"preset": "github/status", "with": {}}]}, "is not one of"),
        (
            {"hooks": [{"preset": "github/commit-status", "with": {"repo": "acme/shop"}}]},
            "'repo' was unexpected",
        ),
        ({"pipelines": [{"id": 1, "name": "abc", "incoming_hooks": [{"name": "x"}]}]}, "'id' is a required"),
    ],
)
def test_mistakes_are_found(data: dict[str, Any], said: str, validator: Any) -> None:
    assert any(said in error.message for error in validator.iter_errors(data))


@pytest.mark.parametrize("model", [PipelineText, IncomingText, PlainText, SeveralText, PresetHookText])
def test_the_schema_has_the_keys_that_the_reader_knows(
    model: type[BaseModel], schema: dict[str, Any]
) -> None:
    assert dict(_keys(model)) == {name: set(schema["$defs"][name]["properties"]) for name, _ in _keys(model)}


def test_the_schema_has_the_settings_that_the_reader_knows(schema: dict[str, Any]) -> None:
    assert set(schema["properties"]) == {*Settings.model_fields, *KEYS}
    assert {name: set(schema["$defs"][name]["properties"]) for name, _ in _keys(Settings, top=False)} == dict(
        _keys(Settings, top=False)
    )


def _keys(model: type[BaseModel], *, top: bool = True) -> Iterator[tuple[str, set[str]]]:
    """Of a model and of all that are inside of it, as the reader knows them."""
    if top:
        yield model.__name__, set(keys_at(model, ()))
    for field in model.model_fields.values():
        for inner in _models(field.annotation):
            yield from _keys(inner)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models(inner)
