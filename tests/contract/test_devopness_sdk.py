"""The `devopness` package, written by others, against a served engine: its sync and its async client."""

from __future__ import annotations

import hashlib
import hmac
import inspect
import json
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from devopness import DevopnessClient, DevopnessClientAsync
from devopness.core import DevopnessApiError
from devopness.models import HookPipelineCreate, HookUpdate

from tests.acceptance.configs import API_TOKEN, TOKEN, a_config, sha_of, write_config
from tests.acceptance.server import Server

pytestmark = pytest.mark.anyio

Call = Callable[..., Awaitable[Any]]


class _Target(BaseHTTPRequestHandler):
    """Takes every POST as GitHub would take a commit status; a path with `text` in it is answered in words."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        text = b"thank you" if "text" in self.path else b'{"state": "pending", "id": 7}'
        self.send_response(201)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments: Any) -> None: ...


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Target)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("devopness")
    config = a_config(
        pipeline={"context": {"application": {"id": 12}, "environment": {"id": 3}, "project": {"id": 4}}},
        auth={"enabled": True, "tokens": {"platform": {"env": "TOKEN_OF_PLATFORM"}}},
    )
    config["pipelines"].append({"id": 2, "name": "empty one"})
    write_config(folder, config)
    server = Server(folder, {"TOKEN_OF_PLATFORM": API_TOKEN})
    server.start()
    yield server
    server.close()


@pytest.fixture(params=["sync", "async"])
async def sdk(
    engine: Server, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Call]:
    """`await sdk("get_hook", ...)` calls `client.hooks.get_hook(...)`."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    settings = {"base_url": engine.url, "api_token": API_TOKEN}
    client: Any = DevopnessClient(settings) if request.param == "sync" else DevopnessClientAsync(settings)

    async def call(method: str, *arguments: Any, **named: Any) -> Any:
        answer = getattr(client.hooks, method)(*arguments, **named)
        return await answer if inspect.isawaitable(answer) else answer

    yield call
    await client.aclose() if request.param == "async" else client.close()


def outgoing(target: str, *events: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": "CI(build)",
        "action_type": "deploy",
        "target_url": f"{target}/repos/acme/shop/statuses/"
        "{{ action.triggered_from.hook_parsed_variables.commit_hash }}",
        "settings": {
            "request_headers": [
                {"name": "Authorization", "value": "Bearer {{ application.source_provider.access_token }}"}
            ],
            "request_body": {"state": "pending", "context": "ci/devopness(build)"},
        },
        "trigger_when": {"events": list(events) or ["action.started"]},
        **changes,
    }


def incoming(**changes: Any) -> dict[str, Any]:
    return {
        "name": "pull requests",
        "requires_secret": False,
        "settings": {
            "variables": [
                {"name": "commit_hash", "path": "pull_request.head.sha", "type": "string", "required": True},
                {"name": "number", "path": "number", "type": "integer", "default_value": 5},
                {"name": "labels", "type": "array"},
            ]
        },
        "trigger_when": {
            "conditions": [
                {
                    "name": "merged",
                    "type": "request_body",
                    "path": "action",
                    "accepted_values": ["closed", True, 7],
                }
            ]
        },
        **changes,
    }


async def refused(call: Awaitable[Any]) -> DevopnessApiError:
    with pytest.raises(DevopnessApiError) as caught:
        await call
    return caught.value


async def test_an_outgoing_hook_is_created_found_changed_and_deleted(sdk: Call, target: str) -> None:
    created = await sdk("add_pipeline_hook", "outgoing", 1, outgoing(target))
    found = await sdk("get_hook", created.data.id, "outgoing")
    changed = await sdk(
        "update_hook",
        created.data.id,
        "outgoing",
        HookUpdate(id=created.data.id, name="CI(build) 2", active=False),
    )
    after = await sdk("get_hook", created.data.id, "outgoing")
    deleted = await sdk("delete_hook", created.data.id, "outgoing")
    gone = await refused(sdk("get_hook", created.data.id, "outgoing"))

    assert (created.status, changed.status, deleted.status, gone.status_code) == (201, 204, 204, 404)
    assert found.data == created.data
    assert (created.data.type, created.data.secret, created.data.action_type) == ("out", "*****", "deploy")
    assert (created.data.project_id, created.data.environment_id, created.data.resource_id) == (4, 3, 12)
    header = created.data.settings.request_headers[0]
    assert header.value == "Bearer {{ application.source_provider.access_token }}"
    assert (after.data.name, after.data.active) == ("CI(build) 2", False)
    assert after.data.target_url == created.data.target_url
    assert after.data.settings == created.data.settings
    assert after.data.trigger_when == created.data.trigger_when
    assert after.data.created_at == created.data.created_at
    assert gone.message == f"no hook '{created.data.id}'"


