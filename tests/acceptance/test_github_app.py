"""Statuses written with the tokens of a GitHub App, minted by a stand-in of GitHub on a socket."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.acceptance.configs import a_config, event
from tests.acceptance.engines import FAR, opened
from tests.acceptance.hosts import GITHUB
from tests.unit.engine.targets import Request, read_request, target

pytestmark = pytest.mark.anyio

MINTING = "/app/installations/7/access_tokens"


class GitHub:
    """Accepts the newest token only; `revoke` makes it forget that one. Tells what it was sent."""

    def __init__(self) -> None:
        self.minted = 0
        self.valid = ""
        self.requests: list[Request] = []

    def revoke(self) -> None:
        self.valid = ""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (request := await read_request(reader)) is not None:
            self.requests.append(request)
            status, document = self._answer(request)
            body = json.dumps(document).encode()
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            await writer.drain()

    def _answer(self, request: Request) -> tuple[int, object]:
        given = dict(request.headers)
        sent = next(value for name, value in given.items() if name.lower() == "authorization")
        if MINTING in request.line:
            self.minted += 1
            self.valid = f"ghs_token_number_{self.minted}"
            ends = datetime.fromtimestamp(FAR / 1000 + 3600, UTC).isoformat()
            return 201, {"token": self.valid, "expires_at": ends}
        accepted = self.valid and sent == f"Bearer {self.valid}"
        return (201 if accepted else 401), {"you sent": sent}


def config(address: str, key: Path) -> dict[str, object]:
    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    key.write_bytes(pem)
    hook = GITHUB.preset_hook(address)
    hook["with"]["token"] = "{{ secrets.app }}"
    said = a_config(hook)
    said["secrets"]["app"] = {
        "kind": "github_app",
        "app_id": 12,
        "installation_id": 7,
        "private_key": {"file": str(key)},
        "api": address,
    }
    return said


async def test_statuses_are_written_with_tokens_that_are_minted_and_renewed(tmp_path: Path) -> None:
    github = GitHub()
    async with target(github) as url:
        address = url.removesuffix("/statuses")
        async with opened(tmp_path, config(address, tmp_path / "app.pem")) as engine:
            both = [
                (await engine.accept(event("completed", 1)))[0],
                (await engine.accept(event("completed", 2)))[0],
            ]
            delivered = [await engine.ended(delivery) for delivery in both]
            github.revoke()
            engine.clock.advance(seconds=120)
            (again,) = await engine.accept(event("completed", 3))
            renewed = await engine.ended(again)
    database = (tmp_path / "hookengine.db").read_bytes()  # its log went in when it was closed

    assert [delivery["status"] for delivery in (*delivered, renewed)] == ["delivered"] * 3
    assert [len(delivery["attempts"]) for delivery in (*delivered, renewed)] == [1, 1, 2]
    first, second = renewed["attempts"]
    assert (first["detail"]["status"], first["verdict"]) == (401, "try_again")
    assert "its credential has been renewed" in first["because"]
    assert second["detail"]["status"] == 201
    assert github.minted == 2
    assert b"ghs_token_number" not in database
    assert "[secret]" in str(first["detail"])


async def test_a_token_that_is_refused_although_it_is_new_is_tried_once_only(tmp_path: Path) -> None:
    github = GitHub()
    async with target(github) as url:
        address = url.removesuffix("/statuses")
        async with opened(tmp_path, config(address, tmp_path / "app.pem")) as engine:
            await engine.ended((await engine.accept(event("completed", 1)))[0])
            engine.clock.advance(seconds=120)
            github._answer = lambda request: (  # type: ignore[method-assign]
                GitHub._answer(github, request) if MINTING in request.line else (401, {})
            )
            (refused,) = await engine.accept(event("completed", 2))
            ended = await engine.ended(refused)

    assert ended["status"] == "failed"
    assert len(ended["attempts"]) == 2
    assert github.minted == 2
