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
        ("Bearer {text}", STORED),
        ("bearer  {text} ", STORED),
        ("Bearer what_ever it is", CONFIGURED),
        ("Basic {text}", None),
        ("{text}", None),
        ("", None),
        ("Bearer ", None),
        ("Bearer {cut}", None),
        ("Bearer hke_{id}_", None),
        ("Bearer {digest}", None),
        ("Bearer {other}", None),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "name", "nobody"),
)
def test_only_the_whole_text_of_a_token_lets_in(
    ring: TokenRing, authorization: str, whose: Token | None
) -> None:
    text, token_id, digest = FRESH
    given = authorization.format(text=text, cut=text[:-1], id=token_id, digest=digest, other=new_token().text)

    assert ring.caller(given) == whose


def test_a_token_that_is_not_known_any_more_lets_nobody_in(ring: TokenRing) -> None:
    ring.know([])

    assert ring.caller(f"Bearer {FRESH.text}") is None
    assert ring.caller("Bearer what_ever it is") == CONFIGURED


def test_where_no_token_is_asked_for_everybody_is_let_in() -> None:
    assert TokenRing(None).caller("") is ANYBODY


def test_no_configured_token_is_not_the_same_as_asking_for_none() -> None:
    assert TokenRing([]).caller("") is None
