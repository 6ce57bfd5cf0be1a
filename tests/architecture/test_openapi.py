"""docs/openapi.json and docs/api.md are what the API says of itself, and what they say of it holds."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from starlette.routing import Route

from hookengine import __version__
from hookengine.domain.token import Scope, Token
from hookengine.guard.tokens import TokenRing, digest_of
from hookengine.web.document import every_door, whole_document
from hookengine.web.openapi import operations
from hookengine.web.reference import page
from tests.closing import closed

pytestmark = pytest.mark.anyio

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = whole_document(__version__)
OPERATIONS = [
    pytest.param(path, method, operation, id=operation["operationId"])
    for path, method, operation in operations(DOCUMENT)
]
each = pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
TOKEN = {"Authorization": "Bearer let-me-in"}


def test_the_document_is_the_newest() -> None:
    """`hookengine openapi > docs/openapi.json` makes it so."""
    assert json.loads((DOCS / "openapi.json").read_text("utf-8")) == DOCUMENT


def test_the_page_is_the_newest() -> None:
    """`hookengine openapi --page > docs/api.md` makes it so."""
    assert (DOCS / "api.md").read_text("utf-8") == page(DOCUMENT)


def test_it_is_openapi_3_1_and_every_reference_leads_somewhere() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    for reference in _references(DOCUMENT):
        kind, name = re.fullmatch(r"#/components/(\w+)/(\w+)", reference).groups()  # type: ignore[union-attr]
        assert name in DOCUMENT["components"][kind]


def test_every_schema_is_one() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_operation_has_an_id_of_its_own() -> None:
    ids = [operation["operationId"] for _, _, operation in operations(DOCUMENT)]

    assert len(ids) == len(set(ids))
    assert [id_ for id_ in ids if not re.fullmatch(r"[a-z]+(_[a-z]+)*", id_)] == []


def test_every_plain_route_is_in_it_too() -> None:
    """FastAPI tells of its own only."""
    plain = {
        (route.path, method.lower())
        for route in every_door(TokenRing()).routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    told = {(path, method) for path, method, _ in operations(DOCUMENT)}

    assert {("/api/events", "post"), ("/metrics", "get")} <= plain
    assert plain - told == {("/openapi.json", "get")}


@each
def test_every_body_and_every_answer_has_an_example(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    said = [operation["requestBody"]] if "requestBody" in operation else []
    said += [answer for status, answer in operation["responses"].items() if int(status) < 400]
    contents = [content for part in said for content in part.get("content", {}).values()]

    assert [content for content in contents if not _has_example(content)] == []


@each
def test_every_answer_has_a_schema_that_its_example_is_of(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    """To the last field: what the schema does not name, the example does not have."""
    for status, answer in operation["responses"].items():
        content = answer.get("content", {}).get("application/json")
        if int(status) < 400 and content is not None:
            assert _named(content["schema"]), content["schema"]
            closed(DOCUMENT, content["schema"]).validate(content["example"])


@each
def test_every_error_has_our_shape(path: str, method: str, operation: dict[str, Any]) -> None:
    for status, answer in operation["responses"].items():
        if int(status) >= 400:
            told = DOCUMENT["components"]["responses"].get(answer.get("$ref", "").rpartition("/")[2], answer)
            content = told["content"]["application/json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Failure"}
            Draft202012Validator(DOCUMENT["components"]["schemas"]["Failure"]).validate(content["example"])


@each
async def test_it_says_who_may_come_in(path: str, method: str, operation: dict[str, Any]) -> None:
    """A token with all scopes but the one that is named is refused by name; without any token it is a 401."""
    address = re.sub(r"{\w+}", "1", path.replace("{hook_type}", "outgoing"))
    security = operation["security"]
    async with _client(_others(security)) as client:
        nobody = await client.request(method, address)
        stranger = await client.request(method, address, headers=TOKEN)

    assert (nobody.status_code == 401) == (security != [])
    if security and security[0]["token"]:
        (scope,) = security[0]["token"]
        assert stranger.json() == {"message": f"Forbidden: this needs a token with the scope {scope}."}
        assert f"`{scope}`" in operation["description"]
    else:
        assert stranger.status_code not in (401, 403)


def _others(security: list[dict[str, list[str]]]) -> frozenset[Scope]:
    """All scopes that neither are the needed one nor imply it."""
    needed = Scope(security[0]["token"][0]) if security and security[0]["token"] else None
    return frozenset(
        scope
        for scope in Scope
        if needed is None or not Token(id="", name="", scopes=frozenset({scope}), digest="").allows(needed)
    )


def _client(scopes: frozenset[Scope]) -> httpx.AsyncClient:
    """Of an API with nobody behind its doors."""
    transport = httpx.ASGITransport(_app(scopes), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://engine.test")


@functools.cache
def _app(scopes: frozenset[Scope]) -> FastAPI:
    return every_door(TokenRing([Token(id="t", name="t", scopes=scopes, digest=digest_of("let-me-in"))]))


def _has_example(content: dict[str, Any]) -> bool:
    schema = content.get("schema", {})
    return "example" in content or "examples" in content or schema == {}


def _named(schema: dict[str, Any]) -> bool:
    """Whether it says which fields there are."""
    choices = schema.get("oneOf", schema.get("anyOf", ()))
    if choices:
        return all(map(_named, choices))
    return "$ref" in schema or ("items" in schema and _named(schema["items"]))


def _references(said: Any) -> Iterator[str]:
    if isinstance(said, dict):
        if isinstance(said.get("$ref"), str):
            yield said["$ref"]
        for value in said.values():
            yield from _references(value)
    elif isinstance(said, list):
        for value in said:
            yield from _references(value)
