"""What the fence costs one delivery, beside the same work without it: microseconds, the best of nine medians.

python bench/fence.py
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment
from jinja2.sandbox import ImmutableSandboxedEnvironment
from rendering import CONTEXT, HOOK, median

from hookengine.domain.hook import SigningScheme
from hookengine.domain.request import Hole, SecretRef
from hookengine.engine.preparing import prepare
from hookengine.guard.address import AddressPolicy
from hookengine.guard.key_file import new_key_file, open_ring
from hookengine.guard.permissions import Permissions
from hookengine.guard.signing import new_signing_secret, signature_headers
from hookengine.guard.url import check_url
from hookengine.guard.vault import fill

TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"  # noqa: S105  of nobody's
OPEN: dict[str, Any] = {"environment": {}, **json.loads(json.dumps(CONTEXT, default=lambda value: TOKEN))}
"""The context as stock Jinja needs it: its token in the open, and something where a default is asked for."""


def without(environment: Environment) -> Callable[[], bytes]:
    """Stock Jinja, a compiled template for each text, the body put together by `json.dumps`."""
    url = environment.from_string(HOOK.target_url.replace(" | path", ""))
    headers = [(name, environment.from_string(value)) for name, value in HOOK.headers]
    leaves = {name: environment.from_string(value) for name, value in HOOK.body.items()}

    def render() -> bytes:
        body = json.dumps({name: leaf.render(OPEN) for name, leaf in leaves.items()}).encode()
        return _bytes(url.render(OPEN), [(name, value.render(OPEN)) for name, value in headers], body)

    return render


def _token(hole: Hole) -> str:
    assert isinstance(hole, SecretRef), "nothing is captured here"
    return fill(hole, {hole.name: TOKEN})


def within() -> Callable[[], bytes]:
    """The engine's own way to the same bytes: rendered, judged, and the secret put in."""
    prepared = prepare(HOOK, Permissions(addresses=AddressPolicy.parse()))

    def render() -> bytes:
        request = prepared.render(CONTEXT).request
        headers, body = request.filled(_token)
        return _bytes(request.url, headers, body)

    return render


def _bytes(url: str, headers: Any, body: bytes) -> bytes:
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    return f"POST {url} HTTP/1.1\r\n{lines}\r\n".encode() + body


def best(call: Callable[[], object]) -> float:
    return min(median(call, 2_000) for _ in range(9))


def show(what: str, microseconds: float) -> None:
    print(f"{what:64} {microseconds:7.2f}")


def main() -> None:
    show("without: stock Jinja, a template for each text", best(without(Environment())))  # noqa: S701  no HTML
    show("without: the same in Jinja's own sandbox", best(without(ImmutableSandboxedEnvironment())))
    show("with: rendered into fixed shapes, judged, the secret put in", best(within()))
    prepared, policy = prepare(HOOK), AddressPolicy.parse()
    request = prepared.render(CONTEXT).request
    show("  of that, the request as it is stored", best(lambda: prepared.render(CONTEXT)))
    show("judging the URL once more when it is sent", best(lambda: check_url(request.url, policy)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hookengine.key"
        new_key_file(path)
        ring = open_ring(path)
    sealed = ring.seal(TOKEN, "1|token")
    show("a token that comes with an event: sealed", best(lambda: ring.seal(TOKEN, "1|token")))
    show("  and opened", best(lambda: ring.open(sealed, "1|token")))
    body = request.filled(_token)[1]
    secrets = [new_signing_secret()]
    show(
        "a signature (Standard Webhooks, v1); without: none",
        best(lambda: signature_headers(SigningScheme.STANDARD, secrets, "dlv_1", 1_795_000_000, body)),
    )


if __name__ == "__main__":
    main()
