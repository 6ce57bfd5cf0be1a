"""Where the templates of a hook's requests read captures: told when the hook is written, not by the first event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hookengine.domain.capture import CaptureRef, Capturing
from hookengine.domain.hook import Hook, HookRequest
from hookengine.engine.json_body import CAPTURED, is_captured
from hookengine.errors import TemplateError
from hookengine.guard.sandbox import Leaf, Read, Refusal
from hookengine.guard.sandbox.values import near

_PRINTED: Final = "write {{ captured.NAME }}, with nothing around the name"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureUse:
    """The templates of one request by their places. `members` are those that are whole members of an object."""

    anywhere: Sequence[Leaf]
    members: Sequence[Leaf]
    elsewhere: Sequence[tuple[str, Leaf]]

    def check(self, requests: Sequence[HookRequest], number: int) -> tuple[str, ...]:
        """The names of the captures that request `number` uses. Raises TemplateError for one that no answer could
        have told by then, and for one in a place where nothing captured may stand."""
        refs = refs_of(requests, number)
        for place, leaf in self.elsewhere:
            for read in _reads(leaf):
                raise _refused(read, f"{read.path} is captured: it may not stand in {place}", "")
        names = dict[str, None]()
        for leaf in (*self.anywhere, *self.members):
            for read in _reads(leaf):
                name = read.path.partition(".")[2]
                if name not in refs:
                    raise _unknown(read, name, requests, number)
                if refs[name].optional and leaf not in self.members:
                    raise _refused(
                        read,
                        f"{read.path} need not be known: it may only be a whole member of an object",
                        "an answer that must tell it is no longer `optional`",
                    )
                names[name] = None
        return tuple(names)


def refs_of(requests: Sequence[HookRequest], number: int) -> Mapping[str, CaptureRef]:
    """What `captured.NAME` means in request `number`: what those before it capture, and what any may."""
    refs = {
        capture.name: CaptureRef(capture.name, optional=True)
        for request in requests
        for capture in request.captures
        if capture.optional
    }
    for request in requests[:number]:
        for capture in request.captures:
            if not capture.optional:
                refs[capture.name] = CaptureRef(capture.name)
    return refs


def capturing(request: HookRequest, uses: tuple[str, ...]) -> Capturing | None:
    return Capturing(takes=request.captures, uses=uses) if request.captures or uses else None


def has_captures(hook: Hook) -> bool:
    return bool(hook.captures or hook.before)


def _reads(leaf: Leaf) -> list[Read]:
    return [read for read in leaf.reads if is_captured(read.path)]


def _unknown(read: Read, name: str, requests: Sequence[HookRequest], number: int) -> TemplateError:
    names = {capture.name for request in requests for capture in request.captures}
    if name in names:
        return _refused(
            read,
            f"{read.path} is used before it is captured",
            "put the request that captures it before this one, or make the capture `optional`",
        )
    if not name or "." in name:
        return _refused(read, f"`{CAPTURED}` holds values of names of their own", _PRINTED)
    likely = near(name, names)
    hint = f"did you mean {likely}?" if likely else "name it under `capture:` of an earlier request"
    return _refused(read, f"no request of this hook captures `{name}`", hint)


def _refused(read: Read, message: str, hint: str) -> TemplateError:
    return read.site.error(Refusal(message, hint))
