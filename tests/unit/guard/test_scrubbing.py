from __future__ import annotations

import base64
import time
import tracemalloc
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookengine.domain.request import SecretRef
from hookengine.guard.vault import fill, scrub


def test_a_hole_is_filled_in_the_form_it_asks_for() -> None:
    values = {"secrets.host": "t0ken"}

    plain = fill(SecretRef("secrets.host"), values)
    basic = fill(SecretRef("secrets.host", "base64", "bot:"), values)

    assert plain == "t0ken"
    assert base64.b64decode(basic) == b"bot:t0ken"


def test_short_values_are_not_scrubbed_for_they_stand_everywhere() -> None:
    assert scrub("a test", ["test"]) == "a test"


def test_a_secret_that_contains_another_is_scrubbed_whole() -> None:
    assert scrub("x abcdefgh x", ["abcdef", "abcdefgh"]) == "x [secret] x"


def test_a_text_that_was_cut_loses_the_beginning_of_a_secret_at_its_end() -> None:
    assert scrub("sent abcdefg", ["abcdefgh"], cut=True) == "sent [secret]"
    assert scrub("sent abcdefg", ["abcdefgh"]) == "sent abcdefg"
    assert scrub("sent ab", ["abcdefgh"], cut=True) == "sent ab"
    assert scrub("nothing", [], cut=True) == "nothing"


@given(st.integers(4, 199), st.sampled_from([str, lambda secret: quote(secret, safe="")]))
def test_wherever_a_long_secret_is_cut_nothing_of_it_is_left(shown: int, spelt: Callable[[str], str]) -> None:
    """Before it stands a beginning that ends too soon to be it."""
    secret = "".join(f"/{number:03}" for number in range(50))
    text = f"{secret[:10]} sent {spelt(secret)[:shown]}"

    assert scrub(text, [secret], cut=True) == f"{secret[:10]} sent [secret]"


@pytest.mark.parametrize("letters", ["ab", "a"])
def test_long_secrets_and_long_answers_hold_nobody_up(letters: str) -> None:
    """In a quarter of a second of CPU, to be safe on busy machines: it is a tenth of that."""
    secret = (letters * 65_536)[:65_536]
    answer = "a" * 262_143 + "c"
    began = time.process_time()

    scrub(answer, [secret], cut=True)

    assert time.process_time() - began < 0.25


def test_long_secrets_leave_nothing_behind_in_memory() -> None:
    secrets = [f"{number:06}" * 10_000 for number in range(10)]
    tracemalloc.start()
    try:
        for secret in secrets:
            scrub("sent", [secret], cut=True)
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert left < 100_000


SECRETS = ["abcdef", "abcdefgh", "defabc", "fgh&abc", "x" * 30]


@given(
    st.lists(st.sampled_from(SECRETS), max_size=4),
    st.lists(st.sampled_from([*SECRETS, "abc", "gh", "%26", "[secret]"]), max_size=4),
)
def test_what_cannot_stand_in_a_text_makes_no_difference_to_it(secrets: list[str], parts: list[str]) -> None:
    text = "".join(parts)
    forms = {form for secret in secrets for form in (secret, quote(secret, safe=""), secret.encode().hex())}
    expected = text
    for form in sorted(forms, key=len, reverse=True):
        expected = expected.replace(form, "[secret]")

    assert scrub(text, secrets) == expected


@pytest.mark.parametrize("spelt", [bytes.hex, lambda plain: plain.hex().upper()])
def test_a_secret_in_hex_is_scrubbed(spelt: object) -> None:
    assert scrub(f"sent {spelt(b's3cret-token')}.", ["s3cret-token"]) == "sent [secret]."


@pytest.mark.parametrize(
    "spelt",
    [
        pytest.param("P%26ss%2Fw%2B%3C1%3E%27%22%21", id="percent-encoded"),
        pytest.param("P%26ss%2fw%2b%3c1%3e%27%22%21", id="percent-encoded in small letters"),
        pytest.param("P%26ss%2Fw%2B%3C1%3E'%22!", id="by encodeURIComponent"),
        pytest.param("P&ss/w+<1>'\\\"!", id="JSON"),
        pytest.param("P&ss\\/w+<1>'\\\"!", id="JSON of PHP"),
        pytest.param("P\\u0026ss/w+\\u003c1\\u003e'\\\"!", id="JSON of Go"),
        pytest.param("P\\u0026ss/w\\u002B\\u003C1\\u003E\\u0027\\u0022!", id="JSON of .NET"),
    ],
)
def test_a_secret_is_scrubbed_in_the_spellings_of_targets(spelt: str) -> None:
    assert scrub(f"sent {spelt}.", ["P&ss/w+<1>'\"!"]) == "sent [secret]."


def test_a_secret_in_the_base64_of_urls_is_scrubbed() -> None:
    secret = "a>>?b>>?c>>?"

    alone = base64.urlsafe_b64encode(secret.encode()).decode()
    inside = base64.urlsafe_b64encode(f"x{secret}y".encode()).decode()

    assert {"-", "_"} <= {*alone, *inside}
    assert scrub(f"sent {alone}.", [secret]) == "sent [secret]."
    assert "[secret]" in scrub(inside, [secret])


@given(st.binary(max_size=20), st.text(min_size=12, max_size=40), st.binary(max_size=20))
def test_nothing_of_a_secret_is_left_in_base64_of_a_longer_text(
    before: bytes, secret: str, after: bytes
) -> None:
    encoded = base64.b64encode(before + secret.encode() + after).decode()

    left = scrub(encoded, [secret])

    assert "[secret]" in left
    assert len(left) - len("[secret]") <= -(-len(before) // 3) * 4 + -(-len(after) // 3) * 4 + 8
