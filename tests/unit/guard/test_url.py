from __future__ import annotations

import re
from dataclasses import replace
from unittest.mock import patch

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookengine.guard import url as urls
from hookengine.guard.address import AddressPolicy
from hookengine.guard.hostname import Refused
from hookengine.guard.url import LONGEST_URL, Target, check_url, host_of

NOBODY = AddressPolicy()
LOCAL = AddressPolicy.parse(["127.0.0.0/8", "::1"], allow_hosts=["localhost", "gitlab"])


def reason_for(url: str, policy: AddressPolicy = NOBODY) -> str:
    try:
        check_url(url, policy)
    except Refused as refused:
        return refused.reason_code
    return "allowed"


def test_a_target_tells_what_will_be_sent() -> None:
    target = check_url("HTTPS://Hooks.Example.COM.:8443/a b".replace(" ", "é") + "?q={x}", NOBODY)

    assert target == Target(
        scheme="https", host="hooks.example.com", port=8443, path="/a%C3%A9b?q=%7Bx%7D", is_literal=False
    )
    assert target.origin == "https://hooks.example.com:8443"
    assert target.url == "https://hooks.example.com:8443/a%C3%A9b?q=%7Bx%7D"


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://example.com", "http://example.com/"),
        ("http://example.com:80/", "http://example.com/"),
        ("http://example.com:443/", "http://example.com:443/"),
        ("https://example.com:00443/", "https://example.com/"),
        ("https://example.com?x", "https://example.com/?x"),
        ("https://example.com/?", "https://example.com/?"),
        ("https://example.com/a/../../b/./c", "https://example.com/b/c"),
        ("https://example.com/a/..", "https://example.com/"),
        ("https://example.com/a/.", "https://example.com/a/"),
        ("https://example.com/a?x=/../b", "https://example.com/a?x=/../b"),
        ("https://example.com/a//b/.well-known", "https://example.com/a//b/.well-known"),
        ("https://example.com/%2e%2E/%zz|^[]", "https://example.com/%2e%2E/%zz|^[]"),
        ("https://[2606:4700:0::0:1]:443/", "https://[2606:4700::1]/"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://a_ß.example/", None),
        ("https://8。8。8。8/", "https://8.8.8.8/"),
    ],
)
def test_a_url_is_sent_in_one_spelling(url: str, sent: str | None) -> None:
    if sent is None:
        assert reason_for(url) == "bad_idna"
    else:
        assert check_url(url, NOBODY).url == sent


@settings(max_examples=150, deadline=None)
@given(
    host=st.one_of(
        st.sampled_from(["example.com", "Bücher.example", "8.8.8.8", "[2606:4700::1]", "a_b.example."]),
        st.text("abcß.-_0x１", min_size=1, max_size=12),
    ),
    port=st.sampled_from(["", ":80", ":443", ":0443", ":8080"]),
    rest=st.text("/.?&%=aé{}|'\"<>[];:@~+!", max_size=20),
)
def test_what_is_returned_is_what_httpx_sends_and_judges_to_itself(host: str, port: str, rest: str) -> None:
    try:
        target = check_url(f"http://{host}{port}/{rest}", NOBODY)
    except Refused:
        return

    assert check_url(target.url, NOBODY) == target
    read = httpx.URL(target.url)
    assert str(read) == target.url
    assert read.raw_host.decode() == target.host
    assert (read.port or 80, read.raw_path.decode()) == (target.port, target.path)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40).map(lambda text: f"http://{text}") | st.text(max_size=40))
def test_any_text_is_either_a_target_or_refused(text: str) -> None:
    try:
        target = check_url(text, NOBODY)
    except Refused:
        return
    assert check_url(target.url, NOBODY) == target


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "not_absolute"),
        ("//example.com/", "not_absolute"),
        ("http:/example.com/", "not_absolute"),
        ("example.com/hook", "not_absolute"),
        ("https://example.com/#top", "fragment"),
        ("https://example.com#@127.0.0.1/", "fragment"),
        ("https://example.com/\u3000x", "control_or_space"),
        ("https://example.com/\u2028x", "control_or_space"),
        ("https://example.com/\ud800", "control_or_space"),
        ("https://example.com/a\\b", "backslash"),
        ("https://example.com:/", "bad_authority"),
        ("https://example.com:٤٤٣/", "bad_authority"),
        ("https://example.com:-1/", "bad_authority"),
        ("https://[::1]x/", "bad_authority"),
        ("https://[[::1]]/", "bad_authority"),
        ("https://[]/", "bad_ipv6_literal"),
        ("https://:443/", "empty_host"),
        ("https://example.com:0/", "port_out_of_range"),
        ("https://example.com:65536/", "port_out_of_range"),
        ("https://example.com:" + "9" * 5000 + "/", "port_out_of_range"),
        ("https://example.com:22/", "port_not_allowed"),
        ("https://example.com:10080/", "port_not_allowed"),
        ("https://1.2.3.4.5/", "ambiguous_ipv4"),
        ("https://256.1.1.1/", "ambiguous_ipv4"),
        ("https://example.123/", "ambiguous_ipv4"),
        ("https://example.0x/", "ambiguous_ipv4"),
        ("https://0x7F.1/", "ambiguous_ipv4"),
        ("https://１２７.１/", "ambiguous_ipv4"),
        ("https://example.com../", "bad_hostname"),
        ("https://-a.example/", "bad_hostname"),
        ("https://a,b.example/", "bad_hostname"),
        ("https://\u00ad/", "bad_hostname"),
        ("https://a％2e.example/", "bad_idna"),
        ("https://kubernetes.default.svc.cluster.local/", "special_use_name"),
        ("https://home.arpa/", "special_use_name"),
        ("https://x.localhost/", "special_use_name"),
        ("https://example.com/" + "a" * LONGEST_URL, "too_long"),
        ("https://example.com/" + "é" * 3000, "too_long"),
    ],
)
def test_a_url_that_must_not_be_called_is_refused_for_a_reason(url: str, reason: str) -> None:
    assert reason_for(url) == reason


