"""All HTTP of the command line: one request, its answer, and what to tell when there is none."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn
from urllib.parse import quote

# httpx has a command line of its own, which takes longer to import than all the rest of it; without, it does without.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None: it is not to be found

import httpx  # noqa: E402

from hookengine import __version__  # noqa: E402
from hookengine.cli.failing import AnswerIsNo, Misused, NotAuthorised, Unreachable  # noqa: E402

_PATIENCE = httpx.Timeout(30.0, connect=5.0)


class Client:
    """Talks to one server. Whatever is not a success ends the command with a `Failure`."""

    def __init__(self, server: str, token: str | None = None) -> None:
        self._server = server.rstrip("/")
        self._headers = {"user-agent": f"hookengine-cli/{__version__}", "accept": "application/json"}
        if token:
            if not re.fullmatch(r"[\x21-\x7e]+", token):
                raise Misused("the token must be of visible ASCII characters")
            self._headers["authorization"] = f"Bearer {token}"

    @property
    def server(self) -> str:
        return self._server

    def get(self, path: str, params: Mapping[str, Any] | None = None, *, identity: str = "") -> Any:
        """`identity` is put where the path says {}."""
        chosen = {name: value for name, value in (params or {}).items() if value is not None}
        return self._ask("GET", path.format(quote(identity, safe="")), params=chosen)[1]

    def post(self, path: str, body: bytes, *, identity: str = "") -> tuple[int, Any]:
        """Status and answer."""
        place = path.format(quote(identity, safe=""))
        return self._ask("POST", place, content=body, headers={"content-type": "application/json"})

    def text(self, path: str) -> str:
        """For what is no JSON."""
        return self._response("GET", path).text

    def _ask(self, method: str, path: str, **request: Any) -> tuple[int, Any]:
        response = self._response(method, path, **request)
        answer = _json(response)
        if answer is None and response.status_code != 204:
            raise self._unreachable(f"it answers {response.status_code}, but not as hookengine does")
        return response.status_code, answer

    def _response(self, method: str, path: str, **request: Any) -> httpx.Response:
        """A success."""
        try:
            response = self._send(method, path, **request)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            said = f"{self._server} is no server's address: {error}"
            raise Misused([said, "one is such as http://127.0.0.1:8730"]) from error
        except httpx.HTTPError as error:
            raise self._unreachable(_reason(error)) from error
        if not response.is_success:
            self._refuse(response)
        return response

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        with httpx.Client(headers=self._headers, timeout=_PATIENCE, trust_env=False) as client:
            return client.request(method, self._server + path, **request)

    def _refuse(self, response: httpx.Response) -> NoReturn:
        status, answer = response.status_code, _json(response)
        if not isinstance(answer, dict) or "message" not in answer:
            raise self._unreachable(f"it answers {status}, but not as hookengine does")
        if status >= 500:
            raise Unreachable([f"{self._server} failed: {answer['message']}"])
        if status == 401:
            hint = "give one with --token-file FILE or HOOKENGINE_TOKEN"
            raise NotAuthorised([f"{self._server} does not accept the token", hint])
        raise (NotAuthorised if status == 403 else AnswerIsNo)(_told(answer))

    def _unreachable(self, reason: str) -> Unreachable:
        hint = "start one with `hookengine serve`, or name it with --server or HOOKENGINE_SERVER"
        return Unreachable([f"no hookengine at {self._server}: {reason}", hint])


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _reason(error: httpx.HTTPError) -> str:
    return re.sub(r"^\[Errno -?[0-9]+\] ", "", str(error)) or type(error).__name__


def _told(answer: Mapping[str, Any]) -> Iterator[str]:
    yield str(answer["message"])
    for field, messages in (answer.get("errors") or {}).items():
        for message in messages:
            yield f"  {field}: {message}"
