from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hookengine.domain.request import SecretRef
from hookengine.errors import TemplateError
from hookengine.guard.sandbox import Unit
from hookengine.guard.sandbox.budget import MAX_WORK

CONTEXT: dict[str, Any] = {
    "action": {
        "id": 42,
        "status": "failed",
        "items": [1, 2, 3],
        "tags": ["b", "A", "b"],
        "triggered_from": {"hook_parsed_variables": {"commit_sha": "9fceb02d", "push.ref": "main"}},
        "at": "2026-11-22T10:15:00Z",
        "none": None,
        "steps": [{"name": "build", "ok": True, "n": 3}, {"name": "test", "ok": False, "n": 1}],
    },
    "matrix": [["a", 1], ["b", 2]],
    "secrets": {"github": SecretRef("secrets.github")},
}


def value_of(expression: str, params: dict[str, Any] | None = None, context: dict[str, Any] = CONTEXT) -> Any:
    unit = Unit(params)
    leaf = unit.leaf("settings.request_body.state", expression)
    run = unit.compile().run(context)
    assert leaf.hole is not None
    return run.values[leaf.hole.slot]


def recorded(template: str, context: dict[str, Any] = CONTEXT) -> str:
    unit = Unit()
    leaf = unit.leaf("settings.request_body", template)
    run = unit.compile().run(context)
    return "".join(
        part if isinstance(part, str) else str(run.values[part.slot]) for part in leaf.parts_in(run)
    )


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("action.items", [1, 2, 3]),
        ("action['items'][0]", 1),
        ("action.steps[-1].name", "test"),
        ("action.steps.0.name", "build"),
        ("action.triggered_from.hook_parsed_variables.push.ref", "main"),
        ("action.triggered_from.hook_parsed_variables['push.ref']", "main"),
        ("{'failed': 'failure'}[action.status]", "failure"),
        ("{'a': {'b': 7}}.a.b", 7),
        ("action.steps[action.id - 41].name", "test"),
        ("'abc'[1]", "b"),
        ("'abcdef'[:2] ~ [1, 2, 3][1:]|length", "ab2"),
        ("action.gone is defined", False),
        ("action.gone.deeper.still is defined", False),
        ("nothing.at.all is undefined", True),
        ("action.gone.deeper | default('x')", "x"),
        ("action.none | default('x')", "x"),
        ("action.none is none", True),
        ("'' | default('x', true)", "x"),
        ("[] | first | default('x')", "x"),
        ("7 // 2 * 3 - 1 % 2 + -1", 7),
        ("1 < 2 and 'a' < 'b' and not 3 <= 2", True),
        ("'b' in action.tags and 'sha' in 'a sha' and 'id' in action", True),
        ("'z' not in action.tags", True),
        ("1 < 2 < 3 and not 1 < 3 < 3", True),
        ("40 < action.id <= 42 > 41", True),
        ("'x' if action.id == 42", "x"),
        ("'x' if action.id == 41", ""),
        ("[3, 1, 2] | max - [3, 1, 2] | min", 2),
        ("[1, 2] | sum + action.steps | sum(attribute='n') + -7 | abs", 14),
        ("[1, 2] | reverse | list", [2, 1]),
        ("'abc' | reverse", "cba"),
        ("[1, 2, 3] | select('odd') | join", "13"),
        ("[1, 0, 2] | reject('eq', 0) | join", "12"),
        ("'' or 'x'", "x"),
        ("(1, 2)", [1, 2]),
        ("action.tags | unique", ["b", "A"]),
        ("action.tags | sort", ["A", "b", "b"]),
        ("action.tags | sort(case_sensitive=true, reverse=true) | join('-')", "b-b-A"),
        ("action.steps | map(attribute='name') | join(', ')", "build, test"),
        ("action.steps | selectattr('ok') | map(attribute='name') | first", "build"),
        ("action.steps | rejectattr('n', 'gt', 2) | map(attribute='name') | last", "test"),
        ("action.steps | sort(attribute='n') | map(attribute='n')", [1, 3]),
        ("action.steps | map(attribute='gone', default=0)", [0, 0]),
        ("{'a': 1} | items", [["a", 1]]),
        ("'a,b' | split(',')", ["a", "b"]),
        ("'one two three' | truncate(9)", "one..."),
        ("'one two three' | truncate(9, true)", "one tw..."),
        ("' x ' | trim | upper | lower | capitalize | title", "X"),
        ("'aXbX' | replace('X', '-', 1)", "a-bX"),
        ("'42' | int + 1", 43),
        ("'x' | int(0)", 0),
        ("'1.5' | float", 1.5),
        ("1.55 | round(1)", 1.6),
        ("12.7 | int", 12),
        ("{'a': [1, true, none]} | tojson", '{"a":[1,true,null]}'),
        ("'a/b c' | urlencode", "a%2Fb%20c"),
        ("{'a b': 'c&d'} | urlencode", "a%20b=c%26d"),
        ("'user:pass' | b64encode", "dXNlcjpwYXNz"),
        ("'user' | basic_auth('pass')", "dXNlcjpwYXNz"),
        ("'' | sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("action.at | epoch", 1795342500),
        ("action.at | epoch_ms", 1795342500000),
        ("1795342500 | datetime", "2026-11-22T10:15:00.000Z"),
        ("1795342500000 | datetime", "2026-11-22T10:15:00.000Z"),
        ("'2026-11-22T12:15:00+02:00' | datetime", "2026-11-22T10:15:00.000Z"),
        ("secrets.github is defined", True),
        ("secrets.github", SecretRef("secrets.github")),
        ("secrets.github | b64encode", SecretRef("secrets.github", "base64")),
        ("'user' | basic_auth(secrets.github)", SecretRef("secrets.github", "base64", "user:")),
    ],
)
def test_an_expression_has_its_value_and_type(expression: str, expected: Any) -> None:
    value = value_of("{{ " + expression + " }}")

    assert value == expected
    assert isinstance(value, type(expected))


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("action.gone ~ ''", "action.gone is not in the context"),
        ("action.gone | upper", "action.gone is not in the context"),
        ("action.gone == 1", "action.gone is not in the context"),
        ("1 if action.gone else 2", "action.gone is not in the context"),
        ("[action.gone]", "action.gone is not in the context"),
        ("{'a': 1}[action.status] ~ ''", "there is no `failed` here"),
        ("'a' * 3", "this needs a whole number"),
        ("[1] + [2]", "this needs a whole number"),
        ("9223372036854775807 + 1", "too large"),
        ("true + 1", "this needs a whole number"),
        ("1 // 0", "division by zero"),
        ("2 ** 3", "powers"),
        ("1 / 2", "`/` is not allowed"),
        ("1 < 'a'", "no order"),
        ("action.tags[0:2:1]", "no step"),
        ("action.tags ~ 'x'", "a list, which has no text"),
        ("action.none ~ 'x'", "null, which has no text"),
        ("action.get('id')", "calls such as get()"),
        ("action.__class__", "`__class__` is not allowed"),
        ("self", "`self` is not allowed"),
        ("params", "`params` is not a value"),
        ("params.gone", "params.gone is not given"),
        ("'x' | format(1)", "the filter `format` is not allowed"),
        ("'x' | upper(1)", "cannot be called like this"),
        ("'x' is callable", "the test `callable` is not allowed"),
        ("action.tags | map('upper')", "cannot be called like this"),
        ("action.tags | join(*action.tags)", "arguments are not allowed"),
        ("action.steps | map(attribute='gone')", "gone is not in the context"),
        ("action.steps | sort", "to compare members by"),
        ("[1, 'a'] | sort", "cannot be sorted together"),
        ("'x' | int", "this needs a number"),
        ("'x' | replace('', 'y')", "cannot be replaced"),
        ("'not a time' | datetime", "not a time"),
        ("99999999999999999999999", "too large"),
        ("'a/../b' | path", "segment"),
        ("'a:b' | basic_auth('x')", "no colon"),
        ("1 < 2 < 3 < 4 < 5 < 6 < 7 < 8 < 9 < 10", "comparisons are chained"),
        ("[1, 'a'] | sum", "a list of numbers"),
    ],
)
def test_what_is_not_allowed_is_refused_with_its_place(expression: str, message: str) -> None:
    with pytest.raises(TemplateError, match=r"settings\.request_body\.state, line 1") as refused:
        value_of("{{ " + expression + " }}")

    assert message in refused.value.message


