"""The templates of a hook are read, judged and compiled, once for each of its revisions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from hookengine.domain.confirmation import question
from hookengine.domain.hook import Confirm, Hook, HookRequest, origin_of
from hookengine.domain.request import Text
from hookengine.engine import json_body
from hookengine.engine.capture_use import CaptureUse, capturing, refs_of
from hookengine.engine.json_pieces import fill, pieces_of
from hookengine.engine.rendering import Fill, PreparedHook, PreparedRequest
from hookengine.engine.secret_use import MayHold, SecretUse
from hookengine.engine.skeleton import literal_header, text_of
from hookengine.engine.url_shape import UrlTemplate
from hookengine.errors import TemplateError
from hookengine.guard.permissions import Permissions
from hookengine.guard.sandbox import Leaf, Refusal, Run, Unit
from hookengine.guard.vault import NAMED

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_RESERVED: Final = frozenset(
    {
        "host",
        "content-length",
        "content-encoding",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "hookengine-position",
    }
)
_HEADERS: Final = "settings.request_headers"
_BODY: Final = "settings.request_body"
_JSON_HEADER: Final[tuple[str, Text]] = ("content-type", ("application/json",))


def prepare(hook: Hook, permissions: Permissions = Permissions()) -> PreparedHook:  # noqa: B008  frozen
    """Raises TemplateError for what no render could make right: also a host or a secret that is not permitted."""
    try:
        requests = hook.requests
        places = [f"requests[{number}]." for number in range(len(requests))] if hook.before else [""]
        return PreparedHook(
            hook,
            tuple([_prepared(hook, requests, number, at, permissions) for number, at in enumerate(places)]),
            None if hook.confirm is None else _question(hook, hook.confirm, permissions),
        )
    except TemplateError:
        raise
    except Refusal as refusal:
        raise TemplateError(refusal.message, hint=refusal.hint) from None
    except Exception as error:  # noqa: BLE001 (one bad hook must not stop the others)
        raise TemplateError(f"the templates cannot be prepared: {type(error).__name__}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    """What makes the text of a body; its templates, and those that are whole members of an object of it."""

    fill: Fill | None = None
    leaves: Sequence[Leaf] = ()
    members: Sequence[Leaf] = ()
    is_json: bool = False


def _prepared(
    hook: Hook, requests: Sequence[HookRequest], number: int, at: str, permissions: Permissions
) -> PreparedRequest:
    """`at` is where in the hook it stands."""
    request = requests[number]
    unit = Unit(hook.params)
    url_leaf = unit.leaf(f"{at}target_url", request.target_url)
    headers = [
        _header(unit, f"{at}{_HEADERS}[{index}]", *named) for index, named in enumerate(request.headers)
    ]
    lane_key = unit.leaf("lane.key", hook.lane.key) if hook.lane and hook.lane.key else None
    may_hold = _body_secrets(hook, permissions)
    body = _body(unit, request.body, f"{at}{_BODY}", _content_type(headers), may_hold)
    url = UrlTemplate(url_leaf, permissions)
    header_leaves = [leaf for _, leaf in headers]
    json_leaves, text_leaves = (body.leaves, ()) if body.is_json else ((), body.leaves)
    SecretUse(
        host=url.host,
        headers=header_leaves,
        json_body=json_leaves,
        elsewhere=_where_no_secret_stands(url_leaf, lane_key, text_leaves),
    ).check(permissions, may_hold)
    uses = CaptureUse(
        anywhere=[url_leaf, *header_leaves, *(leaf for leaf in json_leaves if leaf not in body.members)],
        members=body.members,
        elsewhere=_where_nothing_late_stands(lane_key, text_leaves),
    ).check(requests, number)
    values = [(name, literal_header(leaf) or leaf) for name, leaf in headers]
    if body.is_json and not any(name.lower() == "content-type" for name, _ in headers):
        values.append(_JSON_HEADER)
    return PreparedRequest(
        method=request.method,
        program=unit.compile(),
        url=url,
        headers=tuple(values),
        body=body.fill,
        lane_key=lane_key,
        capturing=capturing(request, uses),
        captured=refs_of(requests, number) if uses else {},
    )


def _question(hook: Hook, confirm: Confirm, permissions: Permissions) -> PreparedRequest:
    """What is told to one host is not asked of another: its answer would decide what is told again."""
    prepared = _prepared(hook, [question(confirm)], 0, "confirm.", permissions)
    if origin_of(confirm.target_url, hook.params) != hook.target:
        raise TemplateError(f"asks another host than {hook.target}", field="confirm.target_url")
    return prepared


def _where_nothing_late_stands(lane_key: Leaf | None, text_body: Sequence[Leaf]) -> list[tuple[str, Leaf]]:
    key = [] if lane_key is None else [("the key of a lane", lane_key)]
    return [*key, *(("a body that is not JSON", leaf) for leaf in text_body)]


def _where_no_secret_stands(
    url: Leaf, lane_key: Leaf | None, text_body: Sequence[Leaf]
) -> list[tuple[str, Leaf]]:
    return [("a URL", url), *_where_nothing_late_stands(lane_key, text_body)]


def _body_secrets(hook: Hook, permissions: Permissions) -> MayHold:
    names = frozenset(NAMED + name for name in permissions.in_bodies)
    return lambda name: hook.secrets_in_body or name in names


def _header(unit: Unit, field: str, name: str, template: str) -> tuple[str, Leaf]:
    if not _TOKEN.fullmatch(name):
        raise TemplateError("the name of a header is a literal word", field=f"{field}.name")
    if name.lower() in _RESERVED or name.lower().startswith("proxy-"):
        raise TemplateError(f"{name} is set by the engine itself", field=f"{field}.name", hint="leave it out")
    leaf = unit.leaf(f"{field}.value", template, spread=True)
    return name, leaf


def _content_type(headers: Sequence[tuple[str, Leaf]]) -> str | None:
    """The media type the hook names, which must be known before any value is."""
    found = [value for name, value in headers if name.lower() == "content-type"]
    if not found:
        return None
    leaf = found[0]
    parts = [part if isinstance(part, str) else part.constant for part in leaf.parts]
    if len(found) > 1 or leaf.recording is not None or None in parts:
        raise leaf.source.error(Refusal("a hook names one content type, and literally"))
    return "".join(map(str, parts)).partition(";")[0].strip().lower()


def _body(unit: Unit, body: Any, field: str, content_type: str | None, may_hold: MayHold) -> _Body:
    if body is None or body == "":
        return _Body()
    if not isinstance(body, str):
        return _tree_body(unit, body, field, may_hold)
    leaf = unit.leaf(field, body)
    if content_type is None or not (content_type == "application/json" or content_type.endswith("+json")):
        return _Body(fill=lambda run: (text_of(run, leaf.parts_in(run)),), leaves=(leaf,))
    return _Body(fill=_json_text(leaf, may_hold), leaves=(leaf,), is_json=True)


def _tree_body(unit: Unit, body: Any, field: str, may_hold: MayHold) -> _Body:
    leaves: list[Leaf] = []
    members: list[Leaf] = []

    def leaf_of(field: str, template: str) -> Leaf:
        leaf = unit.leaf(field, template)
        leaves.append(leaf)
        if leaf.hole is not None and not field.endswith("]"):
            members.append(leaf)
        return leaf

    pieces = pieces_of(json_body.tree_of(body, field, leaf_of))
    return _Body(fill=lambda run: fill(run, pieces, may_hold), leaves=leaves, members=members, is_json=True)


def _json_text(leaf: Leaf, may_hold: MayHold) -> Fill:
    if leaf.recording is None:
        pieces = pieces_of(json_body.tree_of_text(leaf.parts, leaf))
        return lambda run: fill(run, pieces, may_hold)

    def filled(run: Run) -> Text:
        return fill(run, pieces_of(json_body.tree_of_text(leaf.parts_in(run), leaf)), may_hold)

    return filled
