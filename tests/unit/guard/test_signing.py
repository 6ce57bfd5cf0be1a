from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from hookengine.domain.hook import SigningScheme
from hookengine.guard.signing import UnfitSecret, new_signing_secret, signature_headers, verify_hmac

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


# What goes out

NEW, OLD = (f"whsec_{base64.b64encode(bytes([number]) * 32).decode()}" for number in (1, 2))
ED25519 = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def signed(*secrets: str, body: bytes = b"{}", at: int | None = None) -> dict[str, str]:
    timestamp = at or round(datetime.now(UTC).timestamp())
    return dict(signature_headers(SigningScheme.STANDARD, secrets, "dlv_1", timestamp, body))


def verify(secret: str, headers: dict[str, str], body: bytes = b"{}", message_id: str = "dlv_1") -> None:
    """With the package of Standard Webhooks. Raises WebhookVerificationError."""
    Webhook(secret).verify(body.decode(), {"webhook-id": message_id, **headers})


def test_the_vector_of_standard_webhooks_is_met() -> None:
    # https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'

    headers = dict(
        signature_headers(SigningScheme.STANDARD, [secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    )

    assert headers == {
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@given(st.dictionaries(st.text(), st.text() | st.integers(), max_size=4), st.binary(min_size=24, max_size=64))
def test_an_independent_verifier_accepts_every_signature(document: dict[str, object], key: bytes) -> None:
    secret, body = (
        f"whsec_{base64.b64encode(key).decode()}",
        json.dumps(document, ensure_ascii=False).encode(),
    )

    verify(secret, signed(secret, body=body), body)


def test_while_a_secret_is_replaced_receivers_with_either_accept_it() -> None:
    headers = signed(NEW, OLD)

    for secret in (NEW, OLD, NEW.removeprefix("whsec_")):
        verify(secret, headers)
    with pytest.raises(WebhookVerificationError):
        verify(new_signing_secret(), headers)


@pytest.mark.parametrize("changed", [{"body": b"{} "}, {"message_id": "dlv_2"}])
def test_another_body_or_id_is_not_what_was_signed(changed: dict[str, object]) -> None:
    with pytest.raises(WebhookVerificationError):
        verify(NEW, signed(NEW), **changed)  # type: ignore[arg-type]


def test_an_old_attempts_signature_is_too_old() -> None:
    with pytest.raises(WebhookVerificationError, match="too old"):
        verify(NEW, signed(NEW, at=1_700_000_000))


@pytest.mark.parametrize(
    "raw",
    [ED25519.private_bytes_raw(), ED25519.private_bytes_raw() + ED25519.public_key().public_bytes_raw()],
)
def test_an_ed25519_secret_signs_with_v1a(raw: bytes) -> None:
    secret = f"whsk_{base64.b64encode(raw).decode()}"

    both, timestamp = signed(secret, NEW, at=5)["webhook-signature"].split(), b"5"
    version, _, signature = both[0].partition(",")

    assert (version, both[1][:3]) == ("v1a", "v1,")
    ED25519.public_key().verify(base64.b64decode(signature), b"dlv_1." + timestamp + b".{}")
    with pytest.raises(InvalidSignature):
        ED25519.public_key().verify(base64.b64decode(signature), b"dlv_1.6.{}")


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_not base64",
        f"whsec_{base64.b64encode(bytes(23)).decode()}",
        f"whsec_{base64.b64encode(bytes(65)).decode()}",
        f"whsec_{base64.urlsafe_b64encode(bytes([255]) * 32).decode()}",
        f"whsec_-{base64.b64encode(bytes(32)).decode()}",
        f"whsk_{base64.b64encode(bytes(31)).decode()}",
        f"whsk_{base64.b64encode(bytes(64)).decode()}",
    ],
)
def test_a_secret_that_is_no_key_is_refused_without_telling_it(secret: str) -> None:
    with pytest.raises(UnfitSecret) as refused:
        signed(secret)

    assert len(secret) < 7 or secret[6:] not in str(refused.value)


def test_a_new_secret_is_of_256_random_bits() -> None:
    one, other = new_signing_secret(), new_signing_secret()

    assert one != other
    assert len(base64.b64decode(one.removeprefix("whsec_"))) == 32


def test_github_style_is_the_digest_of_the_body() -> None:
    headers = signature_headers(SigningScheme.GITHUB, [SECRET], "dlv_1", 5, BODY)

    assert headers == [("x-hub-signature-256", f"sha256={DIGEST}")]
