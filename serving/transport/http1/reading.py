"""Reads requests: httptools parses the bytes, and calls back with the parts."""

from typing import Any, Protocol

import httptools

from serving.transport.http1.message import Answer, Application, Exchange, HttpLimits, Request
from serving.transport.http1.wire import TEXT, overfull, path_of
from serving.transport.inflight import Account

#: A larger body is not joined: that would hold the event loop.
_LARGE = 1 << 20
_MOST_HEADERS = 256
_FEW_DIGITS = 5  # of a length for which there may be no room
#: What asks for another protocol, of which HTTP/2 is the only one that clients really ask for.
_UPGRADING = (b"connection", b"upgrade", b"http2-settings")
# This much of an unwanted body is read, so that the client sees the answer; then the connection is closed.
_DROPPED_BYTES = 64 << 20


class RequestError(Exception):
    """The received data is not a valid request, and nothing that follows it can be parsed."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Taker(Protocol):
    """The receiver of requests."""

    def begun(self) -> None:
        """Called when a request begins."""

    def asked_to_continue(self, exchange: Exchange) -> None:
        """Called when the client waits for `100 Continue` before it sends the body."""

    def received(self, exchange: Exchange) -> None:
        """Called when a request is complete, or when the rest of it will not be read."""


class RequestReader:
    """Assembles the requests of one connection.

    Args:
        application: gives the answers that need no body.
        limits: the client's limits.
        account: what the connection holds.
        taker: receives the requests.

    Attributes:
        peer: the client's address.
        receiving: the request whose body is being received.
        in_head: whether headers are being received.
        ended: whether no more requests are read.
    """

    def __init__(self, application: Application, limits: HttpLimits, account: Account, taker: Taker) -> None:
        self._application = application
        self._limits = limits
        self._account = account
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
        """Parse received data.

        Raises:
            RequestError: the data is not HTTP/1.1, or the headers are too large.
        """
        continued = self.in_head
        rest = memoryview(data)
        try:
            while rest:
                try:
                    self._parser.feed_data(rest)
                    break
                except httptools.HttpParserUpgrade as upgrade:
                    if self.ended:
                        break
                    rest = rest[upgrade.args[0] :]
                    self._ignore_upgrade()
        except httptools.HttpParserError as error:
            raise RequestError(400, f"the request is not HTTP/1.1: {error}") from None
        if continued and self.in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.head_bytes:
                raise RequestError(431, "the headers are too large")

    def _ignore_upgrade(self) -> None:
        """Read the head of a request that asks for another protocol as if it did not (RFC 9110, section 7.8).

        The parser drops the body of such a request, so it gets the head once more, without what asks.
        """
        method, version = self._parser.get_method(), self._parser.get_http_version().encode()
        kept = [(name, value) for name, value in self._headers if name not in _UPGRADING]
        if any(name == b"connection" and b"close" in value.lower() for name, value in self._headers):
            kept.append((b"connection", b"close"))
        lines = [
            b"%s %s HTTP/%s" % (method, self._target, version),
            *(b"%s: %s" % header for header in kept),
        ]
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(b"\r\n".join(lines) + b"\r\n\r\n")

    def end(self) -> None:
        """Stop reading, and drop an incomplete request."""
        self.ended = True
        if self.receiving:
            self._drop(self.receiving)
        self.in_head, self.receiving = False, None

    def on_message_begin(self) -> None:
        """See httptools."""
        self._target = b""
        self._headers = []
        self._head_bytes = 0
        self.in_head = True
        self._taker.begun()

    def on_url(self, url: bytes) -> None:
        """See httptools. A long target arrives in parts."""
        self._target += url
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools."""
        self._headers.append((name.lower(), value))
        self._head_bytes += len(name) + len(value)

    def on_headers_complete(self) -> None:
        """See httptools."""
        self.in_head = False
        parser = self._parser
        if self.ended or (parser.should_upgrade() and parser.get_method() != b"CONNECT"):
            return
        request = Request(
            parser.get_method().decode("latin-1"), path_of(self._target), self._headers, self.peer
        )
        goes_on = parser.should_keep_alive() and not parser.should_upgrade()
        exchange = self.receiving = Exchange(request, goes_on, is_old=parser.get_http_version() == "1.0")
        hosts = sum(name == b"host" for name, _ in self._headers)
        if hosts > 1 or (hosts == 0 and not exchange.is_old):
            # RFC 9112, section 3.2: a proxy in front may have gone by another one than we would.
            exchange.answer = Answer(400, b"the request must have one Host header", TEXT)
            self._cut(exchange)
            return
        if self._head_bytes > self._limits.head_bytes or len(self._headers) > _MOST_HEADERS:
            exchange.answer = Answer(431, b"the headers are too large", TEXT)
            self._cut(exchange)
            return
        length = request.header(b"content-length")
        request.oversized = length.isdigit() and int(length) > self._limits.body_bytes
        exchange.answer = self._application.answer_at_once(request)
        if (
            len(length) > _FEW_DIGITS
            and exchange.answer is None
            and length.isdigit()
            and not request.oversized
            and not self._account.fits(int(length))
        ):
            exchange.answer = overfull()
        if request.header(b"expect").lower() == b"100-continue" and not exchange.is_old:
            if exchange.answer or request.oversized:
                self._cut(exchange)  # the client may or may not still send the body
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
            if self._account.take(len(data)):
                exchange.held += len(data)
                exchange.parts.append(data)
                return
            exchange.answer = overfull()
        self._drop(exchange)
        if exchange.size > self._limits.body_bytes + _DROPPED_BYTES:
            self._cut(exchange)

    def on_message_complete(self) -> None:
        """See httptools."""
        exchange, self.receiving = self.receiving, None
        if exchange is None:
            return
        parts, exchange.parts = exchange.parts, []
        if exchange.size > _LARGE and not exchange.request.oversized:
            exchange.request.body = parts
        else:
            exchange.request.body = parts[0] if len(parts) == 1 else b"".join(parts)
        self.ended = not exchange.keep_alive
        self._taker.received(exchange)

    def _drop(self, exchange: Exchange) -> None:
        """Let go of what has been received of a body."""
        exchange.parts.clear()
        self._account.give(exchange.held)
        exchange.held = 0

    def _cut(self, exchange: Exchange) -> None:
        """Pass on a request without reading the rest of its body; the connection is closed after it."""
        exchange.keep_alive = False
        exchange.is_cut = True
        self.on_message_complete()