async def test_a_typed_body_cannot_carry_a_target_and_is_told_so(sdk: Call, target: str) -> None:
    body = HookPipelineCreate.model_validate(outgoing(target))

    error = await refused(sdk("add_pipeline_hook", "outgoing", 1, body))

    assert error.status_code == 422
    assert error.errors == {"target_url": ["Is required"]}


async def test_an_incoming_hook_starts_an_action_and_tells_its_number(sdk: Call) -> None:
    body = incoming(settings=None, trigger_when=None)

    created = await sdk("add_pipeline_hook", "incoming", 1, body)
    triggered = await sdk("trigger_hook", created.data.id)

    assert created.data.url.endswith(f"/hooks/{created.data.id}/trigger")
    assert (created.data.type, created.data.secret, created.data.target_url) == ("in", "*****", None)
    assert triggered.data.message == "The action was started."
    assert isinstance(triggered.action_id, int)


async def test_a_typed_incoming_hook_keeps_its_variables_and_conditions(sdk: Call) -> None:
    body = HookPipelineCreate.model_validate(incoming())

    created = await sdk("add_pipeline_hook", "incoming", 1, body)
    found = await sdk("get_hook", created.data.id, "incoming")
    listed = await sdk("list_pipeline_hooks", 1, per_page=100)

    variables = {variable.name: variable for variable in found.data.settings.variables}
    assert variables["commit_hash"].path == "pull_request.head.sha"
    assert (variables["number"].type, variables["number"].default_value) == ("integer", 5.0)
    assert (variables["labels"].path, variables["labels"].required) == ("labels", False)
    (condition,) = found.data.trigger_when.conditions
    assert (condition.type, condition.path) == ("request_body", "action")
    assert list(condition.accepted_values) == ["closed", True, 7]
    assert created.data.id in {hook.id for hook in listed.data}


async def test_a_secret_is_told_once_and_requests_must_be_signed_with_it(sdk: Call, engine: Server) -> None:
    body = incoming(requires_secret=True, secret_algorithm="sha256", secret_header_name="x-hub-signature-256")

    created = await sdk("add_pipeline_hook", "incoming", 1, body)
    found = await sdk("get_hook", created.data.id, "incoming")
    content = json.dumps({"action": "closed", "pull_request": {"head": {"sha": sha_of(5)}}}).encode()
    digest = hmac.new(created.data.secret.encode(), content, hashlib.sha256).hexdigest()
    unsigned = await refused(sdk("trigger_hook", created.data.id))
    signed = [
        engine.request(
            "POST", httpx.URL(created.data.url).path, content=content, headers={"X-Hub-Signature-256": value}
        )
        for value in (digest, f"sha256={digest}", digest[::-1])
    ]

    assert len(created.data.secret) >= 32
    assert (found.data.secret, found.data.secret_algorithm) == ("*****", "sha256")
    assert found.data.secret_header_name == "x-hub-signature-256"
    assert unsigned.status_code == 403
    assert [answer.status_code for answer in signed] == [202, 202, 403]
    assert created.data.secret.encode() not in b"".join(
        path.read_bytes() for path in engine.folder.iterdir() if path.is_file()
    )


@pytest.mark.parametrize("accepted", [[123, "some-value", False, True, None, 1.5]])
async def test_conditions_with_any_values_come_back_so_that_lists_can_be_read(
    sdk: Call, target: str, accepted: list[Any]
) -> None:
    condition = {
        "path": "action.triggered_from.hook_parsed_variables.pipeline_id",
        "accepted_values": accepted,
    }
    trigger = {"events": ["action.status_changed"], "conditions": [condition]}

    created = await sdk("add_pipeline_hook", "outgoing", 1, outgoing(target, trigger_when=trigger))
    page = await sdk("list_pipeline_hooks", 1, per_page=100)

    (listed,) = [hook for hook in page.data if hook.id == created.data.id]
    (condition_back,) = listed.trigger_when.conditions
    assert condition_back.accepted_values == ["123", "some-value", "false", "true", "null", "1.5"]


@pytest.mark.parametrize("body", [None, "text {{ action.id }}", {"a": [1, None]}, [{"a": 1}, {}], [1, "two"]])
async def test_every_body_can_be_read_back(sdk: Call, target: str, body: Any) -> None:
    document = outgoing(target, settings={"request_body": body})

    created = await sdk("add_pipeline_hook", "outgoing", 1, document)

    shown = created.data.settings.request_body if created.data.settings else None
    assert shown == (json.dumps(body) if body == [1, "two"] else body)


