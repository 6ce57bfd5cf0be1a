from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from hookengine.domain.hook import Hook, LanePolicy, LaneSpec
from hookengine.domain.request import SecretRef
from hookengine.engine.preparing import prepare
from hookengine.engine.rendering import Rendered
from hookengine.errors import TemplateError
from hookengine.guard.address import AddressPolicy
from hookengine.guard.hostname import Refused
from hookengine.guard.permissions import Permissions
from hookengine.guard.url import check_url

CASES = json.loads((Path(__file__).parents[2] / "cases" / "injection_cases.json").read_text())
JSON = (("Content-Type", "application/json"),)
TOKEN = SecretRef("context:7:application.source_provider.access_token")
CONTEXT: dict[str, Any] = {
    "event": {"type": "action.started"},
    "action": {
        "id": 42,
        "type": "deploy",
        "tags": ["a", "b"],
        "triggered_from": {
            "hook_parsed_variables": {"commit_hash": "9fceb02d", "template": "{{ action.id }}"}
        },
    },
    "application": {"name": "shop", "repo": "acme/shop", "source_provider": {"access_token": TOKEN}},
    "secrets": {"github": SecretRef("secrets.github")},
    "none": None,
    "empty": "",
}


def hook(**changes: Any) -> Hook:
    plain: dict[str, Any] = {
        "id": "hook",
        "revision": 1,
        "name": "CI(build)",
        "target_url": "https://api.example.com/x",
        "events": ("action.started",),
    }
    return Hook(**(plain | changes))


def render(context: dict[str, Any] = CONTEXT, allow_host_values: Any = (), **changes: Any) -> Rendered:
    permissions = Permissions(host_values=frozenset(allow_host_values))
    return prepare(hook(**changes), permissions).render(context)


def url(template: str, context: dict[str, Any] = CONTEXT, **changes: Any) -> str:
    return render(context, target_url=template, **changes).request.url


def header(template: str, context: dict[str, Any] = CONTEXT, **changes: Any) -> Any:
    return render(context, headers=(("X-Test", template),), **changes).request.headers[0][1]


def body(tree: Any, context: dict[str, Any] = CONTEXT, **changes: Any) -> Any:
    text = render(context, body=tree, **changes).request.body
    assert text is not None
    assert isinstance(text[0], str)
    return json.loads(text[0])


def outcome(case: dict[str, Any]) -> Any:
    value = eval(case["value_py"]) if "value_py" in case else case["value"]  # noqa: S307
    context = {"v": float("nan") if value == "__NaN__" else value}
    place = case["where"].partition(".")[0]
    if place == "header":
        (piece,) = render(context, headers=((case["header"], case["template"]),)).request.headers[0][1]
        return piece
    if place == "body":
        return body(case["template"], context, headers=JSON)
    filled = url(case["template"], context, allow_host_values=case.get("host_values", ()))
    check_url(filled, AddressPolicy())
    return filled


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['id']} {case['why']}"[:60])
def test_a_value_stays_in_its_place(case: dict[str, Any]) -> None:
    if case["expect"] == "error":
        with pytest.raises((TemplateError, Refused)):
            outcome(case)
    else:
        assert outcome(case) == case["expect"]


def test_a_commit_status_hook_becomes_its_request() -> None:
    rendered = render(
        target_url="https://api.example.com/statuses/{{ action.triggered_from.hook_parsed_variables.commit_hash }}",
        headers=(("Authorization", "Bearer {{ application.source_provider.access_token }}"),),
        body={
            "state": "{{ {'action.started': 'pending'}[event.type] }}",
            "target_url": "https://app.example.com/actions/{{ action.id }}",
            "context": "ci/build",
            "extra": {"id": "{{ action.id }}", "tags": "{{ action.tags }}", "none": "{{ none }}"},
        },
    )

    request = rendered.request
    assert rendered.lane_key is None
    assert request.url == "https://api.example.com/statuses/9fceb02d"
    assert request.headers == (
        ("Authorization", ("Bearer ", TOKEN)),
        ("content-type", ("application/json",)),
    )
    assert request.body == (
        '{"state":"pending","target_url":"https://app.example.com/actions/42","context":"ci/build","extra":{"id":42,"tags":["a","b"],"none":null}}',
    )


