"""Whatever a hook's templates are, as long as they may be saved: what saving and rendering them costs."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookengine.domain.hook import Hook
from hookengine.engine.preparing import prepare
from hookengine.engine.rendering import PreparedHook
from hookengine.errors import TemplateError
from tests.conftest import SLOWER, least_cpu, make_hook

SAVE, RENDER = 0.5, 0.1
"""Seconds of CPU that saving and rendering may take."""
MEMORY = 32 * 1024 * 1024

CONTEXT: dict[str, Any] = {
    "big": "a" * 60_000,
    "wide": "é😀" * 4_000,
    "raw": "\x01" * 4_000,
    "name": "x/y?z&%",
    "number": 2**53,
    "numbers": list(range(600)),
    "rows": [{"name": f"step {n}", "ok": n % 2 == 0, "n": n, "tags": ["a", "b"]} for n in range(200)],
    "table": {f"key {n}": "v" * 20 for n in range(200)},
    "deep": {"a": {"b": {"c": [1, 2, {"d": "e"}]}}},
}

# A grammar of templates that pass: every kind of expression is used where it may be.
whole = st.sampled_from(["number", "rows[0].n", "7", "numbers[3]", "loop.index", "big|length", "rows|length"])
words = st.sampled_from(["big", "wide", "raw", "name", "'-'", "rows[1].name", "deep.a.b.c[2].d", "number"])
listed = st.sampled_from(["numbers", "rows|map(attribute='name')", "big|split('a')", "table|items", "rows"])
truths = st.sampled_from(
    ["rows[0].ok", "number > 3", "name is defined", "'a' in big", "rows == rows", "1 < number < 9"]
)
WORD_FILTERS = """upper; lower; title; capitalize; trim; truncate(70000, true); replace('a', 'bb'); replace('a', '');
    urlencode; b64encode; sha256; string; tojson; reverse; default('x')"""
LIST_FILTERS = (
    "sort; unique; reverse; list; select('string'); reject('none'); map(attribute='name', default=1)"
)


def chained(first: st.SearchStrategy[str], filters: str, most: int) -> st.SearchStrategy[str]:
    each = st.sampled_from([name.strip() for name in filters.split(";")])
    return st.builds(lambda value, names: "|".join([value, *names]), first, st.lists(each, max_size=most))


def texts(depth: int = 2) -> st.SearchStrategy[str]:
    flat = chained(words, WORD_FILTERS, 6) | st.builds(
        "{}|join('{}')".format, chained(listed, LIST_FILTERS, 3), words
    )
    if depth == 0:
        return flat
    inner = texts(depth - 1)
    return st.one_of(
        flat,
        st.builds("({})".format, st.lists(inner, min_size=2, max_size=40).map(" ~ ".join)),
        st.builds("({} if {} else {})".format, inner, truths, inner),
        st.builds("({})[{}:]".format, inner, whole),
        st.builds(
            "({})|tojson".format,
            st.lists(inner, min_size=1, max_size=20).map(lambda each: f"[{', '.join(each)}]"),
        ),
    )


expressions = texts() | chained(listed, LIST_FILTERS, 4) | whole | truths


def blocks(depth: int, loops: int) -> st.SearchStrategy[str]:
    shown = st.builds("{{{{ {} }}}}".format, texts(1))
    if depth == 0:
        return shown
    inner = blocks(depth - 1, loops)
    kinds = [
        shown,
        st.builds("{{% set v = {} %}}{}{{{{ v }}}}".format, texts(1), inner),
        st.builds(
            "{{% if {} %}}{}{{% elif {} %}}x{{% else %}}{}{{% endif %}}".format, truths, inner, truths, inner
        ),
        st.builds(lambda part, times: part * times, inner, st.integers(2, 60)),
    ]
    if loops:
        body = blocks(depth - 1, loops - 1)
        kinds.append(
            st.builds("{{% for m in {} %}}{}{{% endfor %}}".format, chained(listed, LIST_FILTERS, 2), body)
        )
    return st.one_of(*kinds)


templates = st.builds("{{{{ {} }}}}".format, expressions) | blocks(3, 2)
hooks = st.builds(
    lambda segment, header, leaves: make_hook(
        target_url=f"https://target.example/{segment}",
        headers=(("X-One", header),),
        body={f"k{number}": leaf for number, leaf in enumerate(leaves)},
    ),
    templates | st.just("a"),
    templates | st.just("b"),
    st.lists(templates, max_size=8),
)  # fmt: skip


def saved(hook: Hook) -> PreparedHook | None:
    try:
        return prepare(hook)
    except TemplateError:
        return None


def rendered(prepared: PreparedHook) -> None:
    with suppress(TemplateError):
        prepared.render(CONTEXT)


def most_memory(work: Callable[[], object]) -> int:
    """Bytes above what there was before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def check_bounds(hook: Hook) -> None:
    gc.freeze()  # what other tests have left is not looked through at this one's cost
    try:
        saves: list[PreparedHook | None] = []
        assert least_cpu(lambda: saves.append(saved(hook)), SAVE) < SLOWER * SAVE
        if (prepared := saves[0]) is not None:
            assert least_cpu(lambda: rendered(prepared), RENDER) < SLOWER * RENDER
            assert most_memory(lambda: rendered(prepared)) < MEMORY
    finally:
        gc.unfreeze()


