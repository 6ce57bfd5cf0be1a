"""What commands ask the API, wherever it is, and what they tell when the answer is no success."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, NoReturn, Protocol
from urllib.parse import quote, urlencode

from hookengine.cli.failing import AnswerIsNo, NotAuthorised, Unreachable

_WHOLE_LIST = 500


class Answer(NamedTuple):
    status: int
    body: bytes


class Place(Protocol):
    """Where the API is: behind a server's address, or over a database in this process."""

    @property
    def name(self) -> str: ...

    @property
    def server(self) -> str:
        """The address under which others reach it."""
        ...

    def ask(self, method: str, path: str, body: bytes | None) -> Answer:
        """`path` with its query. Raises Failure if there is no answer."""
        ...

    def unreachable(self, reason: str) -> Unreachable: ...


class Client:
    """Whatever is not a success ends the command with a `Failure`."""

    def __init__(self, place: Place) -> None:
        self.place = place

    @property
    def server(self) -> str:
        return self.place.server

    def get(self, path: str, params: Mapping[str, Any] | None = None, *, identity: str = "") -> Any:
        """`identity` is put where the path says {}."""
        chosen = {name: value for name, value in (params or {}).items() if value is not None}
        query = f"?{urlencode(chosen, doseq=True)}" if chosen else ""
        return self.send("GET", path, identity=identity, query=query)[1]

    def all(self, path: str) -> list[dict[str, Any]]:
        """A list, with all its pages."""
        items: list[dict[str, Any]] = []
        after = None
        while True:
            page = self.get(path, {"limit": _WHOLE_LIST, "after": after})
            items += page["items"]
            after = page["next"]
            if after is None:
                return items

    def post(self, path: str, body: bytes, *, identity: str = "") -> tuple[int, Any]:
        """Status and answer."""
        return self.send("POST", path, body, identity=identity)

    def send(
        self, method: str, path: str, body: bytes | None = None, *, identity: str = "", query: str = ""
    ) -> tuple[int, Any]:
        """Status and answer; None is the answer if it has no content."""
        answer = self._success(method, path.format(quote(identity, safe="")) + query, body)
        if answer.status == 204:
            return answer.status, None
        try:
            return answer.status, json.loads(answer.body)
        except ValueError:
            raise self._stranger(answer) from None

    def text(self, path: str) -> str:
        """For what is no JSON."""
        return self._success("GET", path, None).body.decode()

    def _success(self, method: str, path: str, body: bytes | None) -> Answer:
        answer = self.place.ask(method, path, body)
        if not 200 <= answer.status < 300:
            self._refuse(answer)
        return answer

    def _refuse(self, answer: Answer) -> NoReturn:
        try:
            said = json.loads(answer.body)
        except ValueError:
            said = None
        if not isinstance(said, dict) or "message" not in said:
            raise self._stranger(answer)
        if answer.status >= 500:
            raise Unreachable(f"{self.place.name} failed: {said['message']}")
        if answer.status == 401:
            hint = "give one with --token-file FILE or HOOKENGINE_TOKEN"
            raise NotAuthorised([f"{self.place.name} does not accept the token", hint])
        raise (NotAuthorised if answer.status == 403 else AnswerIsNo)(_told(said))

    def _stranger(self, answer: Answer) -> Unreachable:
        return self.place.unreachable(f"it answers {answer.status}, but not as hookengine does")


def _told(answer: Mapping[str, Any]) -> Iterator[str]:
    yield str(answer["message"])
    for field, messages in (answer.get("errors") or {}).items():
        for message in messages:
            yield f"  {field}: {message}"