class TestUrls:
    def test_a_constant_parameter_at_the_start_is_literal(self) -> None:
        base = {"base_url": "https://git.example.com/api/v4/"}

        assert (
            url("{{ params.base_url }}/x/{{ action.id }}", params=base)
            == "https://git.example.com/api/v4/x/42"
        )
        assert url("{{ params.a }}/x", params={"a": "{{ params.b }}/api", "b": "https://x.example"}) == (
            "https://x.example/api/x"
        )
        assert url("{{ params.base_url }}/x{% if action.id %}/y{% endif %}", params=base).endswith(
            "/api/v4/x/y"
        )

    def test_a_parameter_with_a_hole_cannot_form_the_host(self) -> None:
        with pytest.raises(TemplateError, match="target_url"):
            prepare(hook(target_url="{{ params.u }}/x", params={"u": "https://{{ v }}"}))

    def test_a_constant_parameter_elsewhere_is_a_value(self) -> None:
        assert (
            url("https://x.example/{{ params.a }}", params={"a": "b/../c"}) == "https://x.example/b%2F..%2Fc"
        )

    def test_what_urlencode_made_is_not_encoded_again(self) -> None:
        assert (
            url("https://x.example/{{ application.repo | urlencode }}/s") == "https://x.example/acme%2Fshop/s"
        )
        assert url("https://x.example/s?a={{ 'a&b' | urlencode }}") == "https://x.example/s?a=a%26b"
        with pytest.raises(TemplateError, match="segment"):
            url("https://x.example/{{ '..' | urlencode }}/s")

    def test_a_segment_of_text_and_values_is_judged_as_a_whole(self) -> None:
        assert url("https://x.example/v{{ empty }}/s") == "https://x.example/v/s"
        for template in ("{{ empty }}{{ empty }}", ".{{ '.' }}", "%2e{{ '.' }}"):
            with pytest.raises(TemplateError, match="segment"):
                url(f"https://x.example/{template}/s")

    def test_a_template_with_statements_keeps_the_shape_too(self) -> None:
        template = "https://x.example/{% if action.id %}a{% endif %}/{{ application.repo }}?q={{ 'a&b' }}"

        assert url(template) == "https://x.example/a/acme%2Fshop?q=a%26b"

    @pytest.mark.parametrize(
        "template",
        [
            "https://{% if true %}x{% endif %}.example/",
            "https://x.example{% if true %}.evil.example{% endif %}/",
            "{% if true %}https://x.example/{% endif %}",
            "https://x.example/?{{ 'a' }}=1",
            "https://x.example/?a=1&{{ 'b' }}",
            "https://x.example/?a=1&b{{ 'b' }}=2",
            "https://x.example/#top",
            "https://user:pass@x.example/",
            "ftp://x.example/",
            "//x.example/",
            "https:///x",
            "https://x.example\\@evil.example/",
            "https://x.example/é",
            "https://x.example/%2e%2E/y",
            "https://x.example/\ue000",
        ],
    )
    def test_a_shape_that_could_be_bent_is_refused_when_prepared(self, template: str) -> None:
        with pytest.raises(TemplateError, match="target_url"):
            prepare(hook(target_url=template))

    def test_a_value_is_not_rendered_again(self) -> None:
        filled = url("https://x.example/{{ action.triggered_from.hook_parsed_variables.template }}")

        assert filled == "https://x.example/%7B%7B%20action.id%20%7D%7D"

    def test_a_url_is_eight_kib_at_most(self) -> None:
        with pytest.raises(TemplateError, match="URL"):
            url("https://x.example/{{ v }}", {"v": "é" * 2000})