@pytest.mark.parametrize(
    "expression",
    [
        "secrets.github ~ ''",
        "secrets.github == 'x'",
        "secrets.github | upper",
        "secrets.github | string",
        "secrets.github | tojson",
        "secrets | tojson",
        "secrets.github | length",
        "secrets.github | sha256",
        "secrets.github | urlencode",
        "secrets.github | path",
        "secrets.github | b64encode | b64encode",
        "secrets.github | basic_auth('x')",
        "secrets.github[:3]",
        "secrets.github.name",
        "secrets.github or 'x'",
        "'x' if secrets.github else 'y'",
        "not secrets.github",
        "'x' in secrets.github",
        "secrets.github in ['x']",
        "[secrets.github]",
        "{'a': secrets.github}",
        "[secrets] | map(attribute='github')",
        "'x' | replace(secrets.github, 'y')",
        "'x' | default(secrets.github) ~ secrets.github",
    ],
)
def test_a_secret_is_good_for_nothing_but_a_header(expression: str) -> None:
    with pytest.raises(TemplateError, match="secret"):
        value_of("{{ " + expression + " }}")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{% if action.id == 42 %}yes{% elif true %}no{% else %}never{% endif %}", "yes"),
        ("{% if action.id == 1 %}yes{% else %}no{% endif %}", "no"),
        ("{% set name = action.status %}{{ name }}!", "failed!"),
        ("{% for step in action.steps %}{{ loop.index }}{{ step.name }} {% endfor %}", "1build 2test "),
        ("{% for step in action.steps if step.ok %}{{ step.name }}{% endfor %}", "build"),
        ("{% for step in [] %}x{% else %}none{% endfor %}", "none"),
        ("{% for key, value in {'a': 1, 'b': 2} | items %}{{ key }}{{ value }}{% endfor %}", "a1b2"),
        ("{% for a in [1, 2] %}{% for b in 'x' | split %}{{ a }}{{ b }}{% endfor %}{% endfor %}", "1x2x"),
        ("{% for x in [1, 2, 3] %}{{ x }}{% if not loop.last %},{% endif %}{% endfor %}", "1,2,3"),
        ("{% for x in [1, 2] %}{{ loop.previtem | default('-') }}{% endfor %}", "-1"),
        ("a{# note #}b{% raw %}{{ c }}{% endraw %}", "ab{{ c }}"),
    ],
)
def test_statements_record_texts_and_values_in_order(template: str, expected: str) -> None:
    assert recorded(template + "{% if false %}{% endif %}") == expected


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% for x in action %}{% endfor %}", "the value is an object"),
        ("{% for x in 'abc' %}{% endfor %}", "a list to loop over"),
        ("{% for a, b in [[1]] %}{% endfor %}", "must be a list of 2"),
        ("{% for a in [1] recursive %}{% endfor %}", "recursive"),
        ("{% set params = 1 %}", "cannot be bound"),
        ("{% for loop in [1] %}{% endfor %}", "cannot be bound"),
        ("{% set a, b = [1, 2] %}", "one plain name"),
        ("{% set a %}x{% endset %}", "`set` blocks"),
        ("{% macro m() %}{% endmacro %}", "macros"),
        ("{% with a = 1 %}{% endwith %}", "`with` blocks"),
        ("{% import 'x' as y %}", "import"),
        ("{% nonsense %}", "nonsense"),
        ("{% if true %}{{ x y }}{% endif %}", "expected token"),
        (
            "{% for a in [1] %}{% for a in [1] %}{% for a in [1] %}{% endfor %}{% endfor %}{% endfor %}",
            "2 deep",
        ),
        ("{% for a in action.items %}{% set b = loop %}{% endfor %}", "not plain data"),
    ],
)
def test_a_statement_out_of_the_dialect_is_refused(template: str, message: str) -> None:
    with pytest.raises(TemplateError) as refused:
        recorded(template)

    assert message in refused.value.message
    assert refused.value.field == "settings.request_body"
    assert refused.value.line == 1


