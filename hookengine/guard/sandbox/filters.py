"""The filters of the dialect. Each charges for what it does before it does it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace as changed
from typing import Any, Final
from urllib.parse import quote

from hookengine.domain.request import SecretRef
from hookengine.guard.sandbox.budget import OPERATION, Run
from hookengine.guard.sandbox.claims import commit_hash, web_url
from hookengine.guard.sandbox.listing import LIST_FILTERS
from hookengine.guard.sandbox.moments import epoch, epoch_ms, iso
from hookengine.guard.sandbox.operators import sought, whole
from hookengine.guard.sandbox.source import Refusal
from hookengine.guard.sandbox.values import (
    NO_SEGMENT,
    EncodedText,
    JsonText,
    Missing,
    PathText,
    a_kind,
    limited,
    refusal_of,
    secret_refusal,
    text,
    weigh,
)

_PER_ENCODED = 12  # percent-encoding takes so much longer a character than copying
_LONGEST_NUMBER = 40
_GROWTH = 3  # the longest text of one letter in another case


def default(run: Run, value: Any, default_value: Any = "", boolean: bool = False) -> Any:
    """Also for null, which says as little as a missing name."""
    if isinstance(value, SecretRef):
        return value
    return default_value if value is None or isinstance(value, Missing) or (boolean and not value) else value


def _casing(change: Callable[[str], str]) -> Callable[[Run, Any], str]:
    def cased(run: Run, value: Any) -> str:
        before = text(run, value)
        limited(run, _GROWTH * len(before))
        return change(before)

    return cased


def trim(run: Run, value: Any, chars: str | None = None) -> str:
    before = text(run, value)
    unwanted = None if chars is None else text(run, chars)
    run.charge(len(before) * (1 + len(unwanted or "")))
    return before.strip(unwanted)


def truncate(run: Run, value: Any, length: int = 255, killwords: bool = False, end: str = "...") -> str:
    """At most `length` characters, `end` included; between words unless `killwords`."""
    whole_text, ending, room = text(run, value), text(run, end), whole(run, length)
    limited(run, len(whole_text))
    if len(whole_text) <= room:
        return whole_text
    if room < len(ending):
        raise Refusal(f"a text of {room} characters has no room for {len(ending)} at its end")
    kept = whole_text[: room - len(ending)]
    if not killwords and " " in kept:
        kept = kept.rsplit(" ", 1)[0]
    return kept + ending


def replace(run: Run, value: Any, old: Any, new: Any, count: int | None = None) -> str:
    before, sought_text, instead = text(run, value), text(run, old), text(run, new)
    if not sought_text:
        raise Refusal("an empty text cannot be replaced")
    sought(run, before, sought_text)
    times = before.count(sought_text)
    if count is not None:
        times = max(0, min(times, whole(run, count)))
    limited(run, len(before) + times * max(0, len(instead) - len(sought_text)))
    sought(run, before, sought_text)
    return before.replace(sought_text, instead, times)


def to_int(run: Run, value: Any, default: Any = None) -> int:
    """Of a number, cut towards zero, or of a text; an error unless a default is given."""
    run.charge(_LONGEST_NUMBER)
    try:
        if isinstance(value, str) and len(value) <= _LONGEST_NUMBER:
            return int(value)
        if isinstance(value, int | float):
            return int(value)
    except (ValueError, OverflowError):
        pass
    return whole(run, _instead(run, value, default))


def to_float(run: Run, value: Any, default: Any = None) -> float:
    run.charge(_LONGEST_NUMBER)
    try:
        if isinstance(value, int | float) or (isinstance(value, str) and len(value) <= _LONGEST_NUMBER):
            number = float(value)
            weigh(run, number)
            return number
    except (ValueError, OverflowError, Refusal):
        pass
    return float(_instead(run, value, default))


def _instead(run: Run, value: Any, default: Any) -> Any:
    """The default, which must be a number itself."""
    if isinstance(value, Missing | SecretRef) or default is None:
        raise refusal_of(run, value, "a number")
    if not isinstance(default, int | float):
        raise refusal_of(run, default, "a number as default")
    return default


def rounded(run: Run, value: Any, precision: int = 0, method: str = "common") -> float:
    digits = whole(run, precision)
    if not 0 <= digits <= 15:
        raise Refusal("a number is rounded to 0 to 15 places")
    if method != "common":
        raise Refusal("only common rounding is known", "write |round or |round(2)")
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise refusal_of(run, value, "a number")
    return round(float(value), digits)


def absolute(run: Run, value: Any) -> Any:
    return abs(value) if isinstance(value, float) else abs(whole(run, value))


def tojson(run: Run, value: Any) -> JsonText:
    limited(run, weigh(run, value))
    made = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_as_dict)
    limited(run, len(made))
    return JsonText(made)


def _as_dict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise Refusal(f"the value is {a_kind(value)}")


def urlencode(run: Run, value: Any) -> str:
    """Percent-encoded with nothing left out; an object becomes `key=value&key=value`."""
    if isinstance(value, Mapping):
        return "&".join(f"{urlencode(run, key)}={urlencode(run, part)}" for key, part in value.items())
    before = text(run, value)
    limited(run, _PER_ENCODED * len(before))
    run.charge(OPERATION)
    return EncodedText(quote(before, safe=""))


def b64encode(run: Run, value: Any) -> str | SecretRef:
    if isinstance(value, SecretRef):
        return _encoded(value, "")
    before = text(run, value).encode()
    limited(run, 2 * len(before))
    return base64.b64encode(before).decode()


def basic_auth(run: Run, user: Any, password: Any) -> str | SecretRef:
    """What follows `Basic ` in an Authorization header."""
    name = text(run, user)
    if ":" in name:
        raise Refusal("a user name for Basic authentication has no colon")
    if isinstance(password, SecretRef):
        return _encoded(password, f"{name}:")
    return b64encode(run, f"{name}:{text(run, password)}")


def _encoded(secret: SecretRef, prefix: str) -> SecretRef:
    if secret.form != "plain":
        raise secret_refusal(secret)
    return changed(secret, form="base64", prefix=prefix)


def sha256(run: Run, value: Any) -> str:
    before = text(run, value)
    run.charge(4 * len(before))
    return hashlib.sha256(before.encode()).hexdigest()


def path(run: Run, value: Any) -> PathText:
    """Several segments for the path of a URL: its slashes stay slashes."""
    segments = text(run, value)
    run.charge(_PER_ENCODED * len(segments))
    if NO_SEGMENT.search(f"/{segments}"):
        raise Refusal("the value has an empty segment or a `.` or `..` segment", "such as in acme//shop")
    return PathText(segments)


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "default": default,
    "d": default,
    "upper": _casing(str.upper),
    "lower": _casing(str.lower),
    "capitalize": _casing(str.capitalize),
    "title": _casing(str.title),
    "trim": trim,
    "truncate": truncate,
    "replace": replace,
    "int": to_int,
    "float": to_float,
    "round": rounded,
    "abs": absolute,
    "string": text,
    "tojson": tojson,
    "urlencode": urlencode,
    "b64encode": b64encode,
    "basic_auth": basic_auth,
    "sha256": sha256,
    "path": path,
    "commit_hash": commit_hash,
    "web_url": web_url,
    "datetime": iso,
    "epoch": epoch,
    "epoch_ms": epoch_ms,
    **LIST_FILTERS,
}
