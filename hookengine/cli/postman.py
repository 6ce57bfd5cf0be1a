"""`hookengine postman`"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from hookengine.cli.asking import asks_the_api

if TYPE_CHECKING:
    from hookengine.cli.client import Client

_SCHEMA: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_JSON: Final = "application/json"


@click.command()
@asks_the_api
def postman(client: Client) -> None:
    """Write the server's API as a collection for Postman, Insomnia, Bruno or Hoppscotch.

    \b
    hookengine postman > hookengine.postman_collection.json

    Import the file; then set the variable `token` of the collection. It is not in the file.
    """
    collection = collection_of(client.get("/openapi.json"), client.server)
    click.echo(json.dumps(collection, indent=2, ensure_ascii=False))


def collection_of(document: Mapping[str, Any], server: str) -> dict[str, Any]:
    """Format 2.1 of an OpenAPI document: a folder per tag, a request per operation, with its example body."""
    folders: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                operation = methods[method]
                folder = (operation.get("tags") or ["engine"])[0]
                folders.setdefault(folder, []).append(_item(path, method, operation, document))
    title = document["info"]["title"]
    return {
        "info": {
            "_postman_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{title} {server}")),
            "name": title,
            "version": document["info"]["version"],
            "schema": _SCHEMA,
        },
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}]},
        "variable": [{"key": "server", "value": server}, {"key": "token", "value": ""}],
        "item": [{"name": name, "item": items} for name, items in folders.items()],
    }


def _item(
    path: str, method: str, operation: Mapping[str, Any], document: Mapping[str, Any]
) -> dict[str, Any]:
    steps = [_step(step) for step in path.strip("/").split("/")]
    found = list(operation.get("parameters", []))
    query = [
        {"key": each["name"], "value": "", "description": each.get("description", ""), "disabled": True}
        for each in found
        if each["in"] == "query"
    ]
    url: dict[str, Any] = {
        "raw": "{{server}}/" + "/".join(steps),
        "host": ["{{server}}"],
        "path": steps,
        "variable": [{"key": step[1:], "value": ""} for step in steps if step.startswith(":")],
    }
    if query:
        url["query"] = query
    request: dict[str, Any] = {
        "method": method.upper(),
        "header": [{"key": "Accept", "value": _JSON}],
        "url": url,
        "description": operation.get("description", ""),
    }
    if "requestBody" in operation:
        request["header"].append({"key": "Content-Type", "value": _JSON})
        request["body"] = {
            "mode": "raw",
            "raw": json.dumps(_example(operation["requestBody"], document), indent=2, ensure_ascii=False),
            "options": {"raw": {"language": "json"}},
        }
    return {"name": operation.get("summary") or operation["operationId"], "request": request}


def _step(step: str) -> str:
    return f":{step[1:-1]}" if step.startswith("{") else step


def _example(body: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    content = body["content"].get(_JSON) or next(iter(body["content"].values()))
    if "example" in content:
        return content["example"]
    for named in content.get("examples", {}).values():
        return named["value"]
    return _of_schema(content.get("schema", {}), document)


def _of_schema(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    """What its own examples and defaults say, else nothing of its type."""
    if "$ref" in schema:
        return _of_schema(_referred(schema["$ref"], document), document)
    for choice in (*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])):
        if choice.get("type") != "null":
            return _of_schema(choice, document)
    for known in ("example", "default"):
        if known in schema:
            return schema[known]
    if schema.get("examples"):
        return schema["examples"][0]
    return dict(_members(schema, document)) if "properties" in schema else None


def _members(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    required = schema.get("required", [])
    for name, inner in schema["properties"].items():
        if name in required or "default" not in inner:
            yield name, _of_schema(inner, document)


def _referred(reference: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)
