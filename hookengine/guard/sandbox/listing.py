"""The filters that work on lists and objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from hookengine.guard.sandbox.budget import OPERATION, Run
from hookengine.guard.sandbox.checks import TESTS
from hookengine.guard.sandbox.operators import ABSENT, item, plain, sought, whole
from hookengine.guard.sandbox.source import Refusal
from hookengine.guard.sandbox.values import Missing, limited, refusal_of, text, weigh


def _list(run: Run, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise refusal_of(run, value, "a list")
    run.charge(OPERATION * len(value))
    return value


def _attribute(run: Run, member: Any, attribute: Any) -> Any:
    """A dotted part of one member; Missing where it has none."""
    run.charge(OPERATION)
    name = str(whole(run, attribute)) if isinstance(attribute, int) else text(run, attribute)
    value = member
    for step in name.split(".")[:16]:
        run.charge(OPERATION)
        part = item(value, int(step) if isinstance(value, list) and step.isdecimal() else step)
        if part is ABSENT:
            return Missing.part(name, "", step, value)
        value = plain(run, part)
    return value


def split(run: Run, value: Any, separator: Any = None, maxsplit: int = -1) -> list[str]:
    before = text(run, value)
    times = whole(run, maxsplit)
    run.charge(len(before))
    if separator is None:
        run.charge(OPERATION * (len(before) // 2 if times < 0 else min(times, len(before))) // 4)
        return before.split(None, times)
    by = text(run, separator)
    if not by:
        raise Refusal("a text cannot be split by nothing")
    sought(run, before, by)
    run.charge(OPERATION * before.count(by))
    return before.split(by, times)


def join(run: Run, value: Any, separator: Any = "", attribute: Any = None) -> str:
    members = _list(run, value)
    if attribute is not None:
        members = [_attribute(run, member, attribute) for member in members]
    texts = [text(run, member) for member in members]
    between = text(run, separator)
    limited(run, sum(map(len, texts)) + len(between) * max(0, len(texts) - 1))
    return between.join(texts)


def first(run: Run, value: Any) -> Any:
    return _at(run, value, 0, "first")


def last(run: Run, value: Any) -> Any:
    return _at(run, value, -1, "last")


def _at(run: Run, value: Any, index: int, name: str) -> Any:
    if not isinstance(value, list | str):
        raise refusal_of(run, value, "a list or a text")
    if value:
        return value[index]
    return Missing(hint=f"an empty list has no {name} member")


def length(run: Run, value: Any) -> int:
    if not isinstance(value, str | list | Mapping):
        raise refusal_of(run, value, "a text, a list or an object")
    return len(value)


def sort(
    run: Run, value: Any, reverse: bool = False, case_sensitive: bool = False, attribute: Any = None
) -> list[Any]:
    members = _list(run, value)
    keys = [_key(run, member, attribute, case_sensitive) for member in members]
    if len({isinstance(key, str) for key in keys}) > 1:
        raise Refusal("numbers and texts cannot be sorted together")
    left = run.work
    weigh(run, keys)
    run.charge((left - run.work) * len(keys).bit_length())
    order = sorted(range(len(keys)), key=keys.__getitem__, reverse=bool(plain(run, reverse)))
    return [members[index] for index in order]


def unique(run: Run, value: Any, case_sensitive: bool = False, attribute: Any = None) -> list[Any]:
    """The first of each; texts that differ in case only are the same, unless `case_sensitive`."""
    firsts: dict[Any, Any] = {}
    for member in _list(run, value):
        firsts.setdefault(_key(run, member, attribute, case_sensitive), member)
    return list(firsts.values())


def _key(run: Run, member: Any, attribute: Any, case_sensitive: bool) -> Any:
    key = member if attribute is None else _attribute(run, member, attribute)
    if isinstance(key, str):
        run.charge(4 * len(key))
        return key if plain(run, case_sensitive) else key.lower()
    if isinstance(key, int | float):
        return key
    raise refusal_of(run, key, "a number or a text to compare members by")


_NO_DEFAULT: Final = Missing(hint="no default")


def mapped(run: Run, value: Any, *, attribute: Any, default: Any = _NO_DEFAULT) -> list[Any]:
    """That part of every member."""
    parts = []
    for member in _list(run, value):
        part = _attribute(run, member, attribute)
        if isinstance(part, Missing):
            if default is _NO_DEFAULT:
                raise part.refusal(run)
            part = plain(run, default)
        parts.append(part)
    return parts


def _selecting(wanted: bool) -> Callable[..., list[Any]]:
    def select(run: Run, value: Any, attribute: Any, test: Any = None, *arguments: Any) -> list[Any]:
        check = _test(run, test)
        chosen = []
        for member in _list(run, value):
            part = _attribute(run, member, attribute)
            holds = plain(run, part) if check is None else _holds(check, run, part, arguments)
            if bool(holds) is wanted:
                chosen.append(member)
        return chosen

    return select


def _test(run: Run, name: Any) -> Callable[..., bool] | None:
    check = None if name is None else TESTS.get(text(run, name))
    if check is None and name is not None:
        raise Refusal("there is no such test", f"tests are {', '.join(TESTS)}")
    return check


def _holds(check: Callable[..., bool], run: Run, part: Any, arguments: tuple[Any, ...]) -> bool:
    try:
        return check(run, part, *arguments)
    except TypeError:
        raise Refusal("the test takes another number of arguments") from None


def _choosing(wanted: bool) -> Callable[..., list[Any]]:
    def choose(run: Run, value: Any, test: Any = None, *arguments: Any) -> list[Any]:
        check = _test(run, test)
        return [
            member
            for member in _list(run, value)
            if bool(plain(run, member) if check is None else _holds(check, run, member, arguments)) is wanted
        ]

    return choose


def _numbers(run: Run, value: Any) -> list[Any]:
    members = _list(run, value)
    for member in members:
        if not isinstance(member, int | float) or isinstance(member, bool):
            raise refusal_of(run, member, "a list of numbers")
    return members


def total(run: Run, value: Any, attribute: Any = None) -> Any:
    members = _list(run, value)
    if attribute is not None:
        members = [_attribute(run, member, attribute) for member in members]
    made = sum(_numbers(run, members))
    return made if isinstance(made, float) else whole(run, made)


def _extreme(choose: Callable[[list[Any]], Any], name: str) -> Callable[[Run, Any], Any]:
    def find(run: Run, value: Any) -> Any:
        members = sort(run, value, case_sensitive=True)
        return choose(members) if members else Missing(hint=f"an empty list has no {name} member")

    return find


def reverse(run: Run, value: Any) -> Any:
    if isinstance(value, str):
        limited(run, len(value))
        return value[::-1]
    return _list(run, value)[::-1]


def as_list(run: Run, value: Any) -> list[Any]:
    """A list as it is, for templates that are used to say it; an object's keys."""
    if isinstance(value, Mapping):
        run.charge(OPERATION * len(value))
        return list(value)
    return _list(run, value)


def items(run: Run, value: Any) -> list[Any]:
    """The keys and values of an object, as lists of two."""
    if not isinstance(value, Mapping):
        raise refusal_of(run, value, "an object")
    run.charge(2 * OPERATION * len(value))
    return [[key, member] for key, member in value.items()]


LIST_FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "split": split,
    "join": join,
    "first": first,
    "last": last,
    "length": length,
    "count": length,
    "sort": sort,
    "unique": unique,
    "map": mapped,
    "selectattr": _selecting(True),
    "rejectattr": _selecting(False),
    "select": _choosing(True),
    "reject": _choosing(False),
    "sum": total,
    "min": _extreme(lambda members: members[0], "smallest"),
    "max": _extreme(lambda members: members[-1], "largest"),
    "reverse": reverse,
    "list": as_list,
    "items": items,
}
