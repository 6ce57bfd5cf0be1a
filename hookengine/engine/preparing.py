"""The templates of a hook are read, judged and compiled, once for each of its revisions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from hookengine.domain.hook import Hook
from hookengine.domain.request import Text
from hookengine.engine import json_body
from hookengine.engine.json_pieces import fill, pieces_of
from hookengine.engine.rendering import Fill, PreparedHook
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
_JSON_HEADER: Final[tuple[str, Text]] = ("content-type", ("application/json",))


def prepare(hook: Hook, permissions: Permissions = Permissions()) -> PreparedHook:  # noqa: B008  frozen
    """Raises TemplateError for what no render could make right: also a host or a secret that is not permitted."""
    try:
        return _prepared(hook, permissions)
    except TemplateError:
        raise
    except Refusal as refusal:
        raise TemplateError(refusal.message, hint=refusal.hint) from None
    except Exception as error:  # noqa: BLE001 (one bad hook must not stop the others)
        raise TemplateError(f"the templates cannot be prepared: {type(error).__name__}") from None


def _prepared(hook: Hook, permissions: Permissions) -> PreparedHook:
    unit = Unit(hook.params)
    url_leaf = unit.leaf("target_url", hook.target_url)
    headers = [_header(unit, index, *header) for index, header in enumerate(hook.headers)]
    lane_key = unit.leaf("lane.key", hook.lane.key) if hook.lane and hook.lane.key else None
    may_hold = _body_secrets(hook, permissions)
    body, body_leaves, is_json = _body(unit, hook.body, _content_type(headers), may_hold)
    url = UrlTemplate(url_leaf, permissions)
    SecretUse(
        host=url.host,
        headers=[leaf for _, leaf in headers],
        json_body=body_leaves if is_json else (),
        elsewhere=_where_no_secret_stands(url_leaf, lane_key, () if is_json else body_leaves),
    ).check(permissions, may_hold)
    values = [(name, literal_header(leaf) or leaf) for name, leaf in headers]
    if is_json and not any(name.lower() == "content-type" for name, _ in headers):
        values.append(_JSON_HEADER)
    return PreparedHook(hook, unit.compile(), url, tuple(values), body, lane_key)


def _where_no_secret_stands(
    url: Leaf, lane_key: Leaf | None, text_body: Sequence[Leaf]
) -> list[tuple[str, Leaf]]:
    key = [] if lane_key is None else [("the key of a lane", lane_key)]
    return [("a URL", url), *key, *(("a body that is not JSON", leaf) for leaf in text_body)]


def _body_secrets(hook: Hook, permissions: Permissions) -> MayHold:
    names = frozenset(NAMED + name for name in permissions.in_bodies)
    return lambda name: hook.secrets_in_body or name in names


def _header(unit: Unit, index: int, name: str, template: str) -> tuple[str, Leaf]:
    field = f"settings.request_headers[{index}]"
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


def _body(
    unit: Unit, body: Any, content_type: str | None, may_hold: MayHold
) -> tuple[Fill | None, Sequence[Leaf], bool]:
    """What makes the text of the body, its templates, and whether it is JSON."""
    field = "settings.request_body"
    if body is None or body == "":
        return None, (), False
    if not isinstance(body, str):
        leaves: list[Leaf] = []

        def leaf_of(field: str, template: str) -> Leaf:
            leaves.append(unit.leaf(field, template))
            return leaves[-1]

        pieces = pieces_of(json_body.tree_of(body, field, leaf_of))
        return lambda run: fill(run, pieces, may_hold), leaves, True
    leaf = unit.leaf(field, body)
    if content_type is None or not (content_type == "application/json" or content_type.endswith("+json")):
        return lambda run: (text_of(run, leaf.parts_in(run)),), (leaf,), False
    return _json_text(leaf, may_hold), (leaf,), True


def _json_text(leaf: Leaf, may_hold: MayHold) -> Fill:
    if leaf.recording is None:
        pieces = pieces_of(json_body.tree_of_text(leaf.parts, leaf))
        return lambda run: fill(run, pieces, may_hold)

    def filled(run: Run) -> Text:
        return fill(run, pieces_of(json_body.tree_of_text(leaf.parts_in(run), leaf)), may_hold)

    return filled
