from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookengine.domain.documents import digest
from hookengine.domain.request import RenderedRequest, SecretRef, address_of
from tests.conftest import make_request

TOKEN = SecretRef("secrets.TOKEN")
BASIC = SecretRef("context:1:action.token", "base64", "user:")

REQUESTS = [
    make_request(),
    make_request(body=None),
    make_request(body=()),
    make_request(headers=()),
    make_request(
        headers=(("Authorization", ("Bearer ", TOKEN)), ("X-Basic", (BASIC,))), body=("a", TOKEN, "ü✓")
    ),
]


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_request_comes_back_from_json_as_it_was(request_: RenderedRequest) -> None:
    again = RenderedRequest.from_json(request_.to_json())

    assert again == request_
    assert digest(again.to_json()) == digest(request_.to_json())


def test_different_requests_have_different_digests() -> None:
    others = [*REQUESTS, make_request(method="PUT"), make_request(url="https://other.example")]

    assert len({digest(request.to_json()) for request in others}) == len(others)


def test_a_text_that_looks_like_a_hole_is_not_one() -> None:
    text, hole = make_request(body=("<secrets.TOKEN>",)), make_request(body=(TOKEN,))

    assert digest(text.to_json()) != digest(hole.to_json())
    assert text.secrets == frozenset()


def test_a_request_names_the_secrets_it_needs() -> None:
    assert REQUESTS[-1].secrets == {"secrets.TOKEN", "context:1:action.token"}


def test_holes_are_filled_on_the_way_out() -> None:
    headers, body = REQUESTS[-1].filled(lambda hole: f"({hole.prefix}{hole.form})")

    assert headers == (("Authorization", "Bearer (plain)"), ("X-Basic", "(user:base64)"))
    assert body == "a(plain)ü✓".encode()


def test_people_see_the_names_of_secrets_only() -> None:
    assert REQUESTS[-1].shown() == {
        "method": "POST",
        "url": "https://target.example/statuses",
        "headers": [
            {"name": "Authorization", "value": "Bearer <secrets.TOKEN>"},
            {"name": "X-Basic", "value": "<context:1:action.token>"},
        ],
        "body": "a<secrets.TOKEN>ü✓",
    }


@given(
    st.from_regex(
        r"https?://[A-Za-z0-9._-]{1,9}(:[0-9]{1,5})?(/[!$-;=@-Z^_a-z|~]{0,9}){0,4}", fullmatch=True
    ),
    st.none() | st.from_regex(r"[!$-;=?-Z^_a-z|~]{0,12}", fullmatch=True),
)
def test_an_address_is_read_as_others_read_it(url: str, query: str | None) -> None:
    url = url if query is None else f"{url}?{query}"
    theirs = urlsplit(url)

    assert address_of(url) == (theirs.netloc.lower(), theirs.path, theirs.query)


def test_a_host_in_brackets_keeps_its_port() -> None:
    assert address_of("https://[2001:DB8::1]:8443/a?b=c") == ("[2001:db8::1]:8443", "/a", "b=c")
