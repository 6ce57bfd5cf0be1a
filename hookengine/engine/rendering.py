"""A hook and a context become a request with nothing left to fill in but named holes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from hookengine.domain.capture import CaptureRef, Capturing
from hookengine.domain.confirmation import reading
from hookengine.domain.context import Context
from hookengine.domain.event import Rank
from hookengine.domain.hook import Hook
from hookengine.domain.request import Confirming, RenderedRequest, Text, fill_text
from hookengine.domain.struct import struct
from hookengine.engine.json_body import CAPTURED
from hookengine.engine.measuring import size_of
from hookengine.engine.skeleton import header_value, text_of
from hookengine.engine.url_shape import UrlTemplate
from hookengine.errors import TemplateError
from hookengine.guard.sandbox import Leaf, Program, Refusal, Run

MAX_CONTEXT: Final = 256 * 1024
MAX_REQUEST: Final = 256 * 1024
MAX_LANE_KEY: Final = 1_000

Header = tuple[str, Text | Leaf]
Fill = Callable[[Run], Text]


@struct(kw_only=False)
class Rendered:
    """`lane_key` is None when the hook names no lane of its own."""

    request: RenderedRequest
    lane_key: str | None


@dataclass(frozen=True, slots=True)
class PreparedHook:
    """A hook whose templates are checked and compiled. Safe to use from many threads and tasks at once."""

    hook: Hook
    requests: tuple[PreparedRequest, ...]
    question: PreparedRequest | None = None

    def render(self, context: Context, size: int | None = None) -> Rendered:
        """Its own request, the last. `size`: the context has no more bytes. Raises TemplateError, and nothing else."""
        return self.render_part(len(self.requests) - 1, context, size)

    def render_part(self, part: int, context: Context, size: int | None = None) -> Rendered:
        """The request of this number; of one that it does not have any more, its own. Raises the same."""
        last = part >= len(self.requests) - 1
        rendered = self.requests[-1 if last else part].render(context, size)
        if self.question is None or not last:
            return rendered
        return replace(rendered, request=replace(rendered.request, confirming=self._confirming(context)))

    def _confirming(self, context: Context) -> Confirming | None:
        """How the target is asked what came of it, once an action has ended."""
        confirm = self.hook.confirm
        if self.question is None or confirm is None or Rank.of(context["event"]["type"]) is not Rank.FINISHED:
            return None
        request = self.question.render(context).request
        said = fill_text(request.body or (), str)
        headers = tuple([header for header in request.headers if header[0].lower() != "content-type"])
        asked = replace(request, body=None, headers=headers)
        return Confirming(request=asked, reading=reading(confirm, said))


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRequest:
    """One of its requests. `captured` is what templates see under this name, if they look."""

    method: str
    program: Program
    url: UrlTemplate
    headers: tuple[Header, ...]
    body: Fill | None
    lane_key: Leaf | None
    capturing: Capturing | None
    captured: Mapping[str, CaptureRef]

    def render(self, context: Context, size: int | None = None) -> Rendered:
        """Raises TemplateError, and nothing else."""
        try:
            if (size is None or size > MAX_CONTEXT) and size_of(context) > MAX_CONTEXT:
                raise TemplateError(
                    "the context is larger than 256 KiB", hint="send less data with the event"
                )
            if self.captured:
                context = {**context, CAPTURED: self.captured}
            return self._rendered(self.program.run(context))
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
                for name, value in self.headers
            ]
        )
        request = RenderedRequest(
            method=self.method,
            url=self.url.fill(run),
            headers=headers,
            body=None if self.body is None else _fitting(self.body(run)),
            capturing=self.capturing,
        )
        return Rendered(request, None if self.lane_key is None else self._lane(run, self.lane_key))

    def _lane(self, run: Run, leaf: Leaf) -> str:
        key = text_of(run, leaf.parts_in(run))
        if not 0 < len(key) <= MAX_LANE_KEY:
            raise leaf.source.error(Refusal(f"the key of a lane has 1 to {MAX_LANE_KEY} characters"))
        return key


def _fitting(body: Text) -> Text:
    words = "".join([part for part in body if isinstance(part, str)])
    try:
        size = len(words) if words.isascii() else len(words.encode())
    except UnicodeEncodeError:
        raise TemplateError("the body is not valid Unicode", field="settings.request_body") from None
    if size > MAX_REQUEST:
        raise TemplateError("the body becomes larger than 256 KiB", field="settings.request_body")
    return body