@pytest.mark.timeout(240)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(hooks)
def test_no_hook_that_may_be_saved_costs_more_than_its_bounds(hook: Hook) -> None:
    check_bounds(hook)


WORST = [
    "{% for x in numbers %}{% set y = wide | lower | urlencode %}{% endfor %}",
    "{% for x in numbers %}{% set y = rows | tojson %}{% endfor %}",
    "{% for x in numbers %}{% for y in [1, 2, 3] %}{{ x }}{{ y }}{{ x ~ y }}{% endfor %}{% endfor %}",
    "{% for x in numbers %}" + "{{ x }}" * 900 + "{% endfor %}",
    "{% for x in numbers %}" + "{% if x < 3 < 4 %}{% elif x %}{% endif %}" * 200 + "{% endfor %}",
    "{% for x in numbers %}{% set y = big | split('a') %}{% endfor %}",
    "{% for x in numbers %}{% set y = rows | map(attribute='tags.0') | sort | unique %}{% endfor %}",
    "{% set a = [raw] %}" + "{% set a = [a, a] %}" * 9 + "{{ a }}",
    "{% set a = [raw] %}" + "{% set a = [a, a] %}" * 9 + "{{ a | tojson }}",
    "{{ [" + "wide, " * 500 + "raw] }}",
    "{{ [" + "raw, " * 900 + "raw] | join | tojson }}",
    "{{ " + " ~ ".join(["wide"] * 900) + " }}",
    "{{ [" + ", ".join(f"wide[{n}:]" for n in range(500)) + "] | sort | join }}",
    "{{ big" + " | replace('a', 'bb') | replace('bb', 'a')" * 17 + " }}",
    "{{ (" + " ~ ".join(["'x'"] * 1_500) + ") }}",
    "{{ [" + ", ".join(["1 < 2 < 3 < 4 < 5 < 6 < 7 < 8"] * 180) + "] }}",
    "{{ " + "(" * 38 + "1 < 2" + " < 3)" * 38 + " }}",
]  # fmt: skip


@pytest.mark.parametrize("template", WORST, ids=lambda template: template[:60])
def test_templates_made_to_be_dear_stay_within_the_bounds(template: str) -> None:
    hook = make_hook(body={"a": template})

    check_bounds(hook)
    assert most_memory(lambda: saved(hook)) < MEMORY


def test_many_dear_templates_share_one_budget() -> None:
    check_bounds(make_hook(body={f"k{n}": "{{ wide | upper | urlencode | b64encode }}" for n in range(200)}))