async def test_an_action_type_that_devopness_does_not_have_spoils_no_list(sdk: Call, engine: Server) -> None:
    made = engine.post("/api/pipelines", {"name": f"builds {id(sdk)}", "operation": "build"})
    pipeline_id = made.json()["id"]

    created = await sdk(
        "add_pipeline_hook", "incoming", pipeline_id, {"name": "any", "requires_secret": False}
    )
    page = await sdk("list_pipeline_hooks", pipeline_id)

    assert [hook.id for hook in page.data] == [created.data.id]
    assert created.data.action_type == "deploy"


async def test_pages_are_bare_arrays_and_say_how_many_there_are(
    sdk: Call, engine: Server, target: str
) -> None:
    pipeline_id = engine.post("/api/pipelines", {"name": f"pages {id(sdk)}"}).json()["id"]
    ids = [
        (await sdk("add_pipeline_hook", "outgoing", pipeline_id, outgoing(target))).data.id for _ in range(5)
    ]

    pages = [await sdk("list_pipeline_hooks", pipeline_id, page=page, per_page=2) for page in (1, 2, 3, 4)]
    plain = engine.get(f"/pipelines/{pipeline_id}/hooks?page=2&per_page=2")

    assert [[hook.id for hook in page.data] for page in pages] == [ids[:2], ids[2:4], ids[4:], []]
    assert {page.page_count for page in pages} == {3}
    base = f"{engine.url}/pipelines/{pipeline_id}/hooks"
    assert plain.headers["link"] == ", ".join(
        f'<{base}?page={page}&per_page=2>; rel="{name}"'
        for name, page in {"first": 1, "prev": 1, "next": 3, "last": 3}.items()
    )


async def test_an_empty_page_is_the_last_one(sdk: Call) -> None:
    page = await sdk("list_pipeline_hooks", 2)

    assert (page.data, page.page_count) == ([], 1)


async def test_an_application_has_the_hooks_of_its_pipelines(sdk: Call, target: str) -> None:
    created = await sdk("add_pipeline_hook", "outgoing", 1, outgoing(target))

    page = await sdk("list_application_hooks", 12, per_page=100)
    other = await sdk("list_application_hooks", 13)

    assert created.data.id in {hook.id for hook in page.data}
    assert other.data == []


async def _sent(engine: Server, hook_id: str, action: int) -> None:
    """An action of this number starts, and what the hook owes has been tried."""
    event = {
        "type": "action.started",
        "action": {
            "id": action,
            "pipeline": 1,
            "triggered_from": {"hook_parsed_variables": {"commit_hash": sha_of(action)}},
        },
        "application": {"source_provider": {"access_token": TOKEN}},
    }
    (answer,) = engine.accept(event)
    (delivery,) = [hook["delivery"] for hook in answer["hooks"] if hook["id"] == hook_id]
    engine.wait_for("attempt.finished", delivery=delivery)


async def test_what_a_hook_has_sent_is_shown_without_the_secret(
    sdk: Call, engine: Server, target: str
) -> None:
    created = await sdk("add_pipeline_hook", "outgoing", 1, outgoing(target))
    action = abs(hash(created.data.id)) % 10**9 + 1
    await _sent(engine, created.data.id, action)

    page = await sdk("list_hook_requests_by_hook_type", created.data.id, "outgoing")
    (relation,) = page.data
    request = (await sdk("get_hook_request", relation.id)).data
    await sdk("delete_hook", created.data.id, "outgoing")

    assert (relation.action_id, relation.retry_of, relation.ip_address) == (action, None, "127.0.0.1")
    assert request.url == f"{target}/repos/acme/shop/statuses/{sha_of(action)}"
    assert request.request_body == {"state": "pending", "context": "ci/devopness(build)"}
    assert request.request_headers["Authorization"] == (
        "Bearer <context:1:application.source_provider.access_token>"
    )
    assert (request.response_status_code, request.response_body) == (201, {"state": "pending", "id": 7})
    assert request.hook.id == created.data.id


