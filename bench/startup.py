"""What commands cost before they do anything: CPU of the whole process, from its start to the answer of a server.

The server is a socket here that answers every request with an empty list.
"""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from figures import say, show

ROUNDS: Final = 15
ANSWER: Final = b'{"items": [], "next": null}'
COMMANDS: Final[tuple[tuple[str, ...], ...]] = (
    (),
    ("version",),
    ("deliveries", "list"),
    ("hooks", "list"),
    ("emit", "action.started", "--pipeline", "1", "--action", "1", "-o", "json"),
    ("deliveries", "list", "-o", "yaml"),
)


@contextmanager
def answering() -> Iterator[str]:
    """The address of the server."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(ANSWER)}\r\nconnection: close\r\n\r\n"
                connection.sendall(head.encode() + ANSWER)

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


def cpu_of(arguments: tuple[str, ...], environ: dict[str, str]) -> float:
    """Milliseconds, in user and system mode together."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(arguments, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def main() -> None:
    rows = []
    with answering() as url:
        environ = {**os.environ, "HOOKENGINE_SERVER": url}
        for words in COMMANDS:
            arguments = ("-m", "hookengine", *words) if words else ("-c", "pass")
            runs = sorted(cpu_of((sys.executable, *arguments), environ) for _ in range(ROUNDS))
            name = " ".join(("hookengine", *words)) if words else "python"
            say(name)
            rows.append((f"`{name}`", f"{runs[0]:.0f}", f"{runs[len(runs) // 2]:.0f}"))
    show(f"Starting, CPU in ms, {ROUNDS} runs", ("command", "least", "median"), rows)


if __name__ == "__main__":
    main()
