"""The engine behind HTTP, as a process of its own."""

from __future__ import annotations

import gc
from enum import StrEnum

from hookengine.app.engine import HookEngine
from hookengine.config import Settings
from hookengine.engine.signals import SECRET_MISSING, SERVER_LISTENING, Signals
from hookengine.manifest import Manifest
from hookengine.web.server import answering, listening, told_to_stop

YOUNG_OBJECTS = 100_000  # made since the last look, until the collector looks at them


class Role(StrEnum):
    ALL = "all"  #: accept events and deliver what they owe
    API = "api"  #: accept events; other nodes deliver
    WORKER = "worker"  #: deliver; of HTTP only /healthz, /readyz and /metrics


async def serve(
    settings: Settings, manifest: Manifest, signals: Signals, *, role: Role = Role.ALL, apply: bool = True
) -> None:
    """Answer HTTP and deliver until SIGINT or SIGTERM. Raises ConfigError when the address is taken."""
    with listening(settings.server.host, settings.server.port) as listener:
        deliver = role is not Role.API
        async with HookEngine.open(
            (settings, manifest), signals=signals, deliver=deliver, apply=apply
        ) as engine:
            host, port = listener.getsockname()[:2]
            url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            settle_down()
            async with answering(engine.web(api=role is not Role.WORKER), listener):
                for because in await engine.parts.vault.missing():
                    signals.announce(SECRET_MISSING, because=because)
                signals.announce(SERVER_LISTENING, url=url, incoming=_urls(engine))
                await told_to_stop()


def settle_down() -> None:
    """For a process that is an engine and little else, once it is open.

    What was made so far stays: the collector need not look at it again, nor at every few hundred new objects,
    nearly all of which are freed without it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)


def _urls(engine: HookEngine) -> list[str]:
    return [f"/hooks/{hook.id}/trigger" for hook in engine.parts.catalogue.incoming_hooks]