class TestHeaders:
    def test_secrets_are_holes_with_text_around_them(self) -> None:
        github = SecretRef("secrets.github")

        assert header("{{ secrets.github }}") == (github,)
        assert header(" a {{ secrets.github }} b ") == ("a ", github, " b")
        assert header("Basic {{ 'me' | basic_auth(secrets.github) }}") == (
            "Basic ",
            SecretRef("secrets.github", "base64", "me:"),
        )
        assert header("{{ secrets.github }}{{ secrets.github }}") == (github, github)

    def test_a_parameter_may_hold_text_around_a_secret(self) -> None:
        params = {"auth": "Bearer {{ params.token }}", "token": "{{ secrets.github }}"}

        assert header("{{ params.auth }}", params=params) == ("Bearer ", SecretRef("secrets.github"))

    def test_statements_choose_between_secrets(self) -> None:
        template = "{% if action.id == 1 %}x{% else %}Bearer {{ secrets.github }}{% endif %}"

        assert header(template) == ("Bearer ", SecretRef("secrets.github"))

    @pytest.mark.parametrize(
        "name", ["host", "Proxy-Authorization", "webhook-id", "Hookengine-Position", "a b", ""]
    )
    def test_reserved_and_malformed_names_are_refused(self, name: str) -> None:
        with pytest.raises(TemplateError, match=r"settings\.request_headers\[0\]\.name"):
            prepare(hook(headers=((name, "x"),)))

    def test_a_literal_value_is_checked_when_prepared(self) -> None:
        with pytest.raises(TemplateError, match=r"settings\.request_headers\[0\]\.value, .*control"):
            prepare(hook(headers=(("X", "a\nb"),)))

    def test_the_value_of_a_bad_header_is_not_told(self) -> None:
        with pytest.raises(TemplateError) as refused:
            header("Bearer {{ v }}", {"v": "ghp_S3CRET\n"})

        assert "S3CRET" not in str(refused.value)

    @pytest.mark.parametrize("value", ["application/{{ 'json' }}", "{% if true %}text/plain{% endif %}"])
    def test_the_content_type_is_known_before_any_value_is(self, value: str) -> None:
        with pytest.raises(TemplateError, match="one content type"):
            prepare(hook(headers=(("Content-Type", value),)))


class TestBodies:
    def test_there_may_be_none(self) -> None:
        request = render().request

        assert request.body is None
        assert request.headers == ()

    def test_a_content_type_of_the_hook_is_kept(self) -> None:
        request = render(body={}, headers=(("Content-Type", "application/vnd.api+json"),)).request

        assert request.headers == (("Content-Type", ("application/vnd.api+json",)),)

    def test_a_string_with_more_than_one_expression_is_text(self) -> None:
        assert body(["{{ action.id }}", " {{ action.id }}", "{{ action.id }}{{ true }}", "{{ true }}"]) == [
            42,
            " 42",
            "42true",
            True,
        ]

    def test_json_text_takes_typed_values_outside_its_strings(self) -> None:
        text = """{"id":{{ action.id }}, "s":"{{ action.id }}-\\"{{ v }}",
            "o":{{ tags|tojson }}, "t":{{ tags }}, "q":"{{ tags|tojson }}"}"""

        assert body(text, CONTEXT | {"v": 'x"y', "tags": ["a"]}, headers=JSON) == {
            "id": 42,
            "s": '42-"x"y',
            "o": ["a"],
            "t": ["a"],
            "q": '["a"]',
        }

    def test_json_text_may_have_statements(self) -> None:
        text = '{"tags":[{% for t in action.tags %}"{{ t }}"{% if not loop.last %},{% endif %}{% endfor %}]}'

        assert body(text, headers=JSON) == {"tags": ["a", "b"]}

    @pytest.mark.parametrize(
        "text",
        [
            '{"{{ action.type }}":1}',
            '{"a":1,"a":2}',
            '{"a":1{{ action.id }}}',
            '{"a":NaN}',
            '{"a":',
            '{"a":"\\{{ action.id }}"}',
            '{"a":"\ue0000\ue002{{ action.id }}"}',
            '{"a":"\\ue0000\\ue002{{ action.id }}"}',
            "{{ action.id }}{{ action.id }}",
        ],
    )
    def test_json_text_that_values_could_bend_is_refused_when_prepared(self, text: str) -> None:
        with pytest.raises(TemplateError, match=r"settings\.request_body"):
            prepare(hook(body=text, headers=JSON))

    def test_other_text_is_text(self) -> None:
        request = render(
            body='a={{ action.id }}&b={{ "x" }}', headers=(("Content-Type", "text/plain"),)
        ).request

        assert request.body == ("a=42&b=x",)

    @pytest.mark.parametrize("key", ["{{ action.id }}", "{% if x %}", "{# x #}", 7])
    def test_keys_are_literal(self, key: Any) -> None:
        with pytest.raises(TemplateError, match="keys are literal"):
            prepare(hook(body={"a": [{key: 1}]}))

    def test_numbers_keep_their_digits(self) -> None:
        assert body({"n": "{{ n }}"}, {"n": 10**30}) == {"n": 10**30}

    @pytest.mark.parametrize(
        "value", [float("nan"), float("inf"), [float("nan")], {"a": object()}, b"x", "\ud800"]
    )
    def test_what_is_not_json_is_refused(self, value: Any) -> None:
        with pytest.raises(TemplateError):
            body({"n": "{{ n }}"}, {"n": value})

    def test_lists_that_hold_each_other_are_refused_in_little_time(self) -> None:
        tree = "{% set a=[1,1] %}" + "{% set a=[a,a] %}" * 8 + "{{ a|tojson }}"

        assert len(body({"n": tree})["n"]) > 1_000
        with pytest.raises(TemplateError, match="too much work"):
            body({"n": "{% set a=[1,1] %}" + "{% set a=[a,a] %}" * 30 + "{{ a|tojson }}"})

    def test_a_body_is_256_kib_at_most(self) -> None:
        with pytest.raises(TemplateError, match="256 KiB"):
            body({"n": "{{ v }}", "m": "{{ v }}"}, {"v": "x" * 140_000})

    @pytest.mark.parametrize("template", ["{{ v }}" * 1_000, "{% for x in xs %}{{ v }}{% endfor %}"])
    def test_a_body_that_would_become_too_large_is_never_made(self, template: str) -> None:
        context = {"v": "x" * 65_536, "xs": [1] * 1_000}
        prepared = prepare(hook(body={"a": template}))
        tracemalloc.start()
        try:
            with pytest.raises(TemplateError, match=r"settings\.request_body\.a, line 1.*256 KiB"):
                prepared.render(context)
            assert tracemalloc.get_traced_memory()[1] < 2_000_000
        finally:
            tracemalloc.stop()

    def test_a_context_is_256_kib_at_most(self) -> None:
        with pytest.raises(TemplateError, match="context is larger"):
            body({}, {"v": "x" * 270_000})

    def test_errors_name_the_field_inside_the_body(self) -> None:
        with pytest.raises(
            TemplateError, match=r"settings\.request_body\.a\[1\]\.b, line 1, column 4: action\.nope"
        ):
            body({"a": [0, {"b": "{{ action.nope }}"}]})


