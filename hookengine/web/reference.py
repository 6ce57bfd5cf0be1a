"""The reference of the API as a page to read, made of its OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hookengine.web.openapi import Operation, operations

Document = Mapping[str, Any]

_INTRODUCTION: Final = """\
# The API

Made by `hookengine openapi --page`. For programs there is [openapi.json](openapi.json), and a running server
answers its own at `GET /openapi.json`.

Send `Authorization: Bearer TOKEN`. Every error looks like `{"message": TEXT, "errors": {FIELD: [TEXT, ...]}}`;
`errors` is there where fields are to blame.
"""


def page(document: Document) -> str:
    """Markdown. Operations stand under their tags, in the order of their paths."""
    by_tag: dict[str, list[str]] = {}
    for path, method, operation in operations(document):
        (tag,) = operation["tags"]
        by_tag.setdefault(tag, []).append("\n".join(_told(document, path, method, operation)))
    sections = (f"## {tag.capitalize()}\n\n" + "\n".join(told) for tag, told in sorted(by_tag.items()))
    return "\n".join((_INTRODUCTION, *sections)).rstrip("\n") + "\n"


def _told(document: Document, path: str, method: str, operation: Operation) -> Iterator[str]:
    yield f"### {method.upper()} {path}\n"
    yield f"`{operation['operationId']}`: {_one_line(operation.get('description') or operation['summary'])}\n"
    parameters = operation.get("parameters", ())
    if parameters:
        yield "| parameter | in | is |"
        yield "|---|---|---|"
        for parameter in parameters:
            yield _row(document, parameter)
        yield ""
    body = operation.get("requestBody")
    if body is not None:
        yield f"Body{'' if body.get('required') else ' (may be left out)'}:\n"
        for kind, content in body["content"].items():
            yield from _example(kind, content.get("example"))
    answers = operation["responses"]
    for status, answer in answers.items():
        if int(status) < 400:
            yield f"{status}: {answer['description']}.\n"
            for kind, content in answer.get("content", {}).items():
                yield from _example(kind, content.get("example"))
    refusals = ", ".join(
        f"{status} ({_pointed(document, answer)['description']})"
        for status, answer in answers.items()
        if int(status) >= 400
    )
    if refusals:
        yield f"Errors: {refusals}.\n"


def _row(document: Document, parameter: Mapping[str, Any]) -> str:
    name = parameter["name"] + ("" if parameter.get("required") else "?")
    about = [parameter.get("description", ""), _shape(document, parameter["schema"])]
    told = "; ".join(filter(None, about)).replace("|", "\\|")
    return f"| `{name}` | {parameter['in']} | {told} |"


def _shape(document: Document, schema: Mapping[str, Any]) -> str:
    """In words: its type, its values, its bounds and its default."""
    schema = _pointed(document, schema)
    if "anyOf" in schema:
        kinds = [kind for kind in schema["anyOf"] if kind != {"type": "null"}]
        return " or ".join(_shape(document, kind) for kind in kinds)
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"may stand several times, each {_shape(document, schema['items'])}"
    words = [str(schema.get("type", "anything"))]
    words += [f"at least {schema['minimum']}"] if "minimum" in schema else []
    words += [f"at most {schema['maximum']}"] if "maximum" in schema else []
    words += [f"{schema['default']} if left out"] if schema.get("default") not in (None, "") else []
    return ", ".join(words)


def _pointed(document: Document, said: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is said itself, or what it points to."""
    if "$ref" not in said:
        return said
    kind, name = said["$ref"].split("/")[2:]
    found: Mapping[str, Any] = document["components"][kind][name]
    return found


def _example(kind: str, example: Any) -> Iterator[str]:
    """The media type is said where it is not JSON."""
    if example is None:
        return
    if kind != "application/json":
        yield f"`{kind}`\n"
    yield "```text"
    yield (
        example.rstrip("\n")
        if isinstance(example, str)
        else json.dumps(example, indent=2, ensure_ascii=False)
    )
    yield "```\n"


def _one_line(text: str) -> str:
    return " ".join(text.split())
