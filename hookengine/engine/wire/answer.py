"""Reading answers off a connection: one for each request, and no more of it than is bounded."""

from __future__ import annotations

import httptools

from hookengine.engine.wire.exchange import Exchange
from hookengine.engine.wire.failures import GARBAGE, SWITCHED, TOO_LARGE, Broken, of_answer

LARGEST_HEAD = 32 * 1024  # bytes of an answer before its body, interim answers included
READ_AT_LEAST = 16 * 1024  # bytes of a body, however few are kept: what has ended can serve again
_BEGINNING = b"HTTP/1."


class AnswerReader:
    """Fills exchanges in, one after another. Nothing is ever decompressed."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._exchange: Exchange | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._body_bytes = 0
        self._in_body = False  # the head of the final answer is complete
        self._strange: Broken | None = None  # a head that is none of HTTP/1.1, or not for us
        self.complete = False
        self.full = False  # as much of the body has come as is read
        self.keeps_alive = False  # once complete: another request may follow

    def begin(self, exchange: Exchange) -> None:
        """The answer before it was complete."""
        self._exchange = exchange
        self._headers = []
        self._head_bytes = self._body_bytes = 0
        self._in_body = self.complete = self.full = self.keeps_alive = False
        self._strange = None

    def feed(self, data: bytes) -> Broken | None:
        """What is wrong with the answer, if something is. What comes after its end is not part of it."""
        try:
            return self._parse_body(data) if self._in_body else self._parse_head(data)
        except httptools.HttpParserUpgrade:
            return Broken(*SWITCHED)
        except httptools.HttpParserError as error:
            self.keeps_alive = False
            return None if self.complete else self._strange or of_answer(error)

    def _parse_head(self, data: bytes) -> Broken | None:
        if not self._head_bytes and not _BEGINNING.startswith(data[: len(_BEGINNING)]):
            return Broken(*GARBAGE)
        room = LARGEST_HEAD - self._head_bytes
        self._head_bytes += len(data)
        self._parser.feed_data(data[:room] if len(data) > room else data)
        if self._strange is None and len(data) > room:
            return self._parse_body(data[room:])
        return self._strange

    def _parse_body(self, data: bytes) -> Broken | None:
        """In pieces: of a long stretch of tiny chunks, most need not be looked at."""
        if not self._in_body:
            return Broken(*TOO_LARGE)
        for start in range(0, len(data), READ_AT_LEAST):
            if not self.full:
                self._parser.feed_data(data[start : start + READ_AT_LEAST])
        return None

    # What the parser tells

    def on_message_begin(self) -> None:
        if self.complete:
            self.keeps_alive = False  # more than was asked for

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body:  # else it is a trailer
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 100:
            self._strange = Broken(*GARBAGE)
        elif status == 101:
            self._strange = Broken(*SWITCHED)
        elif status < 200:
            self._headers = []
        elif self._exchange is not None and not self.complete:
            self._exchange.headers = self._headers
            self._exchange.status = status
            self._in_body = True

    def on_body(self, body: bytes) -> None:
        exchange = self._exchange
        if exchange is None or self.complete or self.full:
            return
        room = exchange.excerpt - len(exchange.body)
        exchange.body += body[:room]
        exchange.cut = exchange.cut or len(body) > room
        self._body_bytes += len(body)
        self.full = self._body_bytes >= max(exchange.excerpt, READ_AT_LEAST)

    def on_message_complete(self) -> None:
        if self._in_body and not self.complete:
            self.complete, self.keeps_alive = True, self._parser.should_keep_alive()
