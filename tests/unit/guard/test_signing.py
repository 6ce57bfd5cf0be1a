from __future__ import annotations

import pytest

from hookengine.guard.signing import verify_hmac

# https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
SECRET, BODY = "It's a Secret to Everybody", b"Hello, World!"
DIGEST = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


@pytest.mark.parametrize(
    "signature",
    [f"sha256={DIGEST}", DIGEST, DIGEST.upper(), f"  sha256={DIGEST}\n", f"sha256={DIGEST.upper()}"],
)
def test_the_digest_of_the_body_is_taken_with_and_without_its_prefix(signature: str) -> None:
    assert verify_hmac(SECRET, BODY, signature)


@pytest.mark.parametrize(
    "signature",
    ["", "sha256=", f"sha1={DIGEST}", DIGEST[:-1], DIGEST[:-1] + "8", f"{DIGEST}00", "ſ" * 64, "é"],
)
def test_anything_else_is_not(signature: str) -> None:
    assert not verify_hmac(SECRET, BODY, signature)


def test_another_body_or_secret_has_another_digest() -> None:
    assert not verify_hmac(SECRET, BODY + b"\n", DIGEST)
    assert not verify_hmac("another", BODY, DIGEST)
