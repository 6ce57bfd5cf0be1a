from __future__ import annotations

import re

import pytest

from hookengine.domain.token import ANYBODY, Scope, Token
from hookengine.guard.tokens import TokenRing, digest_of, new_token

FRESH = new_token()
STORED = Token(id=FRESH.id, name="stored", scopes=frozenset({Scope.EMIT}), digest=FRESH.digest)
CONFIGURED = Token(
    id="", name="of the file", scopes=frozenset({Scope.ADMIN}), digest=digest_of("what_ever it is")
)


@pytest.fixture
def ring() -> TokenRing:
    ring = TokenRing([CONFIGURED])
    ring.know([STORED])
    return ring


def test_a_new_token_says_its_id_and_is_like_no_other() -> None:
    text, token_id, digest = new_token()

    assert re.fullmatch(rf"hke_{token_id}_[a-z2-7]{{52}}", text)
    assert digest == digest_of(text) != new_token().digest


@pytest.mark.parametrize(
    ("authorization", "whose"),
    [
        (f"Bearer {FRESH.text}", STORED),
        (f"bearer  {FRESH.text} ", STORED),
        ("Bearer what_ever it is", CONFIGURED),
        (f"Basic {FRESH.text}", None),
        (FRESH.text, None),
        ("", None),
        ("Bearer ", None),
        (f"Bearer {FRESH.text[:-1]}", None),
        (f"Bearer hke_{FRESH.id}_", None),
        (f"Bearer {FRESH.digest}", None),
        (f"Bearer {new_token().text}", None),
    ],
)
def test_only_the_whole_text_of_a_token_lets_in(
    ring: TokenRing, authorization: str, whose: Token | None
) -> None:
    assert ring.caller(authorization) == whose


def test_a_token_that_is_not_known_any_more_lets_nobody_in(ring: TokenRing) -> None:
    ring.know([])

    assert ring.caller(f"Bearer {FRESH.text}") is None
    assert ring.caller("Bearer what_ever it is") == CONFIGURED


def test_where_no_token_is_asked_for_everybody_is_let_in() -> None:
    assert TokenRing(None).caller("") is ANYBODY


def test_no_configured_token_is_not_the_same_as_asking_for_none() -> None:
    assert TokenRing([]).caller("") is None
