"""Microseconds, the best median of nine rounds, of what secrets and signatures add to one delivery.

python bench/sealing.py
"""

from __future__ import annotations

import asyncio
import base64
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from rendering import median

from hookengine.domain.clock import SystemClock
from hookengine.domain.hook import Hook, Signing, SigningScheme
from hookengine.domain.request import RenderedRequest, SecretRef
from hookengine.domain.secret import Kept, StoredSecret
from hookengine.engine.binding import Binder
from hookengine.guard.key_file import new_key_file, open_ring
from hookengine.guard.keys import KeyRing
from hookengine.guard.signing import new_signing_secret, signature_headers
from hookengine.guard.vault import ContextSecrets, NamedSecret, Shelf, Source, Vault

BODY = b'{"state":"success","context":"ci/build","target_url":"https://app.example/actions/42"}' * 4
TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"  # noqa: S105  of nobody's
ED25519 = f"whsk_{base64.b64encode(os.urandom(32)).decode()}"
ROUNDS = 2_000


def show(what: str, microseconds: float) -> None:
    print(f"{what:58} {microseconds:7.2f}")


def request(*secrets: str) -> RenderedRequest:
    headers = tuple((f"x-{number}", ("Bearer ", SecretRef(name))) for number, name in enumerate(secrets))
    return RenderedRequest(
        method="POST",
        url="https://api.example/hooks",
        headers=(("content-type", ("application/json",)), *headers),
        body=(BODY.decode(),),
    )


def hook(signing: Signing | None = None) -> Hook:
    return Hook(
        id="h", revision=1, name="h", target_url="https://api.example", events=("a.b",), signing=signing
    )


def signing() -> None:
    for what, secrets in (
        ("v1", [new_signing_secret()]),
        ("v1, two secrets", [new_signing_secret(), new_signing_secret()]),
        ("v1a (ed25519)", [ED25519]),
    ):

        def sign(secrets: list[str] = secrets) -> object:
            return signature_headers(SigningScheme.STANDARD, secrets, "dlv_1", 1_795_000_000, BODY)

        show(f"sign {len(BODY)} bytes: {what}", best(sign))


def sealing(ring: KeyRing) -> None:
    sealed = ring.seal(TOKEN, "1|token")
    show("seal a token", best(lambda: ring.seal(TOKEN, "1|token")))
    show("open a token", best(lambda: ring.open(sealed, "1|token")))


async def binding(ring: KeyRing) -> None:
    """From the rendered request to headers and body."""
    hosts = ("api.example",)
    kept = {
        "key": Kept(ring.seal(new_signing_secret(), "secret||key"), hosts),
        "stored": Kept(ring.seal(TOKEN, "secret||stored"), hosts),
    }

    async def of_context(pipeline_id: int, path: str) -> str | None:
        return None

    async def find(owner: str, name: str) -> Kept | None:
        return kept[name]

    shelf = Shelf(ring, find)
    shelf.know(StoredSecret(owner="", name=name, hosts=hosts, updated_at=0) for name in kept)
    named: dict[str, Source] = {
        "named": NamedSecret(env="TOKEN", hosts=frozenset({"api.example"}), environ={"TOKEN": TOKEN})
    }
    binder = Binder(Vault(named, ContextSecrets(ring, of_context), shelf), SystemClock())
    signed = hook(Signing(secrets=("key",)))
    for what, asked, wanting in (
        ("nothing", request(), hook()),
        ("a secret of the environment", request("secrets.named"), hook()),
        ("a stored secret", request("secrets.stored"), hook()),
        ("a signature (v1, its secret stored)", request(), signed),
    ):
        headers = (("webhook-id", "dlv_1"),)
        binding = partial(binder.bind, asked, asked.secrets, "api.example", headers, wanting)
        show(f"bind a request to {what}", await best_of(binding))


def best(call: Callable[[], object]) -> float:
    return min(median(call, ROUNDS) for _ in range(9))


async def best_of(call: Callable[[], Awaitable[object]]) -> float:
    """As `best`."""
    medians = []
    for _ in range(9):
        taken = []
        for _ in range(ROUNDS):
            started = time.perf_counter_ns()
            await call()
            taken.append(time.perf_counter_ns() - started)
        medians.append(statistics.median(taken) / 1000)
    return min(medians)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hookengine.key"
        new_key_file(path)
        ring = open_ring(path)
        signing()
        sealing(ring)
        asyncio.run(binding(ring))


if __name__ == "__main__":
    main()
