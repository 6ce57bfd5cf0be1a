from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookengine.domain.request import RenderedRequest, SecretRef
from hookengine.domain.status_call import StatusCall, commit_of, recognise, writes_statuses
from tests.conftest import make_hook, make_request

SHA = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
GITHUB = f"https://api.github.com/repos/acme/shop/statuses/{SHA}"
GITLAB = f"https://gitlab.com/api/v4/projects/acme%2Fshop/statuses/{SHA}"
BITBUCKET = f"https://api.bitbucket.org/2.0/repositories/acme/shop/commit/{SHA}/statuses/build"
DATACENTER = f"https://git.acme.example/rest/api/latest/projects/AC/repos/shop/commits/{SHA}/builds"
AZURE = f"https://dev.azure.com/acme/web/_apis/git/repositories/shop/commits/{SHA}/statuses?api-version=7.1"


def call(url: str, body: Any = None, **changes: Any) -> RenderedRequest:
    return make_request(url=url, body=None if body is None else (json.dumps(body),), **changes)


def form(
    body: str,
    *more: SecretRef | str,
    url: str = GITHUB,
    media_type: str = "application/x-www-form-urlencoded",
) -> RenderedRequest:
    return make_request(url=url, headers=(("Content-Type", (media_type,)),), body=(body, *more))


@pytest.mark.parametrize(
    ("url", "body", "kind", "repository", "context"),
    [
        (GITHUB, {"context": "CI/Shop"}, "github", "acme/shop", "ci/shop"),
        (GITHUB, {"state": "pending"}, "github", "acme/shop", "default"),
        (GITHUB.replace("/repos", "/api/v3/repos"), {"context": "ci"}, "github", "acme/shop", "ci"),
        (GITHUB.replace("/repos", "/api/v1/repos"), {"context": "CI"}, "gitea", "acme/shop", "CI"),
        (GITLAB, {"name": "ci", "context": "other"}, "gitlab", "acme/shop", "ci"),
        (GITLAB, {"context": "ci"}, "gitlab", "acme/shop", "ci"),
        (GITLAB, {}, "gitlab", "acme/shop", "default"),
        (f"{GITLAB}?name=ci", None, "gitlab", "acme/shop", "ci"),
        (
            GITLAB.replace("/api", "/gitlab/api").replace("acme%2Fshop", "42"),
            {"name": "x"},
            "gitlab",
            "42",
            "x",
        ),
        (BITBUCKET, {"key": "Ci"}, "bitbucket", "acme/shop", "Ci"),
        (DATACENTER, {"key": "ci"}, "bitbucket_datacenter", "ac/repos/shop", "ci"),
        (
            f"https://git.acme.example/git/rest/build-status/latest/commits/{SHA}",
            {"key": "ci"},
            "bitbucket_datacenter",
            "/rest/build-status",
            "ci",
        ),
        (
            AZURE,
            {"context": {"name": "ci", "genre": "deploy"}},
            "azure_devops",
            "acme/web/_apis/git/repositories/shop",
            "deploy/ci",
        ),
    ],
)
def test_a_status_call_is_recognised_by_its_shape(
    url: str, body: Any, kind: str, repository: str, context: str
) -> None:
    found = recognise(call(url, body))

    assert found is not None
    assert (found.kind, found.repository, found.sha, found.context) == (kind, repository, SHA, context)


@pytest.mark.parametrize(
    "request_",
    [
        call(GITHUB, {"context": "ci"}, method="GET"),
        call(f"{GITHUB}/more", {"context": "ci"}),
        call(GITHUB.replace(f"/{SHA}", "/"), {"context": "ci"}),
        call("https://target.example/statuses", {"context": "ci"}),
        call(BITBUCKET, {"name": "no key"}),
        call(AZURE, {"context": {"genre": "no name"}}),
        call(AZURE.replace("/_apis/git/", "/"), {"context": {"name": "ci"}}),
        call(DATACENTER, ["key"]),
        call(GITHUB, {"context": ["ci"]}),
        make_request(url=BITBUCKET, body=("no JSON",)),
        make_request(url=GITHUB, body=("no JSON",)),
        make_request(url=GITHUB, body=('<status context="ci"/>',)),
        make_request(url=GITHUB, body=("[" * 100_000,)),
        call(GITHUB, ["context"]),
        call(GITHUB),
        call(f"{GITLAB}?name=ci", ["name"]),
        form("state=success", url=BITBUCKET),
    ],
)
def test_any_other_request_is_none(request_: RenderedRequest) -> None:
    assert recognise(request_) is None


def test_what_a_host_takes_for_one_has_one_lane() -> None:
    lanes = {
        recognise(call(url, {"context": context})).lane_key  # type: ignore[union-attr]
        for url in (
            GITHUB,
            GITHUB.replace("acme", "ACME"),
            GITHUB.replace("api.", "API."),
            GITHUB.replace(SHA, SHA.upper()),
        )
        for context in ("ci", "CI")
    }

    assert len(lanes) == 1


