"""The API of a server, over HTTP.

By the standard library: it is imported in a tenth of the time of httpx, and a command asks one or two things.
"""

from __future__ import annotations

import re
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import SplitResult, urlsplit

from hookengine import __version__
from hookengine.cli.client import Answer
from hookengine.cli.failing import Misused, Unreachable

CONNECT_TIMEOUT: Final = 5.0  # seconds
READ_TIMEOUT: Final = 30.0  # seconds between two pieces of an answer


class Server:
    """No proxy is used and no redirect followed: the token goes where it was told to, and nowhere else."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """Raises Misused."""
        self.name = self.server = url.rstrip("/")
        self._address = _address(self.server)
        self._headers = {"user-agent": f"hookengine-cli/{__version__}", "accept": "application/json"}
        if token:
            if not re.fullmatch(r"[\x21-\x7e]+", token):
                raise Misused("the token must be of visible ASCII characters")
            self._headers["authorization"] = f"Bearer {token}"

    def ask(self, method: str, path: str, body: bytes | None) -> Answer:
        headers = self._headers if body is None else {**self._headers, "content-type": "application/json"}
        connection = self._connection()
        try:
            connection.connect()
            connection.sock.settimeout(READ_TIMEOUT)
            connection.request(method, self._address.path + path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read())
        except OSError as error:
            raise self.unreachable(error.strerror or str(error) or type(error).__name__) from error
        except HTTPException as error:
            raise self.unreachable(f"it does not speak HTTP: {type(error).__name__}") from error
        finally:
            connection.close()

    def unreachable(self, reason: str) -> Unreachable:
        hint = "start one with `hookengine serve`, or name it with --server or HOOKENGINE_SERVER"
        return Unreachable([f"no hookengine at {self.name}: {reason}", hint])

    def _connection(self) -> HTTPConnection:
        host, port = self._address.hostname or "", self._address.port
        if self._address.scheme == "http":
            return HTTPConnection(host, port, timeout=CONNECT_TIMEOUT)
        from ssl import create_default_context

        return HTTPSConnection(host, port, timeout=CONNECT_TIMEOUT, context=create_default_context())


def _address(url: str) -> SplitResult:
    """Raises Misused."""
    hint = "one is such as http://127.0.0.1:8730"
    try:
        address = urlsplit(url)
        known = address.scheme in ("http", "https") and address.hostname and address.port != 0
    except ValueError as error:
        raise Misused([f"{url} is no server's address: {error}", hint]) from error
    if not known or "@" in address.netloc or address.query or address.fragment:
        raise Misused([f"{url} is no server's address", hint])
    return address
