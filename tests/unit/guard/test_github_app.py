from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hookengine.guard.vault import AppInstallation, GithubApp, NamedSecret, SecretMissing
from hookengine.guard.vault.github_app import Unanswered
from tests.conftest import Clock

pytestmark = pytest.mark.anyio

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
FORM = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
PEM = KEY.private_bytes(*FORM).decode()
HOUR = 3600


class GitHub:
    """Gives tokens of an hour to whoever shows a JWT of app 12, or answers what it is told to."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.asked: list[tuple[str, str]] = []
        self.answers: list[tuple[int, Any] | Unanswered] = []
        self.open = asyncio.Event()
        self.open.set()
        self.heard = asyncio.Event()

    async def __call__(self, method: str, url: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        self.asked.append((method, url.removeprefix("https://api.github.com")))
        self.heard.set()
        await self.open.wait()
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Unanswered):
                raise answer
            return answer[0], answer[1] if isinstance(answer[1], bytes) else json.dumps(answer[1]).encode()
        self.check(headers["authorization"].removeprefix("Bearer "))
        if method == "GET":
            return 200, b'{"id": 77}'
        ends = datetime.fromtimestamp(self.clock.now() / 1000 + HOUR, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return 201, json.dumps({"token": f"ghs_{len(self.asked)}", "expires_at": ends}).encode()

    def check(self, jwt: str) -> None:
        signed, _, signature = jwt.rpartition(".")
        KEY.public_key().verify(decoded(signature), signed.encode(), padding.PKCS1v15(), SHA256())
        head, claims = (json.loads(decoded(part)) for part in signed.split("."))
        now = self.clock.now() // 1000
        assert head == {"alg": "RS256", "typ": "JWT"}
        assert claims["iss"] == "12"
        assert claims["iat"] <= now - 30
        assert now < claims["exp"] <= now + 600


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.fixture
def github(clock: Clock) -> GitHub:
    return GitHub(clock)


def app(github: GitHub, pem: str = PEM, **changes: Any) -> GithubApp:
    values: dict[str, Any] = {
        "app_id": "12",
        "installation_id": 7,
        "repository": None,
        "api": "https://api.github.com",
        "private_key": NamedSecret(env="PEM", environ={"PEM": pem}),
    }
    installation = AppInstallation(**{**values, **changes})
    return GithubApp(installation, frozenset({"api.github.com"}), github, github.clock)


async def test_a_token_is_minted_once_and_again_five_minutes_before_its_end(
    github: GitHub, clock: Clock
) -> None:
    source = app(github)

    first = await source.newest("github")
    clock.advance(seconds=HOUR - 301)
    second = await source.newest("github")
    clock.advance(seconds=2)
    third = await source.newest("github")

    assert (first, second, third) == ("ghs_1", "ghs_1", "ghs_2")
    assert github.asked == [("POST", "/app/installations/7/access_tokens")] * 2


async def test_whoever_asks_meanwhile_gets_the_same_token(github: GitHub) -> None:
    source = app(github)
    github.open.clear()
    asking = [asyncio.create_task(source.newest("github")) for _ in range(20)]
    await github.heard.wait()
    asking[0].cancel()
    await asyncio.gather(asking[0], return_exceptions=True)
    github.open.set()

    assert set(await asyncio.gather(*asking[1:])) == {"ghs_1"}
    assert len(github.asked) == 1


async def test_the_installation_is_found_once_by_a_repository(github: GitHub, clock: Clock) -> None:
    source = app(github, installation_id=None, repository="acme/shop")

    await source.newest("github")
    clock.advance(seconds=HOUR)
    await source.newest("github")

    token = "POST", "/app/installations/77/access_tokens"
    assert github.asked == [("GET", "/repos/acme/shop/installation"), token, token]


async def test_an_installation_that_is_gone_is_looked_for_anew(github: GitHub, clock: Clock) -> None:
    source = app(github, installation_id=None, repository="acme/shop")
    github.answers = [(200, {"id": 5}), (404, {})]

    with pytest.raises(SecretMissing, match="was answered 404"):
        await source.newest("github")
    clock.advance(seconds=6)
    await source.newest("github")

    assert github.asked[-1] == ("POST", "/app/installations/77/access_tokens")


async def test_a_token_that_was_not_accepted_is_renewed_unless_it_is_fresh(
    github: GitHub, clock: Clock
) -> None:
    source = app(github)
    await source.newest("github")

    fresh = await source.newest("github", renew=True)
    clock.advance(seconds=61)
    renewed = await source.newest("github", renew=True)
    kept = await source.newest("github")

    assert (fresh, renewed, kept) == ("ghs_1", "ghs_2", "ghs_2")


@pytest.mark.parametrize(
    "answer",
    [
        Unanswered("ConnectTimeout"),
        (401, {"token": "ghs_canary"}),
        (201, b"ghs_canary {"),
        (201, ["ghs_canary"]),
        (201, {"expires_at": "2026-01-01T00:00:00Z"}),
        (201, {"token": "ghs_canary", "expires_at": "soon"}),
        (201, {"token": 7, "expires_at": "2026-01-01T00:00:00Z"}),
    ],
)
async def test_without_a_token_it_is_told_why_and_asked_again_a_little_later(
    github: GitHub, clock: Clock, answer: Any
) -> None:
    source = app(github)
    github.answers = [answer]

    for _ in range(3):
        with pytest.raises(SecretMissing, match=r"secrets\.github: GitHub") as missing:
            await source.newest("github")
        assert "canary" not in str(missing.value)
    assert len(github.asked) == 1
    clock.advance(seconds=6)

    assert await source.newest("github") == "ghs_2"


async def test_a_key_in_a_variable_may_have_its_line_ends_written_out(github: GitHub) -> None:
    assert await app(github, PEM.replace("\n", "\\n")).newest("github") == "ghs_1"


@pytest.mark.parametrize(
    "pem", ["k3y-canary", PEM[:-40], ed25519.Ed25519PrivateKey.generate().private_bytes(*FORM).decode()]
)
async def test_what_is_no_rsa_key_is_told_before_anybody_is_asked(github: GitHub, pem: str) -> None:
    source = app(github, pem)

    for ask in (source.check, source.newest):
        with pytest.raises(SecretMissing, match="private key") as missing:
            await ask("github")
        assert pem.splitlines()[-1] not in str(missing.value)
    assert github.asked == []


async def test_it_tells_no_token_and_no_key_of_itself(github: GitHub) -> None:
    source = app(github)
    await source.newest("github")

    assert "ghs_" not in repr(vars(source))
    assert PEM[40:60] not in repr(vars(source))
