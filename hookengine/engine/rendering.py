"""A hook and a context become a request with nothing left to fill in but named holes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from hookengine.domain.context import Context
from hookengine.domain.hook import Hook
from hookengine.domain.request import RenderedRequest, Text
from hookengine.engine import json_body
from hookengine.engine.skeleton import UrlTemplate, header_value, literal_header, text_of
from hookengine.errors import TemplateError
from hookengine.guard.address import AddressPolicy
from hookengine.guard.hostname import Refused
from hookengine.guard.sandbox import Leaf, Program, Refusal, Run, Unit
from hookengine.guard.url import check_url

MAX_CONTEXT: Final = 256 * 1024
MAX_REQUEST: Final = 256 * 1024
MAX_LANE_KEY: Final = 1_000

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


@dataclass(frozen=True, slots=True)
class Rendered:
    """`lane_key` is None when the hook names no lane of its own."""

    request: RenderedRequest
    lane_key: str | None


def prepare(
    hook: Hook, *, policy: AddressPolicy | None = None, allow_host_values: Collection[str] = ()
) -> PreparedHook:
    """Check and compile the templates of a hook. Raises TemplateError.

    `policy` judges what is rendered, if somebody knows it: a hook may be older than the policy.
    `allow_host_values` are the hosts a value of the context may name, exactly as written.
    """
    try:
        return _prepared(hook, policy, allow_host_values)
    except TemplateError:
        raise
    except Refusal as refusal:
        raise TemplateError(refusal.message, hint=refusal.hint) from None
    except Exception as error:  # noqa: BLE001 (one bad hook must not stop the others)
        raise TemplateError(f"the templates cannot be prepared: {type(error).__name__}") from None


def _prepared(hook: Hook, policy: AddressPolicy | None, allow_host_values: Collection[str]) -> PreparedHook:
    unit = Unit(hook.params)
    url = UrlTemplate(unit.leaf("target_url", hook.target_url), allow_host_values)
    headers = [_header(unit, index, *header) for index, header in enumerate(hook.headers)]
    content_type = _content_type(headers)
    body, is_json = _body(unit, hook.body, content_type)
    values = [(name, literal_header(leaf) or leaf) for name, leaf in headers]
    if is_json and content_type is None:
        values.append(_JSON_HEADER)
    lane_key = unit.leaf("lane.key", hook.lane.key) if hook.lane and hook.lane.key else None
    return PreparedHook(hook, unit.compile(), url, tuple(values), body, lane_key, policy)


Header = tuple[str, Text | Leaf]
Fill = Callable[[Run], str]


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


def _body(unit: Unit, body: Any, content_type: str | None) -> tuple[Fill | None, bool]:
    """What makes the text of the body, and whether it is JSON."""
    field = "settings.request_body"
    if body is None or body == "":
        return None, False
    if not isinstance(body, str):
        tree = json_body.tree_of(body, field, unit.leaf)
        return lambda run: json_body.serialised(json_body.fill(run, tree)), True
    leaf = unit.leaf(field, body)
    if content_type is None or not (content_type == "application/json" or content_type.endswith("+json")):
        return lambda run: text_of(run, leaf.parts_in(run)), False
    if leaf.recording is None:
        tree = json_body.tree_of_text(leaf.parts, leaf)
        return lambda run: json_body.serialised(json_body.fill(run, tree)), True

    def filled(run: Run) -> str:
        return json_body.serialised(json_body.fill(run, json_body.tree_of_text(leaf.parts_in(run), leaf)))

    return filled, True


class PreparedHook:
    """A hook whose templates are checked and compiled. Safe to use from many threads and tasks at once."""

    def __init__(
        self,
        hook: Hook,
        program: Program,
        url: UrlTemplate,
        headers: tuple[Header, ...],
        body: Fill | None,
        lane_key: Leaf | None,
        policy: AddressPolicy | None,
    ) -> None:
        self.hook = hook
        self._program, self._url, self._headers = program, url, headers
        self._body, self._lane_key, self._policy = body, lane_key, policy

    def check_target(self, policy: AddressPolicy) -> None:
        """Raises TemplateError for a URL that will be refused whatever it is filled with. Looks no name up."""
        if self._url.known:
            _check_url(self._url.known, policy)

    def render(self, context: Context) -> Rendered:
        """Raises TemplateError, and nothing else."""
        try:
            _check_size(context)
            return self._rendered(self._program.run(context))
        except TemplateError:
            raise
        except Refusal as refusal:
            raise TemplateError(refusal.message, hint=refusal.hint) from None
        except Exception as error:  # noqa: BLE001 (one bad hook must not stop the others)
            raise TemplateError(f"the request cannot be rendered: {type(error).__name__}") from None

    def _rendered(self, run: Run) -> Rendered:
        headers = tuple(
            [
                (name, header_value(run, value) if isinstance(value, Leaf) else value)
                for name, value in self._headers
            ]
        )
        url = self._url.fill(run)
        if self._policy is not None:
            _check_url(url, self._policy)
        request = RenderedRequest(
            method=self.hook.method,
            url=url,
            headers=headers,
            body=self._body_text(run),
        )
        return Rendered(request, None if self._lane_key is None else self._lane(run, self._lane_key))

    def _body_text(self, run: Run) -> Text | None:
        if self._body is None:
            return None
        text = self._body(run)
        if len(text) > MAX_REQUEST or (len(text) * 4 > MAX_REQUEST and len(text.encode()) > MAX_REQUEST):
            raise TemplateError("the body becomes larger than 256 KiB", field="settings.request_body")
        return (text,)

    def _lane(self, run: Run, leaf: Leaf) -> str:
        key = text_of(run, leaf.parts_in(run))
        if not 0 < len(key) <= MAX_LANE_KEY:
            raise leaf.source.error(Refusal(f"the key of a lane has 1 to {MAX_LANE_KEY} characters"))
        return key


def _check_url(url: str, policy: AddressPolicy) -> None:
    try:
        check_url(url, policy)
    except Refused as refused:
        raise TemplateError(str(refused), field="target_url") from None


def _check_size(context: Context) -> None:
    try:
        size = len(orjson.dumps(context, default=_plain))
    except TypeError:
        size = len(json.dumps(context, default=_plain))
    if size > MAX_CONTEXT:
        raise TemplateError("the context is larger than 256 KiB", hint="send less data with the event")


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)
