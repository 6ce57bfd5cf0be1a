from __future__ import annotations

from pathlib import Path

import pytest

from hookengine.app import HookEngine
from hookengine.engine.signals import DELIVERY_ENDED, Facts, Signals

CONFIG = """
secrets: {insecure_plaintext: true}
pipelines:
  - id: 1
    name: shop-deploy
    hooks:
      - name: missing
        target_url: "https://target.example/{{ action.sha }}"
        trigger_when: {events: [action.started]}
"""


@pytest.mark.anyio
async def test_a_delivery_that_cannot_be_rendered_is_announced_once(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    ended: list[Facts] = []
    signals = Signals()
    signals.listen(lambda name, facts: ended.append(facts) if name == DELIVERY_ENDED else None)
    event = {"id": "evt_1", "type": "action.started", "action": {"id": 7, "pipeline": 1}}

    async with HookEngine.open(config, signals=signals, deliver=False) as engine:
        answer = await engine.accept(event)
        await engine.accept(event)

    (hook,) = answer["hooks"]
    assert ended == [{"delivery": hook["delivery"], "status": "failed", "because": hook["problem"]}]
    assert "sha" in hook["problem"]
