"""What look-ups, operators and statements of a template do."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from jinja2.runtime import LoopContext

from hookengine.guard.sandbox.budget import OPERATION, Run, spent
from hookengine.guard.sandbox.source import Refusal, Site
from hookengine.guard.sandbox.values import (
    Missing,
    a_kind,
    is_secret,
    limited,
    refusal_of,
    secret_refusal,
    text,
    weigh,
)

LARGEST_NUMBER: Final = 2**63 - 1

LOOP: Final = frozenset(
    {"index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem"}
)


def look_up(run: Run, value: Any, site: int, steps: tuple[str | int, ...]) -> Any:
    """Follow the steps of a dotted variable. What is not there is a Missing, not an error yet."""
    run.work -= OPERATION
    if run.work < 0:
        raise run.sites[site].error(spent())
    found = value
    for step in steps:
        if type(found) is not dict or step not in found:
            return _look_closer(value, run.sites[site])
        found = found[step]
    return found


def _look_closer(value: Any, place: Site) -> Any:
    """The same for anything but dicts that have what is looked for."""
    for number in range(len(place.steps)):
        value, ended = _step(value, place, number)
        if ended:
            break
    return value


def _step(value: Any, place: Site, number: int) -> tuple[Any, bool]:
    """What is found one step further, and whether the look-up ends there."""
    step = place.steps[number]
    if isinstance(value, Missing):
        return value.extended(place.written), True
    if is_secret(value):
        raise place.error(secret_refusal(value))
    if isinstance(value, LoopContext) and step in LOOP:
        return getattr(value, str(step)), False
    found = item(value, step)
    if found is not ABSENT:
        return found, False
    if isinstance(value, Mapping):
        rest = ".".join(map(str, place.steps[number:]))
        if rest in value:
            return value[rest], True
    present = _shown_steps(place.written, len(place.steps) - number)
    return Missing.part(place.written, present, str(step), value), True


ABSENT: Final = object()
"""What `item` finds where there is nothing; null is something."""


def item(value: Any, key: Any) -> Any:
    """The member of an object, or of a list by whole number; `ABSENT` if there is none."""
    if isinstance(value, Mapping):
        return value.get(key, ABSENT) if isinstance(key, str) else ABSENT
    if isinstance(value, list | str) and isinstance(key, int) and not isinstance(key, bool):
        return value[key] if -len(value) <= key < len(value) else ABSENT
    return ABSENT


def _shown_steps(written: str, without: int) -> str:
    """A dotted variable as written, without its last steps."""
    for _ in range(without):
        cut = max(written.rfind("."), written.rfind("["))
        written = written[:cut] if cut > 0 else written
    return written


def subscript(run: Run, value: Any, key: Any, written: str) -> Any:
    """`value[key]` with a key that is computed."""
    if type(value) is dict and type(key) is str and key in value:
        return value[key]
    if isinstance(value, Missing):
        return value.extended(written)
    for part in (value, key):
        if isinstance(part, Missing) or is_secret(part):
            raise refusal_of(run, part, "plain data")
    if not isinstance(key, str | int) or isinstance(key, bool):
        raise Refusal(f"the key is {a_kind(key)}", "a key is a text, or a whole number for a list")
    found = item(value, key)
    if found is ABSENT:
        return Missing.part(written, written.partition("[")[0], str(key)[:64], value)
    return found


def cut(run: Run, value: Any, start: Any, stop: Any) -> Any:
    """`value[start:stop]`."""
    if not isinstance(value, str | list):
        raise refusal_of(run, value, "a text or a list to cut")
    for bound in (start, stop):
        if bound is not None:
            whole(run, bound)
    run.charge(len(value) * (OPERATION if isinstance(value, list) else 1))
    return value[start:stop]


def whole(run: Run, value: Any) -> int:
    """A whole number small enough to reckon with."""
    if not isinstance(value, int) or isinstance(value, bool):
        refusal = refusal_of(run, value, "a whole number")
        refusal.hint = refusal.hint or "use ~ to join texts and |int to make a whole number"
        raise refusal
    if not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
        raise Refusal("a number is too large to reckon with")
    return value


def _reckoning(calculate: Callable[[int, int], int]) -> Callable[[Run, Any, Any], int]:
    def reckon(run: Run, left: Any, right: Any) -> int:
        first, second = whole(run, left), whole(run, right)
        if second == 0 and calculate in (operator.floordiv, operator.mod):
            raise Refusal("division by zero")
        return whole(run, calculate(first, second))

    return reckon


def negative(run: Run, value: Any) -> Any:
    return -value if isinstance(value, float) else -whole(run, value)


def positive(run: Run, value: Any) -> Any:
    return value if isinstance(value, float) else whole(run, value)


def joined(run: Run, *values: Any) -> str:
    """`a ~ b ~ c`."""
    texts = [text(run, value) for value in values]
    limited(run, sum(map(len, texts)))
    return "".join(texts)


def equal(run: Run, left: Any, right: Any) -> bool:
    weigh(run, left)
    weigh(run, right)
    return bool(left == right)


def unequal(run: Run, left: Any, right: Any) -> bool:
    return not equal(run, left, right)


def _ordering(compare: Callable[[Any, Any], bool]) -> Callable[[Run, Any, Any], bool]:
    def order(run: Run, left: Any, right: Any) -> bool:
        weigh(run, left)
        weigh(run, right)
        if (isinstance(left, str) and isinstance(right, str)) or (
            isinstance(left, int | float) and isinstance(right, int | float)
        ):
            return compare(left, right)
        raise Refusal(f"{a_kind(left)} and {a_kind(right)} have no order", "compare two numbers or two texts")

    return order


def contained(run: Run, member: Any, holder: Any) -> bool:
    """`member in holder`."""
    weigh(run, member)
    weigh(run, holder)
    if isinstance(holder, str):
        if not isinstance(member, str):
            raise Refusal(f"{a_kind(member)} cannot be in a text", "make it a text with |string")
        sought(run, holder, member)
        return member in holder
    if isinstance(holder, list):
        return member in holder
    if isinstance(holder, Mapping):
        return isinstance(member, str) and member in holder
    raise refusal_of(run, holder, "a list, a text or an object to look in")


def sought(run: Run, held: str, part: str) -> None:
    """Charge for a search: in the worst case every letter is compared with a good deal of `part`."""
    run.charge(len(held) * (1 + min(len(part), 128) // 8))


def not_contained(run: Run, member: Any, holder: Any) -> bool:
    return not contained(run, member, holder)


def plain(run: Run, value: Any) -> Any:
    """The value as it is, if it may decide something: a secret or a missing name may not."""
    if value is None or isinstance(value, str | int | float | list | Mapping):
        return value
    raise refusal_of(run, value, "plain data")


def kept(run: Run, value: Any) -> Any:
    """What `{% set %}` binds. A missing name stays missing, a secret stays secret."""
    if value is None or isinstance(value, str | int | float | list | Mapping | Missing) or is_secret(value):
        return value
    raise refusal_of(run, value, "plain data")


def fixed(run: Run, value: Any, size: int) -> Any:
    """A list or an object of constants."""
    run.charge(OPERATION * size)
    return value


def list_of(run: Run, *values: Any) -> list[Any]:
    made = list(values)
    weigh(run, made)
    return made


def object_of(run: Run, *keys_and_values: Any) -> dict[str, Any]:
    made = {}
    for key, value in zip(keys_and_values[::2], keys_and_values[1::2], strict=True):
        if not isinstance(key, str):
            raise Refusal(f"a key of an object is a text, not {a_kind(key)}")
        made[key] = value
    weigh(run, made)
    return made


def rounds(run: Run, value: Any, names: int) -> list[Any]:
    """What a `{% for %}` goes through; with several names each member must be a list of so many."""
    if isinstance(value, Mapping):
        raise Refusal("a loop needs a list, and the value is an object", "write `for key, value in x|items`")
    if not isinstance(value, list):
        raise refusal_of(run, value, "a list to loop over")
    run.loop(len(value))
    if names > 1:
        run.charge(OPERATION * len(value))
        for member in value:
            if not isinstance(member, list) or len(member) != names:
                raise Refusal(f"each member of the list must be a list of {names}", "such as |items makes")
    return value


ARITHMETIC: Final[Mapping[str, tuple[str, Callable[..., Any]]]] = {
    "Add": ("+", _reckoning(operator.add)),
    "Sub": ("-", _reckoning(operator.sub)),
    "Mul": ("*", _reckoning(operator.mul)),
    "FloorDiv": ("//", _reckoning(operator.floordiv)),
    "Mod": ("%", _reckoning(operator.mod)),
}

COMPARISONS: Final[Mapping[str, tuple[str, Callable[..., bool]]]] = {
    "eq": ("==", equal),
    "ne": ("!=", unequal),
    "lt": ("<", _ordering(operator.lt)),
    "lteq": ("<=", _ordering(operator.le)),
    "gt": (">", _ordering(operator.gt)),
    "gteq": (">=", _ordering(operator.ge)),
    "in": ("in", contained),
    "notin": ("not in", not_contained),
}