@pytest.fixture(scope="module")
def nobody() -> Iterator[str]:
    """Where nobody listens."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize(("url", "status"), [("{nobody}/", 0), ("{target}/text", 201)])
async def test_what_devopness_cannot_say_of_an_answer_stands_beside_it(
    sdk: Call, engine: Server, target: str, nobody: str, url: str, status: int
) -> None:
    document = outgoing(
        target, target_url=url.format(target=target, nobody=nobody), settings={"request_body": "no JSON"}
    )
    created = await sdk("add_pipeline_hook", "outgoing", 1, document)
    await _sent(engine, created.data.id, abs(hash(created.data.id)) % 10**9 + 1)

    page = await sdk("list_hook_requests_by_hook_type", created.data.id, "outgoing")
    request = (await sdk("get_hook_request", page.data[0].id)).data
    plain = engine.get(f"/hook-requests/{page.data[0].id}").json()
    await sdk("delete_hook", created.data.id, "outgoing")

    assert (request.response_status_code, request.response_body) == (status, {})
    assert request.request_body == {}
    assert plain["hookengine"]["request_body"] == "no JSON"
    if status:
        assert plain["hookengine"]["detail"]["body"] == "thank you"
    else:
        assert plain["hookengine"]["outcome"] == "unreachable"
        assert plain["hookengine"]["detail"]["reason"]


async def test_incoming_hooks_keep_no_requests(sdk: Call) -> None:
    created = await sdk("add_pipeline_hook", "incoming", 1, incoming())

    page = await sdk("list_hook_requests_by_hook_type", created.data.id, "incoming")

    assert page.data == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "x" * 61}, "name"),
        ({"name": None}, "name"),
        ({"action_type": "add"}, "action_type"),
        ({"requires_secret": True}, "requires_secret"),
        ({"target_url": "ftp://x.example"}, "target_url"),
        ({"target_url": "{{ action.url }}"}, "target_url"),
        ({"trigger_when": {"events": []}}, "trigger_when.events"),
        ({"trigger_when": {"events": ["action.complete"]}}, "trigger_when.events[0]"),
        (
            {"settings": {"request_headers": [{"name": "x" * 257, "value": ""}]}},
            "settings.request_headers[0].name",
        ),
        (
            {"settings": {"request_headers": [{"name": "x", "value": "y" * 4097}]}},
            "settings.request_headers[0].value",
        ),
        ({"settings": {"request_body": {"a": "{{ nothing }"}}}, "settings.request_body.a"),
        ({"target_ulr": "x"}, "target_ulr"),
        ({"id": "mine"}, "id"),
    ],
)
async def test_what_is_wrong_with_an_outgoing_hook_is_told_by_field(
    sdk: Call, target: str, changes: dict[str, Any], field: str
) -> None:
    error = await refused(sdk("add_pipeline_hook", "outgoing", 1, outgoing(target, **changes)))

    assert (error.status_code, error.message) == (422, "The given data was invalid.")
    assert list(error.errors or {}) == [field]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"requires_secret": None}, "requires_secret"),
        ({"requires_secret": "yes"}, "requires_secret"),
        ({"requires_secret": True, "secret_algorithm": "md5"}, "secret_algorithm"),
        ({"secret_header_name": "x" * 65}, "secret_header_name"),
        ({"settings": {"variables": [{"name": "a", "type": "object"}]}}, "settings.variables[0].type"),
        ({"settings": {"request_body": {}}}, "settings.request_body"),
        ({"trigger_when": {"events": ["action.started"]}}, "trigger_when.events"),
        ({"trigger_when": {"conditions": [{"path": "a"}]}}, "trigger_when.conditions[0].accepted_values"),
    ],
)
async def test_what_is_wrong_with_an_incoming_hook_is_told_by_field(
    sdk: Call, changes: dict[str, Any], field: str
) -> None:
    error = await refused(sdk("add_pipeline_hook", "incoming", 1, incoming(**changes)))

    assert error.status_code == 422
    assert list(error.errors or {}) == [field]


async def test_what_is_not_there_and_who_is_unknown_is_told_in_devopness_shape(
    sdk: Call, engine: Server, target: str
) -> None:
    errors = [
        await refused(sdk("add_pipeline_hook", "outgoing", 99, outgoing(target))),
        await refused(sdk("list_pipeline_hooks", 99)),
        await refused(sdk("get_hook", "nobody", "outgoing")),
        await refused(sdk("get_hook", "nobody", "incoming")),
        await refused(sdk("delete_hook", "nobody", "outgoing")),
        await refused(sdk("list_hook_requests_by_hook_type", "nobody", "outgoing")),
        await refused(sdk("get_hook_request", "dlv_nobody-1")),
        await refused(sdk("trigger_hook", "nobody")),
        await refused(sdk("list_pipeline_hooks", 1, page=0)),
        await refused(sdk("list_pipeline_hooks", 1, per_page=101)),
    ]
    stranger = DevopnessClient({"base_url": engine.url, "api_token": "nobody's"})
    with pytest.raises(DevopnessApiError) as unknown:
        stranger.hooks.list_pipeline_hooks(1)
    stranger.close()

    assert [error.status_code for error in errors] == [404] * 8 + [422] * 2
    assert all(error.message for error in errors)
    assert errors[-1].errors is not None
    assert "per_page" in errors[-1].errors
    assert unknown.value.status_code == 401
