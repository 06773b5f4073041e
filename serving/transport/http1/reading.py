"""Requests as they come in: httptools parses the bytes, and calls back with the parts."""

from typing import Any, Protocol

import httptools

from serving.transport.http1.message import Answer, Application, Exchange, HttpLimits, Request
from serving.transport.http1.wire import TEXT, path_of

_MOST_HEADERS = 256
# So much of a body that is not wanted is read, for the client to get to see why; then the connection ends.
_DROPPED_BYTES = 64 << 20


class RequestError(Exception):
    """What came is no request, and nothing that follows it can be read."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Taker(Protocol):
    """Whom the requests are for."""

    def begun(self) -> None:
        """A request has begun."""

    def asked_to_continue(self, exchange: Exchange) -> None:
        """The client sends the body when it is told `100 Continue`."""

    def received(self, exchange: Exchange) -> None:
        """A request is whole, or as much of it as is wanted."""


class RequestReader:
    """Puts the requests of one connection together.

    Args:
        application: is asked for the answers that need no body.
        limits: what the client may send.
        taker: gets the requests.

    Attributes:
        peer: the client's address.
        receiving: the request whose body is coming in.
        in_head: whether it is the headers that are coming in.
        ended: whether no request is read any more.
    """

    def __init__(self, application: Application, limits: HttpLimits, taker: Taker) -> None:
        self._application = application
        self._limits = limits
        self._taker = taker
        self._parser: Any = httptools.HttpRequestParser(self)
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self.peer = ""
        self.receiving: Exchange | None = None
        self.in_head = False
        self.ended = False

    def feed(self, data: bytes) -> None:
        """Takes what has come.

        Raises:
            RequestError: if it is no HTTP/1.1, or has too many headers.
        """
        continued = self.in_head
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # no other protocol is spoken here: the request was answered as it is, and is the last
        except httptools.HttpParserError as error:
            raise RequestError(400, f"the request is not HTTP/1.1: {error}") from None
        if continued and self.in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.head_bytes:
                raise RequestError(431, "the headers are too large")

    def end(self) -> None:
        """Reads nothing more, and forgets what had begun to come."""
        self.ended = True
        self.in_head, self.receiving = False, None

    def on_message_begin(self) -> None:
        """See httptools."""
        self._target = b""
        self._headers = []
        self._head_bytes = 0
        self.in_head = True
        self._taker.begun()

    def on_url(self, url: bytes) -> None:
        """See httptools. A long target comes in parts."""
        self._target += url
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools."""
        self._headers.append((name.lower(), value))
        self._head_bytes += len(name) + len(value)

    def on_headers_complete(self) -> None:
        """See httptools."""
        self.in_head = False
        if self.ended:
            return
        parser = self._parser
        request = Request(
            parser.get_method().decode("latin-1"), path_of(self._target), self._headers, self.peer
        )
        goes_on = parser.should_keep_alive() and not parser.should_upgrade()
        exchange = self.receiving = Exchange(request, goes_on, is_old=parser.get_http_version() == "1.0")
        if self._head_bytes > self._limits.head_bytes or len(self._headers) > _MOST_HEADERS:
            exchange.answer = Answer(431, b"the headers are too large", TEXT)
            self._cut(exchange)
            return
        length = request.header(b"content-length")
        request.oversized = length.isdigit() and int(length) > self._limits.body_bytes
        exchange.answer = self._application.answer_at_once(request)
        if request.header(b"expect").lower() == b"100-continue" and not exchange.is_old:
            if exchange.answer or request.oversized:
                self._cut(exchange)  # whether the body comes all the same cannot be known
            else:
                self._taker.asked_to_continue(exchange)

    def on_body(self, data: bytes) -> None:
        """See httptools."""
        exchange = self.receiving
        if exchange is None:
            return
        exchange.size += len(data)
        if exchange.size > self._limits.body_bytes:
            exchange.request.oversized = True
        if exchange.answer is None and not exchange.request.oversized:
            exchange.parts.append(data)
            return
        exchange.parts.clear()
        if exchange.size > self._limits.body_bytes + _DROPPED_BYTES:
            self._cut(exchange)

    def on_message_complete(self) -> None:
        """See httptools."""
        exchange, self.receiving = self.receiving, None
        if exchange is None:
            return
        parts = exchange.parts
        exchange.request.body = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self.ended = not exchange.keep_alive
        self._taker.received(exchange)

    def _cut(self, exchange: Exchange) -> None:
        """Hands on a request whose body is still to come and will not be read: the connection ends with it."""
        exchange.keep_alive = False
        exchange.is_cut = True
        self.on_message_complete()
