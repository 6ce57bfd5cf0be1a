from __future__ import annotations

import socket

import pytest

from tests.acceptance.conftest import StartServer, a_config, a_hook, event

PRIVATE = ("127.0.0.1", "[::1]", "0.0.0.0", "169.254.169.254", "10.0.0.1", "localhost", "metadata.internal")


def test_private_addresses_are_not_called_unless_the_operator_opens_them(start_server: StartServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as canary:
        port = canary.getsockname()[1]
        hooks = [a_hook(f"http://{host}:{port}/", name=host) for host in PRIVATE]
        server = start_server(a_config(*hooks, delivery={"allow_networks": []}))

        (answer,) = server.accept(event("started", 1))
        server.wait_for_rest()

        canary.setblocking(False)
        with pytest.raises(BlockingIOError):
            canary.accept()
    deliveries = [server.delivery(hook["delivery"]) for hook in answer["hooks"]]
    assert len(deliveries) == len(PRIVATE)
    for delivery in deliveries:
        (attempt,) = delivery["attempts"]
        assert delivery["status"] == "failed"
        assert (attempt["outcome"], attempt["certainty"]) == ("Blocked", "unsent")
        assert delivery["because"].startswith("blocked: ")
