"""`hookengine postman`"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hookengine.cli.postman import collection_of


def requests(collection: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for folder in collection["item"]:
        for item in folder["item"]:
            yield item["request"]


def test_every_operation_of_the_server_is_a_request_that_sends_the_token(server: Any, run: Any) -> None:
    collection = json.loads(run("postman").stdout)

    found = {(request["method"], request["url"]["raw"]) for request in requests(collection)}
    assert collection["info"]["schema"].endswith("/v2.1.0/collection.json")
    assert collection["auth"]["bearer"][0]["value"] == "{{token}}"
    assert {"key": "server", "value": server.url} in collection["variable"]
    assert {"key": "token", "value": ""} in collection["variable"]
    assert ("GET", "{{server}}/api/deliveries/:delivery_id") in found
    assert ("POST", "{{server}}/api/apply") in found
    assert ("POST", "{{server}}/hooks/:hook_id/trigger") in found
    assert "hke_test" not in json.dumps(collection)


def test_requests_bring_bodies_that_are_json_and_name_their_parameters(server: Any, run: Any) -> None:
    by_url = {
        (request["method"], request["url"]["raw"]): request
        for request in requests(json.loads(run("postman").stdout))
    }

    for request in by_url.values():
        assert "body" not in request or json.loads(request["body"]["raw"]) is not None
    applied = json.loads(by_url["POST", "{{server}}/api/apply"]["body"]["raw"])
    assert {"files", "selector", "prune", "dry_run"} >= set(applied)
    one = by_url["GET", "{{server}}/api/deliveries/:delivery_id"]["url"]
    assert one["variable"] == [{"key": "delivery_id", "value": ""}]
    listed = by_url["GET", "{{server}}/api/deliveries"]["url"]
    assert {"limit", "status"} <= {query["key"] for query in listed["query"]}


def test_an_example_is_taken_where_one_is_given_and_made_where_none_is() -> None:
    document = {
        "info": {"title": "t", "version": "1"},
        "paths": {
            "/a": {"post": _operation({"example": {"x": 1}})},
            "/b": {"post": _operation({"schema": {"$ref": "#/components/schemas/B"}})},
        },
        "components": {
            "schemas": {
                "B": {
                    "properties": {
                        "name": {"examples": ["n"]},
                        "wanted": {"type": "integer"},
                        "usual": {"default": 5},
                    },
                    "required": ["name"],
                }
            }
        },
    }

    bodies = [json.loads(request["body"]["raw"]) for request in requests(collection_of(document, "http://s"))]

    assert bodies == [{"x": 1}, {"name": "n", "wanted": None}]


def _operation(content: dict[str, Any]) -> dict[str, Any]:
    return {"operationId": "x", "requestBody": {"content": {"application/json": content}}}
