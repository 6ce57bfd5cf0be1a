from __future__ import annotations

import pytest

from hookengine.guard.integration_key import (
    DIGEST,
    SHORTEST,
    UnfitKey,
    digest_of_chosen_key,
    digest_of_key,
    new_integration_key,
)


def test_a_new_key_is_long_plain_and_never_the_same() -> None:
    keys = {new_integration_key() for _ in range(100)}

    assert len(keys) == 100
    assert all(len(key) == 44 and key.isascii() and key.startswith("hki_") for key in keys)


def test_a_key_is_known_by_its_digest_which_does_not_hold_it() -> None:
    key = new_integration_key()

    assert digest_of_key(key) == digest_of_key(key) != digest_of_key(key + "x")
    assert DIGEST.fullmatch(digest_of_key(key))
    assert key not in digest_of_key(key)


def test_text_that_is_no_utf8_has_a_digest_too() -> None:
    assert DIGEST.fullmatch(digest_of_key("\ud800"))


@pytest.mark.parametrize("key", ["", "short", "x" * (SHORTEST - 1)])
def test_a_key_that_could_be_guessed_is_refused(key: str) -> None:
    with pytest.raises(UnfitKey, match="at least 20 characters"):
        digest_of_chosen_key(key)


def test_a_key_that_somebody_has_made_up_may_be_of_the_least_length() -> None:
    assert digest_of_chosen_key("x" * SHORTEST) == digest_of_key("x" * SHORTEST)
