"""Recognising a commit-status call by the shape of its request, on any host.

Three hooks an admin writes for started, failed and completed change one and the same status: what they
have in common is not the hook but the host, the repository, the commit and the context they name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring as quoted
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from hookengine.domain.hook import Hook
from hookengine.domain.request import Address, RenderedRequest, address_of, fill_text

_FORM = "application/x-www-form-urlencoded"
_EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_STEPS = re.compile(r"\|\s*path\b")
"""A filter's value may have several steps; every other value is one step of a path."""
_PAIRS = re.compile(r"[\w.%+\[\]-]+=[^\s&]*(&[\w.%+\[\]-]+=[^\s&]*)*")

_TEXT = r'"(?:[^"\\]|\\.)*"'
_STATUS_LANE = re.compile(rf"status(?:-[a-z]+)?:\[{_TEXT}, {_TEXT}, (?P<sha>{_TEXT}), ")
"""The key of a lane as far as it is whole: what comes after the commit may have been cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCall:
    """`kind` is the host's family; `context` what the family tells one status of a commit from another by."""

    kind: str
    host: str
    repository: str
    sha: str
    context: str

    @property
    def lane_key(self) -> str:
        named = (self.host, self.repository, self.sha, self.context)
        return f"status:[{', '.join(map(quoted, named))}]"


@dataclass(frozen=True, slots=True)
class _Shape:
    """`context` lists the body fields that name the status, the strongest first; `default`: if none is there.
    `holds` is a text in every such path, which is looked for first: most requests are none of these."""

    kind: str
    holds: str
    path: re.Pattern[str]
    context: tuple[str, ...]
    default: str | None = None
    ignores_case: bool = False


_SHAPES = (
    _Shape(
        "gitea",
        "/statuses/",
        re.compile(r"/api/v1/repos/(?P<repository>[^/]+/[^/]+)/statuses/(?P<sha>[^/]+)"),
        ("context",),
        default="default",
    ),
    _Shape(
        "github",
        "/statuses/",
        re.compile(r"(?:/api/v3)?/repos/(?P<repository>[^/]+/[^/]+)/statuses/(?P<sha>[^/]+)"),
        ("context",),
        default="default",
        ignores_case=True,
    ),
    _Shape(
        "gitlab",
        "/statuses/",
        re.compile(r"(?:/.+)?/api/v4/projects/(?P<repository>[^/]+)/statuses/(?P<sha>[^/]+)"),
        ("name", "context"),
        default="default",
    ),
    _Shape(
        "bitbucket",
        "/statuses/build",
        re.compile(r"/2\.0/repositories/(?P<repository>[^/]+/[^/]+)/commit/(?P<sha>[^/]+)/statuses/build"),
        ("key",),
    ),
    _Shape(
        "bitbucket_datacenter",
        "/builds",
        re.compile(
            r"(?:/.+)?/rest/api/[^/]+/projects/(?P<repository>[^/]+/repos/[^/]+)/commits/(?P<sha>[^/]+)/builds"
        ),
        ("key",),
    ),
    _Shape(
        "bitbucket_datacenter",
        "/rest/build-status/",
        re.compile(r"(?:/.+)?(?P<repository>/rest/build-status)/[^/]+/commits/(?P<sha>[^/]+)"),
        ("key",),
    ),
    _Shape(
        "azure_devops",
        "/_apis/git/",
        re.compile(r"/(?P<repository>.+)/commits/(?P<sha>[^/]+)/statuses"),
        ("context",),
    ),
)


def commit_of(lane_key: str) -> str | None:
    """The hash of the commit whose status is changed in the lane of this key; None for any other lane."""
    found = _STATUS_LANE.match(lane_key)
    return None if found is None else str(json.loads(found["sha"]))


def recognise(request: RenderedRequest) -> StatusCall | None:
    """None for every other request, and for one whose body does not say which status it means."""
    address = address_of(request.url)
    known = _known(request.method, address.path)
    if known is None:
        return None
    fields = _fields(request, address)
    return None if fields is None else _call(*known, address.host, fields)


def state_of(request: RenderedRequest) -> str | None:
    """What a commit-status call says of its commit; None for every other request."""
    address = address_of(request.url)
    if _known(request.method, address.path) is None:
        return None
    state = (_fields(request, address) or {}).get("state")
    return state if isinstance(state, str) else None


def family(request: RenderedRequest) -> str | None:
    """Of hosts, by the address alone: whose response rules an answer to this request is judged by."""
    known = _known(request.method, address_of(request.url).path)
    return None if known is None else known[0].kind


def writes_statuses(hook: Hook) -> bool:
    """Whether its requests will be recognised, as far as the template of its URL tells before there are any."""
    url = _EXPRESSION.sub(lambda found: "x/x" if _STEPS.search(found[1]) else "x", hook.filled_url)
    try:
        path = urlsplit(url).path
    except ValueError:  # brackets that only values will make a host of
        return False
    return _known(hook.method, path) is not None


@lru_cache(maxsize=512)
def _known(method: str, path: str) -> tuple[_Shape, re.Match[str]] | None:
    if method != "POST":
        return None
    for shape in _SHAPES:
        if shape.holds in path and (found := shape.path.fullmatch(path)) is not None:
            return shape, found
    return None


def _call(shape: _Shape, found: re.Match[str], host: str, fields: Mapping[str, Any]) -> StatusCall | None:
    context = next((fields[name] for name in shape.context if fields.get(name)), shape.default)
    if isinstance(context, Mapping):  # Azure DevOps: {"name": ..., "genre": ...}
        context = f"{context.get('genre', '')}/{context['name']}" if context.get("name") else None
    if not isinstance(context, str):
        return None
    return StatusCall(
        kind=shape.kind,
        host=host,
        repository=unquote(found["repository"]).lower(),
        sha=unquote(found["sha"]).lower(),
        context=context.lower() if shape.ignores_case else context,
    )


def _fields(request: RenderedRequest, address: Address) -> Mapping[str, Any] | None:
    """Of the body over those of the query. None if nobody can say which there are."""
    query = dict(parse_qsl(address.query)) if address.query else {}
    body = fill_text(request.body or (), str).strip()
    if not body:
        return query or None
    try:
        fields = _read(body)
    except (ValueError, RecursionError):
        fields = _pairs(request, body)
    return {**query, **fields} if isinstance(fields, Mapping) else None


def _read(body: str) -> Any:
    """Python's own reader takes more for JSON: NaN, and halves of letters."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body)


def _pairs(request: RenderedRequest, body: str) -> Mapping[str, str] | None:
    media_types = [fill_text(value, str) for name, value in request.headers if name.lower() == "content-type"]
    is_form = any(value.partition(";")[0].strip().lower() == _FORM for value in media_types)
    return dict(parse_qsl(body)) if is_form or _PAIRS.fullmatch(body) else None
