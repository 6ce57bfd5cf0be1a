from __future__ import annotations

import base64
from pathlib import Path

import pytest

from hookengine.app import HookEngine
from hookengine.errors import ConfigError
from tests.acceptance.configs import a_config, a_hook, event, write_config
from tests.acceptance.engines import opened
from tests.unit.engine.targets import Heard, target
from tests.unit.engine.wire.proxies import Tunneller, a_proxy, port_of

pytestmark = pytest.mark.anyio

PUBLIC = "93.184.216.34"


async def test_an_operator_sends_all_requests_through_a_proxy(tmp_path: Path) -> None:
    (tmp_path / "proxy.secret").write_text("operator:open sesame\n")
    heard = Heard()
    async with target(heard) as url, a_proxy(talk := Tunneller(port_of(url))) as proxy:
        delivery = {
            "allow_networks": [],
            "allow_hosts": ["localhost"],
            "proxy": {"url": f"http://{proxy}", "credentials": {"file": "proxy.secret"}},
        }
        hooks = [
            a_hook(f"http://{PUBLIC}/deploys"),
            a_hook(f"http://localhost:{port_of(url)}/", name="inside"),
        ]
        async with opened(tmp_path, a_config(*hooks, delivery=delivery)) as engine:
            answer = await engine.engine.accept(event("completed", 1))
            for hook in answer["hooks"]:
                await engine.ended(hook["delivery"])

    assert [request.line for request in heard.requests] == ["POST /deploys HTTP/1.1"]
    assert talk.asked == [f"{PUBLIC}:80"]
    assert base64.b64encode(b"operator:open sesame").decode() in talk.heads[0]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (None, "secrets.proxy: {folder}/proxy.secret: No such file or directory"),
        ("operator", "must hold user:password"),
    ],
)
async def test_credentials_that_are_none_are_told_at_the_start(
    tmp_path: Path, said: str | None, problem: str
) -> None:
    if said is not None:
        (tmp_path / "proxy.secret").write_text(said)
    proxy = {"url": "http://127.0.0.1:3128", "credentials": {"file": "proxy.secret"}}
    path = write_config(tmp_path, a_config(delivery={"proxy": proxy}))

    with pytest.raises(ConfigError) as caught:
        async with HookEngine.open(path):
            pass

    assert [str(each) for each in caught.value.problems] == [
        f"delivery.proxy.credentials: {problem.format(folder=tmp_path)}"
    ]
