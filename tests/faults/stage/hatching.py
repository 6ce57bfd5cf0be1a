"""The program of a hatchery: `python -m tests.faults.stage.hatching FD`.

It imports the engine and runs it once, which takes a second or two, and from then on forks nodes that serve
after a tenth of that. What it is told comes as lines of JSON over the socket FD, with the file that a node
writes its output to; it answers with the node's id, and with its exit code when it has ended. With the socket
end all nodes.
"""

from __future__ import annotations

import asyncio
import json
import os
import selectors
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

ALWAYS_ARMED = "hatchery.never:raise"
"""Orders under which fail-points are imported here, so that a node can be given its own later."""
LATE = ("uvicorn.lifespan.off", "uvicorn.protocols.http.auto", "hookengine.store.postgres")
"""What nodes import only when they need it."""


class Hatchery:
    """One thread; a node is forked from where nothing else is under way."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._nodes: set[int] = set()
        self._told = b""
        self._files: list[int] = []
        self._bell, ringing = os.pipe()
        os.set_blocking(self._bell, False)
        os.set_blocking(ringing, False)
        signal.set_wakeup_fd(ringing)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def attend(self) -> dict[str, Any] | None:
        """Returns in each node what it is to do, and here None in the end."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ)
            selector.register(self._bell, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._bell in ready:
                    self._bury()
                if self._channel in ready and (order := self._listen()) is not None:
                    if not order:
                        return None
                    output = self._files.pop(0)
                    if (node := os.fork()) == 0:
                        return {**order, "output": output}
                    os.close(output)
                    self._nodes.add(node)
                    self._say(node=node)

    def close(self) -> None:
        for node in self._nodes:
            with suppress(ProcessLookupError):
                os.kill(node, signal.SIGKILL)

    def leave(self) -> None:
        """In a node: what is here is none of its business."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._channel.close()

    def _listen(self) -> dict[str, Any] | None:
        """An order; an empty one is the last, and None is only a part of one."""
        data, files, _, _ = socket.recv_fds(self._channel, 1 << 16, 8)
        self._files += files
        self._told += data
        line, end, rest = self._told.partition(b"\n")
        if not data:
            return {}
        if not end:
            return None
        self._told = rest
        order: dict[str, Any] = json.loads(line)
        return order

    def _say(self, **told: int) -> None:
        self._channel.sendall(json.dumps(told).encode() + b"\n")

    def _bury(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._bell, 512):
                pass
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                node, status = ended
                self._nodes.discard(node)
                self._say(node=node, code=os.waitstatus_to_exitcode(status))


def become_a_node(order: Mapping[str, Any]) -> None:
    """Ends the process as `hookengine ARGUMENTS` would."""
    for stream in (1, 2):
        os.dup2(order["output"], stream)
    os.close(order["output"])
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environ"])
    _arm(order["environ"].get("HOOKENGINE_FAILPOINTS", ""))
    for name, value in order["haste"].items():
        _hasten(name, value)
    sys.argv = ["hookengine", *order["arguments"]]
    import_module("hookengine.cli.main").main()


def _arm(text: str) -> None:
    failpoints = import_module("hookengine.failpoints")
    failpoints.reach.__self__.orders = failpoints.parse(text).orders


def _hasten(name: str, value: object) -> None:
    """Set `module:Class.attribute`, which must be there."""
    module, _, path = name.partition(":")
    *owners, last = path.split(".")
    owner: Any = import_module(module)
    for step in owners:
        owner = getattr(owner, step)
    getattr(owner, last)
    setattr(owner, last, value)


def _practise() -> None:
    """Whatever is made at the first use is made here."""
    for name in LATE:
        import_module(name)
    serving = import_module("hookengine.cli.serving")
    engine = import_module("hookengine.app").HookEngine

    async def open_once(config: Any) -> None:
        async with engine.open(config, environ={}) as opened:
            opened.web()

    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text('{"auth": {"enabled": false}, "secrets": {"insecure_plaintext": true}}', "utf-8")
        asyncio.run(open_once(serving.read_config(config, {})))
    if threading.active_count() > 1:
        raise RuntimeError(f"nothing can be forked beside {threading.enumerate()}")


def main(file: int) -> None:
    os.environ["HOOKENGINE_FAILPOINTS"] = ALWAYS_ARMED
    _practise()
    hatchery = Hatchery(socket.socket(fileno=file))
    order = hatchery.attend()
    if order is None:
        hatchery.close()
        os._exit(0)  # to take down everything that was imported takes a second
    hatchery.leave()
    become_a_node(order)


if __name__ == "__main__":
    main(int(sys.argv[1]))
