"""Installation tokens of a GitHub App: an hour each, minted when one is needed, kept until shortly before its end."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hookengine.domain.clock import Clock, Millis
from hookengine.guard.vault.failing import SecretMissing
from hookengine.guard.vault.named import NAMED, NamedSecret

EARLY: Final[Millis] = 5 * 60_000
"""A token that ends so soon is not given out any more."""
FRESH: Final = 60.0
"""Seconds in which a token that a host does not accept is not replaced: another one would fare no better."""
PATIENCE: Final = 5.0
"""Seconds in which GitHub is not asked again after it gave none."""
_LIFE = 540  # seconds that a JWT may be used; GitHub allows 600
_SLOW_CLOCK = 60  # seconds that GitHub's clock may be behind ours

Ask = Callable[[str, str, Mapping[str, str]], Awaitable[tuple[int, bytes]]]
"""Method, URL and headers of a request become status and body of its answer. Raises Unanswered."""


class Unanswered(Exception):
    """There was no answer; the text says why and holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppInstallation:
    """An app, and where it is installed: by the installation's id, or found by a `repository` (owner/name)."""

    app_id: str
    installation_id: int | None
    repository: str | None
    api: str  # such as https://api.github.com
    private_key: NamedSecret  # RSA, in PEM


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    value: str = field(repr=False)
    ends: Millis
    minted: float  # by the clock's ticks


class GithubApp:
    """A source of the vault. One request for a token is under way at a time, whoever asks."""

    def __init__(self, app: AppInstallation, hosts: frozenset[str], ask: Ask, clock: Clock) -> None:
        self.hosts = hosts
        self._app = app
        self._ask = ask
        self._clock = clock
        self._installation = app.installation_id
        self._token: _Token | None = None
        self._minting: asyncio.Task[str] | None = None
        self._failed: tuple[float, str] | None = None

    async def check(self, name: str) -> None:
        """Whether its key can be read. Raises SecretMissing."""
        self._key(name)

    async def newest(self, name: str, *, renew: bool = False) -> str:
        """`renew`: the one that was given was not accepted. Raises SecretMissing."""
        token, ticks = self._token, self._clock.ticks()
        lasts = token is not None and self._clock.now() < token.ends - EARLY
        if token is not None and lasts and not (renew and ticks - token.minted >= FRESH):
            return token.value
        if self._minting is None:
            if self._failed is not None and ticks - self._failed[0] < PATIENCE:
                raise SecretMissing(self._failed[1])
            self._minting = asyncio.create_task(self._minted(name), name=f"mint {NAMED}{name}")
            self._minting.add_done_callback(self._is_minted)
        return await asyncio.shield(self._minting)  # whoever goes away leaves it to the others

    def _is_minted(self, task: asyncio.Task[str]) -> None:
        self._minting = None
        error = None if task.cancelled() else task.exception()
        self._failed = (self._clock.ticks(), str(error)) if isinstance(error, SecretMissing) else None

    async def _minted(self, name: str) -> str:
        bearer = {"authorization": f"Bearer {self._jwt(name)}"}
        if self._installation is None:
            found = await self._say(name, "GET", f"/repos/{self._app.repository}/installation", bearer, 200)
            self._installation = _in(name, found, "id", int)
        path = f"/app/installations/{self._installation}/access_tokens"
        made = await self._say(name, "POST", path, bearer, 201)
        ends = _millis(name, _in(name, made, "expires_at", str))
        value: str = _in(name, made, "token", str)
        self._token = _Token(value=value, ends=ends, minted=self._clock.ticks())
        return value

    async def _say(
        self, name: str, method: str, path: str, headers: Mapping[str, str], expected: int
    ) -> dict[str, Any]:
        """Of answers nothing is told but their status: they may hold a token."""
        usual = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}
        try:
            status, body = await self._ask(method, f"{self._app.api}{path}", {**usual, **headers})
        except Unanswered as error:
            raise SecretMissing(f"{NAMED}{name}: GitHub gave no token: {error}") from error
        if status != expected:
            if status == 404:
                self._installation = self._app.installation_id  # it was installed anew, perhaps
            raise SecretMissing(f"{NAMED}{name}: GitHub gave no token: {method} {path} was answered {status}")
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise SecretMissing(f"{NAMED}{name}: GitHub's answer is no JSON object")
        return document

    def _jwt(self, name: str) -> str:
        now = self._clock.now() // 1000
        claims = {"iat": now - _SLOW_CLOCK, "exp": now + _LIFE, "iss": self._app.app_id}
        signed = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}"
        return f"{signed}.{_base64url(self._key(name).sign(signed.encode(), PKCS1v15(), SHA256()))}"

    def _key(self, name: str) -> RSAPrivateKey:
        """In a variable its line ends may be written as \\n."""
        pem = self._app.private_key.value(name).replace("\\n", "\n")
        try:
            key = load_pem_private_key(pem.encode(), password=None)
        except (ValueError, TypeError):  # what caused it may quote the key
            raise SecretMissing(
                f"{NAMED}{name}: its private key is no key in PEM without a password"
            ) from None
        if not isinstance(key, RSAPrivateKey):
            raise SecretMissing(f"{NAMED}{name}: its private key is no RSA key")
        return key


def _in(name: str, document: Mapping[str, Any], key: str, kind: type) -> Any:
    value = document.get(key)
    if not isinstance(value, kind) or not value:
        raise SecretMissing(f"{NAMED}{name}: GitHub's answer has no `{key}`")
    return value


def _millis(name: str, text: str) -> Millis:
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        raise SecretMissing(f"{NAMED}{name}: GitHub's answer has no time in `expires_at`") from None


def _part(claims: Mapping[str, object]) -> str:
    return _base64url(json.dumps(claims).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
