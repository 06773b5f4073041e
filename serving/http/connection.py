"""An HTTP/1.1 connection: httptools parses, requests are answered one after the other, in the order they came.

It is a protocol of asyncio and not an ASGI server because what a request costs here is what a small model costs:
`docs/serving.md` has the comparison. The application sees whole requests; a client that goes away cancels its call.
The module is long because what the parser, the transport and the answers do to one state is best read in one place.
"""

import asyncio
import logging
from collections import deque
from typing import Any

import httptools

from serving.http.listener import Listener, peer_name
from serving.http.message import Answer, Application, Exchange, HttpLimits, Request
from serving.http.wire import CLOSE, CONTINUE, KEEP_ALIVE, TEXT, path_of, response_head

log = logging.getLogger("slipway.server")

_MOST_HEADERS = 256
# So much of a body that is not wanted is read, for the client to get to see why; then the connection ends.
_DROPPED_BYTES = 64 << 20
_LINGER_SECONDS = 2.0
_BYTES_PER_SECOND = 1024


class HttpConnection(asyncio.Protocol):
    """One client's connection.

    Args:
        application: what answers.
        limits: what the client may do.
        listener: where the connection came by.
    """

    def __init__(self, application: Application, limits: HttpLimits, listener: Listener) -> None:
        self._application = application
        self._limits = limits
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: Any = None
        self._peer = ""
        self._since = self._loop.time()  # when what is going on now began
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._in_head = False
        self._receiving: Exchange | None = None
        self._waiting: deque[Exchange] = deque()  # whole, and not yet their turn
        self._task: asyncio.Task[None] | None = None  # answers the one whose turn it is
        self._answering: Exchange | None = None
        self._last = False  # no request is read any more
        self._draining = False
        self._lingering = False
        self._stalled_since = 0.0  # when the client stopped to take what is written
        self._written = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = transport
        self._peer = peer_name(transport)
        self._listener.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio. Nobody waits for an answer any more."""
        self._listener.closed(self)
        self._last = True
        self._receiving = None
        self._waiting.clear()
        if self._answering and self._task:
            self._answering.request.abandoned = True
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if self._last:
            return
        continued = self._in_head
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # no other protocol is spoken here: the request was answered as it is, and is the last
        except httptools.HttpParserError as error:
            if not self._last:
                self._refuse(400, f"the request is not HTTP/1.1: {error}")
            return
        if continued and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.head_bytes:
                self._refuse(431, "the headers are too large")
        if self._waiting:
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """See asyncio. A client that takes no answers is not read from either."""
        self._stalled_since = self._loop.time()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """See asyncio."""
        self._stalled_since = 0.0
        self._next()

    def check(self, now: float) -> None:
        """See `Connection`."""
        limits = self._limits
        took = now - self._since
        if self._lingering:
            if took > _LINGER_SECONDS:
                self.abort()
        elif self._stalled_since:
            if now - self._stalled_since > limits.slow_seconds + self._written / _BYTES_PER_SECOND:
                self.abort()
        elif self._answering or self._waiting:
            return
        elif self._receiving or self._in_head:
            size = self._receiving.size if self._receiving else 0
            if took > limits.slow_seconds + size / _BYTES_PER_SECOND:
                self._refuse(408, "the request took too long to come in")
        elif took > limits.idle_seconds:
            self._transport.close()

    def drain(self) -> None:
        """See `Connection`."""
        self._draining = True
        if not (self._answering or self._waiting or self._receiving or self._in_head):
            self._transport.close()

    def abort(self) -> None:
        """See `Connection`."""
        self._transport.abort()

    def on_message_begin(self) -> None:
        """See httptools."""
        self._target = b""
        self._headers = []
        self._head_bytes = 0
        self._in_head = True
        if self._answering is None:
            self._since = self._loop.time()

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
        self._in_head = False
        if self._last:
            return
        parser = self._parser
        request = Request(
            parser.get_method().decode("latin-1"), path_of(self._target), self._headers, self._peer
        )
        goes_on = parser.should_keep_alive() and not parser.should_upgrade()
        exchange = self._receiving = Exchange(request, goes_on, is_old=parser.get_http_version() == "1.0")
        if self._head_bytes > self._limits.head_bytes or len(self._headers) > _MOST_HEADERS:
            exchange.answer = Answer(431, b"the headers are too large", TEXT)
            self._end_early(exchange)
            return
        length = request.header(b"content-length")
        request.oversized = length.isdigit() and int(length) > self._limits.body_bytes
        exchange.answer = self._application.answer_at_once(request)
        if request.header(b"expect").lower() == b"100-continue" and not exchange.is_old:
            if exchange.answer or request.oversized:
                self._end_early(exchange)  # whether the body comes all the same cannot be known
            elif self._answering:
                exchange.awaits_continue = True
            else:
                self._transport.write(CONTINUE)

    def on_body(self, data: bytes) -> None:
        """See httptools."""
        exchange = self._receiving
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
            self._end_early(exchange)

    def on_message_complete(self) -> None:
        """See httptools."""
        exchange, self._receiving = self._receiving, None
        if exchange is None:
            return
        parts = exchange.parts
        exchange.request.body = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self._last = not exchange.keep_alive
        if self._answering is None and not self._waiting and not self._stalled_since:
            self._begin(exchange)
        else:
            self._waiting.append(exchange)

    def _end_early(self, exchange: Exchange) -> None:
        """Answers a request whose body is still to come and will not be read: the connection ends with it."""
        exchange.keep_alive = False
        self._lingering = True
        self.on_message_complete()

    def _refuse(self, status: int, why: str) -> None:
        """Answers what is no request; nothing that follows it can be read either."""
        self._last = self._lingering = True
        self._in_head, self._receiving = False, None
        refusal = Answer(status, why.encode("utf-8", "replace"), TEXT)
        self._waiting.append(Exchange(Request("", "", [], self._peer), keep_alive=False, answer=refusal))
        self._next()

    def _begin(self, exchange: Exchange) -> None:
        if exchange.answer is not None:
            self._write(exchange, exchange.answer)
            return
        self._answering = exchange
        self._task = self._loop.create_task(self._answer(exchange))

    async def _answer(self, exchange: Exchange) -> None:
        try:
            answer = await self._application.answer(exchange.request)
        except Exception:
            log.exception("a fault of the server, on %s", exchange.request.path)
            answer = Answer(500)
        self._answering = self._task = None
        self._write(exchange, answer)
        if self._waiting or self._receiving:
            self._next()

    def _next(self) -> None:
        """Answers what waits, and reads on when nothing does."""
        while self._waiting and self._answering is None and not self._stalled_since:
            self._begin(self._waiting.popleft())
        if self._waiting or self._stalled_since or self._transport.is_closing():
            return
        if self._receiving and self._receiving.awaits_continue and self._answering is None:
            self._receiving.awaits_continue = False
            self._transport.write(CONTINUE)
        self._transport.resume_reading()

    def _write(self, exchange: Exchange, answer: Answer) -> None:
        if self._transport.is_closing():
            return
        self._since = self._loop.time()
        self._written = len(answer.body)
        keep_alive = exchange.keep_alive and not (self._draining and not self._waiting)
        head = response_head(answer, (KEEP_ALIVE if exchange.is_old else b"") if keep_alive else CLOSE)
        self._transport.write(head if exchange.request.method == "HEAD" else head + answer.body)
        if keep_alive:
            return
        self._last = True
        self._waiting.clear()
        if self._lingering and self._transport.can_write_eof():
            # Closing now would reset the connection, and the client, which still sends, would not see the answer.
            self._transport.write_eof()
            self._transport.resume_reading()
        else:
            self._transport.close()
