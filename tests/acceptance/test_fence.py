from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hookengine.config import read_config
from hookengine.errors import ConfigError
from tests.acceptance.configs import a_config, a_hook, event, write_config
from tests.acceptance.engines import opened

PRIVATE = ("127.0.0.1", "[::1]", "0.0.0.0", "169.254.169.254", "10.0.0.1", "localhost", "metadata.internal")


def test_a_file_with_private_targets_is_refused_and_says_where(tmp_path: Path) -> None:
    hooks = [a_hook(f"http://{host}/", name=host) for host in PRIVATE]
    path = write_config(tmp_path, a_config(*hooks, delivery={"allow_networks": []}))

    with pytest.raises(ConfigError) as caught:
        read_config(path, {})

    told = [str(problem).partition(": pipelines") for problem in caught.value.problems]
    assert [rest.partition(": ")[0] for _, _, rest in told] == [
        f"[0].hooks[{number}].target_url" for number in range(len(PRIVATE))
    ]
    assert all(place.startswith(f"{path}:") for place, _, _ in told)


@pytest.mark.anyio
async def test_private_addresses_are_not_called_for_hooks_from_before_they_were_closed(
    tmp_path: Path,
) -> None:
    hosts = ("127.0.0.1", "[::1]", "10.0.0.1", "localhost", "metadata.internal")
    opening = {"allow_networks": ["127.0.0.0/8", "::1", "10.0.0.0/8"], "allow_hosts": list(hosts[3:])}
    with socket.create_server(("127.0.0.1", 0)) as canary:
        port = canary.getsockname()[1]
        hooks = [a_hook(f"http://{host}:{port}/", name=host) for host in hosts]
        async with opened(tmp_path, a_config(*hooks, delivery=opening), deliver=False) as engine:
            before = await engine.accept(event("started", 1))
        async with opened(tmp_path, a_config(delivery={"allow_networks": []}), apply=False) as engine:
            after = await engine.accept(event("completed", 1))
            earlier = [await engine.ended(delivery) for delivery in before]
            later = [await engine.delivery(delivery) for delivery in after]

        canary.setblocking(False)
        with pytest.raises(BlockingIOError):
            canary.accept()
    assert {delivery["status"] for delivery in (*earlier, *later)} == {"failed"}
    assert [delivery["because"].startswith("blocked: ") for delivery in earlier] == [True] * len(hosts)
    assert ["target_url, line 1, column 1: " in delivery["because"] for delivery in later] == [True] * len(
        hosts
    )
