from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookengine.errors import TemplateError
from hookengine.guard.sandbox import Leaf, Program, Unit, text
from hookengine.guard.sandbox.source import Refusal
from tests.conftest import SLOWER, least_cpu

CONTEXT: dict[str, Any] = {
    "name": "x",
    "number": 7,
    "big": "a" * 65_536,
    "wide": "é😀" * 8_000,
    "numbers": list(range(1_000)),
    "steps": [{"name": f"step {n}", "ok": n % 2 == 0, "tags": ["a", "b"]} for n in range(300)],
    "deep": {"a": {"b": {"c": [1, 2, {"d": "e"}]}}},
    "names": {f"key {n}": "v" * 40 for n in range(300)},
}

SAVE, RENDER = 0.5, 0.1
"""Seconds of CPU, as the machine this was written on needs them at worst."""

names = st.sampled_from([*CONTEXT, "gone", "a", "b", "loop", "deep.a.b", "deep.a.b.c[2].d", "steps[0].name"])
constants = st.sampled_from(
    ["0", "1", "-3", "2.5", "'a'", "''", "'é'", "true", "none", "9223372036854775807"]
)
FILTERS = """
    upper; title; trim; trim('ab'); truncate(9); truncate(65000, true); replace('a', 'bb');
    replace('a', wide); split('a'); split; join; join(big); join(', ', attribute='name'); first;
    last; length; sort; sort(attribute='name'); unique; map(attribute='tags'); selectattr('ok');
    rejectattr('name', 'in', big); int(0); float(0); round(9); string; tojson; urlencode;
    b64encode; sha256; items; default(big); default(steps, true); basic_auth('x'); datetime;
    epoch_ms; path; length; tojson; default('')
"""
filters = st.sampled_from([name.strip() for name in FILTERS.split(";")])
operators = st.sampled_from(
    ["+", "-", "*", "//", "%", "~", "==", "!=", "<", ">=", "in", "not in", "and", "or"]
)


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("{} | {}".format, inner, filters),
        st.builds("({} {} {})".format, inner, operators, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{{'k': {}, 'l': {}}}".format, inner, inner),
        st.builds("({})[{}]".format, inner, inner),
        st.builds("({})[1:{}]".format, inner, inner),
        st.builds("not {}".format, inner),
        st.builds("({} is defined)".format, inner),
    )


expressions = st.recursive(names | constants, _larger, max_leaves=12)


def _around(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("{{% if {} %}}{}{{% else %}}{}{{% endif %}}".format, expressions, inner, inner),
        st.builds(
            "{{% for {} in {} %}}{}{{% endfor %}}".format,
            st.sampled_from(["a", "b", "a, b"]),
            expressions,
            inner,
        ),
        st.builds("{{% set {} = {} %}}{}".format, st.sampled_from(["a", "b"]), expressions, inner),
        st.builds("{}{}".format, inner, inner),
        st.builds(lambda part, times: part * times, inner, st.integers(2, 30)),
    )


templates = st.recursive(
    st.builds("{{{{ {} }}}}".format, expressions) | st.just("text"), _around, max_leaves=8
)


@settings(max_examples=250, deadline=None)
@given(templates)
def test_no_template_of_the_grammar_takes_long_or_fails_in_another_way(template: str) -> None:
    assert least_cpu(lambda: _saved(template), SAVE) < SLOWER * SAVE
    assert least_cpu(lambda: _rendered(template), RENDER) < SLOWER * RENDER


def _saved(template: str) -> tuple[Program, Leaf] | None:
    unit = Unit({"p": "{{ big }}"})
    try:
        leaf = unit.leaf("field", template)
        return unit.compile(), leaf
    except TemplateError:
        return None


_prepared = lru_cache(maxsize=1)(_saved)


def _rendered(template: str) -> None:
    prepared = _prepared(template)
    if prepared is None:
        return
    program, leaf = prepared
    with suppress(TemplateError, Refusal):
        run = program.run(CONTEXT)
        for part in leaf.parts_in(run):
            run.emit(len(part if isinstance(part, str) else text(run, run.values[part.slot])))


@pytest.mark.parametrize(
    "template",
    [
        "{% for x in numbers %}" + "{{ 1 }}" * 1_200 + "{% endfor %}",
        "{% for x in numbers %}" + "{% set y = 1 %}" * 900 + "{% endfor %}",
        "{% for x in numbers %}" + "{% if x %}{% elif x %}{% endif %}" * 400 + "{% endfor %}",
        "{% for x in numbers %}{% set y = wide | lower | urlencode %}{% endfor %}",
        "{% for x in numbers %}{% set y = names | urlencode %}{% endfor %}",
        "{% for x in numbers %}{% set y = big | replace('aaaaaaaaaaaaaaaab', '') %}{% endfor %}",
        "{% for x in numbers %}{% set y = 'aaaaaaaaaaaaaaaab' in big %}{% endfor %}",
        "{% for x in numbers %}{% set y = numbers | sort %}{% endfor %}",
        "{% for x in numbers %}{% set y = steps | selectattr('name', 'eq', 'x') %}{% endfor %}",
        "{% for x in numbers %}{% set y = steps == steps %}{% endfor %}",
        "{% set a = [1] %}" + "{% set a = [a] %}" * 900 + "{{ a == a }}{{ a | tojson }}",
        "{% set a = [1] %}" + "{% set a = [a, a] %}" * 40 + "{{ a == a }}",
        "".join(f"{{% if v{n} %}}{{% set w{n} = 1 %}}{{% endif %}}" for n in range(330)),
        "{{ [" + ",".join(["name"] * 3_200) + "] | length }}",
        "{{ " + " ~ ".join(["name"] * 2_200) + " }}",
        "{{ " + "not " * 3_900 + "1 }}",
        "{{ name" + "[0]" * 3_900 + " }}",
        "{{ big }}" * 1_500,
    ],
    ids=lambda template: template[:50],
)
def test_a_template_made_to_take_long_does_not(template: str) -> None:
    test_no_template_of_the_grammar_takes_long_or_fails_in_another_way.hypothesis.inner_test(template)
