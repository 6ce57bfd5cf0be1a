"""The tests of the dialect: what may follow `is`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from hookengine.guard.sandbox.budget import Run
from hookengine.guard.sandbox.operators import COMPARISONS, contained, equal, plain, unequal, whole
from hookengine.guard.sandbox.source import Refusal
from hookengine.guard.sandbox.values import Missing, text


def defined(run: Run, value: Any) -> bool:
    return not isinstance(value, Missing)


def undefined(run: Run, value: Any) -> bool:
    return isinstance(value, Missing)


def _being(*kinds: type[Any], never: type[Any] | None = None) -> Callable[[Run, Any], bool]:
    def check(run: Run, value: Any) -> bool:
        plain(run, value)
        return isinstance(value, kinds) and not (never is not None and isinstance(value, never))

    return check


def _same(wanted: Any) -> Callable[[Run, Any], bool]:
    def check(run: Run, value: Any) -> bool:
        return plain(run, value) is wanted

    return check


def odd(run: Run, value: Any) -> bool:
    return whole(run, value) % 2 == 1


def even(run: Run, value: Any) -> bool:
    return whole(run, value) % 2 == 0


def divisible(run: Run, value: Any, number: Any) -> bool:
    if whole(run, number) == 0:
        raise Refusal("division by zero")
    return whole(run, value) % int(number) == 0


def upper(run: Run, value: Any) -> bool:
    run.charge(len(text(run, value)))
    return text(run, value).isupper()


def lower(run: Run, value: Any) -> bool:
    run.charge(len(text(run, value)))
    return text(run, value).islower()


TESTS: Final[Mapping[str, Callable[..., bool]]] = {
    "defined": defined,
    "undefined": undefined,
    "none": _same(None),
    "true": _same(True),
    "false": _same(False),
    "boolean": _being(bool),
    "string": _being(str),
    "number": _being(int, float, never=bool),
    "integer": _being(int, never=bool),
    "float": _being(float),
    "mapping": _being(Mapping),
    "sequence": _being(list, str),
    "iterable": _being(list, str, Mapping),
    "odd": odd,
    "even": even,
    "divisibleby": divisible,
    "upper": upper,
    "lower": lower,
    "in": contained,
    "eq": equal,
    "equalto": equal,
    "==": equal,
    "ne": unequal,
    "!=": unequal,
    "lt": COMPARISONS["lt"][1],
    "lessthan": COMPARISONS["lt"][1],
    "<": COMPARISONS["lt"][1],
    "le": COMPARISONS["lteq"][1],
    "<=": COMPARISONS["lteq"][1],
    "gt": COMPARISONS["gt"][1],
    "greaterthan": COMPARISONS["gt"][1],
    ">": COMPARISONS["gt"][1],
    "ge": COMPARISONS["gteq"][1],
    ">=": COMPARISONS["gteq"][1],
}