@pytest.mark.parametrize("url", ["https://locale/", "https://internal/", "https://svc/"])
def test_a_name_of_one_label_is_local(url: str) -> None:
    assert reason_for(url) in {"single_label", "special_use_name"}


@pytest.mark.parametrize(
    "url", ["https://my-local.example/", "https://notlocal.com/", "https://svc.example/"]
)
def test_only_whole_labels_make_a_name_special(url: str) -> None:
    assert reason_for(url) == "allowed"


def test_an_operator_opens_loopback_by_network_and_local_names_by_name() -> None:
    assert reason_for("http://127.0.0.1:8741/") == "loopback"
    assert reason_for("http://127.0.0.1:8741/", LOCAL) == "allowed"
    assert reason_for("http://[::1]:8741/", LOCAL) == "allowed"
    assert reason_for("http://localhost:8741/", LOCAL) == "allowed"
    assert reason_for("http://LOCALHOST.:8741/", LOCAL) == "allowed"
    assert reason_for("http://gitlab.internal/", LOCAL) == "special_use_name"
    assert reason_for("http://127.0.0.1:22/", LOCAL) == "port_not_allowed"


PIECES = [
    *(
        "http://",
        "https://",
        "HTTP://",
        "ftp://",
        "a.example",
        "A.Example.",
        "127.0.0.1",
        "127.1",
        "[::1]",
        "localhost",
    ),
    *(
        ":80",
        ":0443",
        ":",
        "/",
        "//",
        "/.",
        "/..",
        ".",
        "..",
        "/a",
        "?",
        "?b=c",
        "#",
        "%2e",
        "%",
        "@",
        "\\",
        " ",
        "\n",
    ),
    *("é", "{", '"', "|", "^", "~", "'", "a" * (LONGEST_URL - 20), "b" * 10),
]


@given(
    scheme=st.sampled_from(PIECES[:4]), rest=st.lists(st.sampled_from(PIECES) | st.characters(), max_size=8)
)
def test_a_plain_url_is_read_as_any_other(scheme: str, rest: list[str]) -> None:
    def told(url: str) -> Target | str:
        try:
            return check_url(url, LOCAL)
        except Refused as refused:
            return refused.reason_code

    url = "".join((scheme, *rest))
    with patch.object(urls, "_PLAIN", re.compile("(?!)")):
        thoroughly = told(url)

    assert told(url) == thoroughly


@pytest.mark.parametrize("path", ["", "/", "/a/b?c=d", "/%2e", "?a"])
def test_most_urls_are_plain(path: str) -> None:
    with patch.object(urls, "_split", side_effect=AssertionError):
        assert check_url(f"https://hooks.example{path}", NOBODY).host == "hooks.example"


def test_what_one_policy_opens_stays_shut_under_another_one() -> None:
    opened = replace(NOBODY, allow_hosts=frozenset({"gitlab"}))

    judged = [reason_for("http://gitlab/", policy) for policy in (opened, NOBODY, opened, LOCAL)]

    assert judged == ["allowed", "single_label", "allowed", "allowed"]


def test_equal_policies_have_equal_hashes() -> None:
    again = AddressPolicy.parse(["127.0.0.0/8", "::1"], allow_hosts=["gitlab", "localhost"])

    assert (again, hash(again)) == (LOCAL, hash(LOCAL))
    assert hash(replace(again, strict_mixed=False)) != hash(again)


def test_a_literal_is_told_from_a_name() -> None:
    assert check_url("http://[::1]:8741/", LOCAL).is_literal
    assert check_url("http://127.0.0.1./", LOCAL).is_literal
    assert not check_url("http://localhost/", LOCAL).is_literal


def test_a_host_of_a_pool_is_read_like_one_of_a_url() -> None:
    assert host_of("Example.COM.") == "example.com"
    assert str(host_of("::1")) == "::1"
    with pytest.raises(Refused):
        host_of("127.1")


def test_a_refusal_never_repeats_path_query_or_credentials() -> None:
    for url in ("https://user:hunter2@example.com/", "https://localhost/hunter2?token=hunter2"):
        with pytest.raises(Refused) as caught:
            check_url(url, NOBODY)
        assert "hunter2" not in str(caught.value)