def test_a_missing_name_is_told_whole_with_names_near_to_it() -> None:
    with pytest.raises(TemplateError) as refused:
        value_of("{{\n action.triggered_from.hook_parsed_variables.commit_hash | upper }}")

    error = refused.value
    assert error.message == "action.triggered_from.hook_parsed_variables.commit_hash is not in the context"
    assert "`action.triggered_from.hook_parsed_variables` has no `commit_hash`" in error.hint
    assert "`commit_sha`" in error.hint
    assert (error.field, error.line, error.column) == ("settings.request_body.state", 2, 2)


def test_a_name_below_something_that_is_no_object_says_what_it_is() -> None:
    with pytest.raises(TemplateError) as refused:
        value_of("{{ action.status.text | upper }}")

    assert refused.value.message == "action.status.text is not in the context"
    assert refused.value.hint == "`action.status` is a text"


def test_the_line_and_column_are_those_of_the_construct() -> None:
    with pytest.raises(TemplateError) as refused:
        value_of("{{\n  'a'\n  |center(3) }}")

    assert (refused.value.line, refused.value.column) == (3, 3)


def test_names_set_in_one_template_are_unknown_in_the_others() -> None:
    unit = Unit()
    unit.leaf("one", "{% set name = 'x' %}")
    unit.leaf("two", "{{ name is defined }}")
    unit.leaf("three", "{% if name is defined %}leaked{% endif %}")

    run = unit.compile().run({})

    assert run.values == [False]
    assert run.recording == [[], []]