def test_what_a_host_tells_apart_has_lanes_of_its_own() -> None:
    calls = [
        call(GITHUB, {"context": "ci"}),
        call(GITHUB, {"context": "other"}),
        call(GITHUB.replace("shop", "site"), {"context": "ci"}),
        call(GITHUB.replace(SHA, SHA[::-1]), {"context": "ci"}),
        call(GITHUB.replace("api.github.com", "github.acme.example"), {"context": "ci"}),
        call(BITBUCKET, {"key": "ci"}),
        call(BITBUCKET, {"key": "CI"}),
    ]

    assert len({found.lane_key for each in calls if (found := recognise(each))}) == len(calls)


def test_parts_cannot_be_shifted_from_one_field_into_the_next() -> None:
    first = recognise(call(GITLAB, {"name": 'a", "b'}))
    second = recognise(call(GITLAB, {"name": "a"}))

    assert first is not None
    assert second is not None
    assert first.lane_key != second.lane_key
    assert json.loads(first.lane_key.removeprefix("status:"))[3] == 'a", "b'


def test_a_body_with_a_hole_for_a_secret_says_its_context_all_the_same() -> None:
    body = ('{"key":"ci","token":"', SecretRef("secrets.host"), '"}')

    found = recognise(make_request(url=BITBUCKET, body=body))

    assert found is not None
    assert found.context == "ci"


@pytest.mark.parametrize(
    ("request_", "context"),
    [
        (form("state=success&context=ci%2Fshop+1"), "ci/shop 1"),
        (form("context=ci\n", media_type="Application/X-WWW-Form-URLEncoded; charset=utf-8"), "ci"),
        (form("context=ci", media_type="text/plain"), "ci"),
        (form("token=", SecretRef("secrets.host"), "&context=ci"), "ci"),
        (form("state=success"), "default"),
        (form("context=&state=success"), "default"),
        (form("name=ci", url=GITLAB), "ci"),
        (form("state=success", url=f"{GITLAB}?name=ci"), "ci"),
        (form("key=ci", url=BITBUCKET), "ci"),
        (call(f"{GITLAB}?state=success"), "default"),
    ],
)
def test_a_form_says_its_context_as_well(request_: RenderedRequest, context: str) -> None:
    found = recognise(request_)

    assert found is not None
    assert found.context == context


def test_two_statuses_sent_as_forms_do_not_share_a_lane() -> None:
    lanes = {recognise(form(f"state=success&context={context}")) for context in ("a", "b")}

    assert len(lanes) == 2


def test_a_context_that_is_a_secret_is_told_apart_by_its_name() -> None:
    body = ('{"context":"', SecretRef("secrets.context"), '"}')

    found = recognise(make_request(url=GITHUB, body=body))

    assert found is not None
    assert found.context == "<secrets.context>"


@given(st.text(), st.text(), st.text(min_size=1), st.text())
def test_the_lane_of_a_status_tells_its_commit(host: str, repository: str, sha: str, context: str) -> None:
    found = StatusCall(kind="github", host=host, repository=repository, sha=sha, context=context)

    assert commit_of(found.lane_key) == sha
    assert commit_of(found.lane_key.replace("status:", "status-ordered:", 1)) == sha
    assert commit_of(f"{found.lane_key[:-2]} and its digest") == sha


@pytest.mark.parametrize(
    "key", ["hook:a:1:2", 'named:latest:status:["a", "b", "c", "d"]', "status:", "delivery:x"]
)
def test_no_other_lane_tells_a_commit(key: str) -> None:
    assert commit_of(key) is None


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        (GITHUB, True),
        (
            "{{ params.api }}/repos/{{ params.repository | path }}/statuses/{{ action.id | commit_hash }}",
            True,
        ),
        (
            "https://api.github.com/repos/acme/{{ pipeline.name }}/statuses/{{ action.sha if 1 }}?a={{ b }}",
            True,
        ),
        ("https://gitlab.com/api/v4/projects/{{ 'acme/shop' | urlencode }}/statuses/{{ action.sha }}", True),
        ("https://board.example/deploys/{{ action.sha }}", False),
        ("https://[{{ action.host }}/repos/a/b/statuses/c", False),
    ],
)
def test_a_hook_that_writes_statuses_is_known_before_it_has_sent_any(url: str, is_one: bool) -> None:
    params = {"api": "https://api.github.com", "repository": "{{ application.repository }}"}

    assert writes_statuses(make_hook(target_url=url, params=params)) is is_one
    assert not writes_statuses(make_hook(target_url=url, params=params, method="PUT"))