SECRET_PLACES: list[dict[str, Any]] = [
    {"target_url": "https://x.example/{{ secrets.github }}"},
    {"target_url": "https://x.example/?a={{ secrets.github | b64encode }}"},
    {"body": {"a": "{{ secrets.github }}"}},
    {"body": {"a": "x{{ secrets.github }}"}},
    {"body": {"a": "{{ secrets }}"}},
    {"body": {"a": "{{ secrets | items }}"}},
    {"body": "{{ secrets.github }}"},
    {"body": '{"a":{{ secrets.github }}}', "headers": JSON},
    {"body": '{"a":"{{ secrets.github }}"}', "headers": JSON},
    {"body": {"a": "{% if true %}{{ secrets.github }}{% endif %}"}},
    {"lane": LaneSpec(policy=LanePolicy.ORDERED, key="{{ secrets.github }}")},
    {"headers": (("X", "{{ secrets.github ~ 'x' }}"),)},
    {"body": {"a": "{{ params.p }}"}, "params": {"p": "{{ secrets.github }}"}},
]


@pytest.mark.parametrize("place", SECRET_PLACES, ids=str)
def test_a_secret_goes_into_headers_only(place: dict[str, Any]) -> None:
    with pytest.raises(TemplateError, match=r"secrets\.github is a secret"):
        render(**place)


class TestLanes:
    def test_the_key_is_rendered(self) -> None:
        spec = LaneSpec(policy=LanePolicy.LATEST, key="{{ application.repo }}@{{ action.id }}")

        assert render(lane=spec).lane_key == "acme/shop@42"
        assert render(lane=LaneSpec(policy=LanePolicy.LATEST)).lane_key is None

    @pytest.mark.parametrize("key", ["{{ empty }}", "{{ long }}"])
    def test_a_key_has_a_length(self, key: str) -> None:
        with pytest.raises(TemplateError, match=r"lane\.key"):
            render({"empty": "", "long": "x" * 2000}, lane=LaneSpec(policy=LanePolicy.LATEST, key=key))