class TestParameters:
    def test_a_literal_is_a_constant_of_its_type(self) -> None:
        params = {"n": 5, "list": [1, {"a": "b"}], "none": None}

        assert value_of("{{ params.n + 1 }}", params) == 6
        assert value_of("{{ params.list }}", params) == [1, {"a": "b"}]
        assert value_of("{{ params.list[1].a }}", params) == "b"
        assert value_of("{{ params['none'] }}", params) is None

    def test_a_parameter_of_one_expression_keeps_its_type(self) -> None:
        assert value_of("{{ params.tags }}", {"tags": "{{ action.tags }}"}) == ["b", "A", "b"]
        assert value_of("{{ params.token }}", {"token": "{{ secrets.github }}"}) == SecretRef(
            "secrets.github"
        )

    def test_a_parameter_of_text_and_holes_is_text(self) -> None:
        assert value_of("{{ params.name | upper }}", {"name": "ci/{{ action.status }}"}) == "CI/FAILED"

    def test_parameters_may_refer_to_each_other(self) -> None:
        params = {"a": "{{ params.b }}-{{ params.c }}", "b": "{{ params.c }}", "c": "x"}

        assert value_of("{{ params.a }}", params) == "x-x"

    def test_texts_inside_of_an_object_or_a_list_are_templates_too(self) -> None:
        params = {"more": {"id": "{{ action.id }}", "of": ["ci/{{ action.status }}", 1, None]}, "x": "y"}

        assert value_of("{{ params.more }}", params) == {"id": 42, "of": ["ci/failed", 1, None]}
        assert value_of("{{ params.more.of[0] | upper }}", params) == "CI/FAILED"
        with pytest.raises(TemplateError, match=r"action\.gone is not in the context"):
            value_of("{{ params.more }}", {"more": {"a": ["{{ action.gone }}"]}})

    @pytest.mark.parametrize(
        "params",
        [
            {"a": "{{ params.a }}"},
            {"a": "{{ params.b }}", "b": "x{{ params.a }}"},
            {"a": {"b": ["{{ params.a }}"]}},
        ],
    )
    def test_a_circle_of_parameters_is_refused(self, params: dict[str, Any]) -> None:
        with pytest.raises(TemplateError, match="circle"):
            value_of("{{ params.a }}", params)

    def test_a_missing_parameter_is_refused_when_the_hook_is_read_and_may_have_a_default(self) -> None:
        assert value_of("{{ params.ref | default('main') }}") == "main"
        assert value_of("{{ params.ref is defined }}") is False
        with pytest.raises(TemplateError, match=r"params\.rfe is not given.*`ref`"):
            Unit({"ref": 1}).leaf("f", "{{ params.rfe }}")

    def test_statements_in_a_parameter_are_refused(self) -> None:
        with pytest.raises(TemplateError, match=r"params\.a, line 1, column 1: .*no statements"):
            value_of("{{ params.a }}", {"a": "{% if x %}{% endif %}"})

    def test_an_error_in_a_parameter_names_the_parameter(self) -> None:
        with pytest.raises(TemplateError, match=r"params\.a, line 1, column 4: action\.gone"):
            value_of("{{ params.a ~ '' }}", {"a": "{{ action.gone | upper }}"})

    def test_parameters_that_double_each_other_stay_within_bounds(self) -> None:
        params = {"p0": "x{{ action.id }}"} | {
            f"p{n}": f"{{{{ params.p{n - 1} }}}}{{{{ params.p{n - 1} }}}}" for n in range(1, 30)
        }

        with pytest.raises(TemplateError, match=r"parts together|nested"):
            value_of("{{ params.p29 }}", params)


class TestBounds:
    def test_all_templates_of_a_hook_share_the_bound_on_their_source(self) -> None:
        unit = Unit()
        unit.leaf("a", "{{ 1 }}" + "x" * 10_000)

        with pytest.raises(TemplateError, match="16 KiB together"):
            unit.leaf("b", "{{ 1 }}" + "x" * 10_000)

    def test_all_templates_of_a_hook_share_the_bound_on_their_nodes(self) -> None:
        unit = Unit()
        unit.leaf("a", "{{[1]}}" * 1_990)

        with pytest.raises(TemplateError, match="4,000 parts"):
            unit.leaf("b", "{{[1]}}" * 20)

    def test_templates_are_forty_deep_at_most(self) -> None:
        assert value_of("{{ " + "[" * 39 + "]" * 39 + " | length }}") == 1
        with pytest.raises(TemplateError, match="nested more than 40 deep"):
            value_of("{{ " + "[" * 42 + "]" * 42 + " | length }}")

    def test_a_render_has_two_thousand_rounds_of_loops(self) -> None:
        context = {"xs": [1] * 1_000}

        assert recorded("{% for x in xs %}{% endfor %}{% for x in xs %}{% endfor %}", context) == ""
        with pytest.raises(TemplateError, match="2,000 rounds"):
            recorded(
                "{% for x in xs %}{% for y in [1] %}{% endfor %}{% endfor %}{% for x in [1] %}{% endfor %}",
                context,
            )

    def test_a_text_is_256_kib_at_most(self) -> None:
        context = {"big": "a" * 65_536}

        assert len(value_of("{{ big ~ big ~ big ~ big }}", context=context)) == 4 * 65_536
        for expression in (
            "big ~ big ~ big ~ big ~ 'a'",
            "big | replace('a', 'aaaaa')",
            "[big, big] | join(big ~ big ~ 'a')",
        ):
            with pytest.raises(TemplateError, match="larger than 256 KiB"):
                value_of("{{ " + expression + " }}", context=context)

    @pytest.mark.parametrize(
        "expression",
        [
            "big | replace('aaaaaaaaaaaaaaab', '')",
            "'aaaaaaaaaaaaaaab' in big",
            "big | split('aaaaaaaaaaaaaaab')",
        ],
    )
    def test_a_search_costs_more_the_longer_the_text_that_is_sought(self, expression: str) -> None:
        unit = Unit()
        unit.leaf("f", "{{ " + expression + " }}")

        run = unit.compile().run({"big": "a" * 65_536})

        assert MAX_WORK - run.work > 3 * 65_536

    def test_lists_that_hold_each_other_cannot_grow(self) -> None:
        with pytest.raises(TemplateError, match="too much work"):
            recorded("{% set a = [1] %}" + "{% set a = [a, a] %}" * 40)

    def test_a_budget_is_spent_by_one_render_only(self) -> None:
        unit = Unit()
        unit.leaf("f", "{% for x in xs %}{% set y = x ~ x %}{% endfor %}")
        program = unit.compile()
        context = {"xs": ["x" * 20] * 1_900}

        with ThreadPoolExecutor(8) as pool:
            runs = list(pool.map(lambda _: program.run(context), range(40)))

        assert len({run.work for run in runs}) == 1

    def test_a_context_is_never_changed(self) -> None:
        context = {"xs": [3, 1, 2], "d": {"b": 1}}

        recorded("{% set xs = xs | sort %}{% for k, v in d | items %}{{ k }}{% endfor %}", context)

        assert context == {"xs": [3, 1, 2], "d": {"b": 1}}
