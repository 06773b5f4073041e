"""An HTTP/1.1 connection: requests are answered one at a time, in order.

It is an asyncio protocol and not an ASGI server, because the cost of a request here is comparable to that of running
a small model: `docs/serving.md` has the comparison. The application gets complete requests; a disconnecting client
cancels its call.
"""

import asyncio
import logging
from collections import deque
from typing import Any

from serving.transport.http1.message import Answer, Application, Exchange, HttpLimits, Request
from serving.transport.http1.reading import RequestError, RequestReader
from serving.transport.http1.wire import CLOSE, CONTINUE, KEEP_ALIVE, TEXT, response_head
from serving.transport.listener import Listener, peer_name

log = logging.getLogger("slipway.server")

_LINGER_SECONDS = 2.0
_BYTES_PER_SECOND = 1024


class HttpConnection(asyncio.Protocol):
    """One client's connection.

    Args:
        application: answers the requests.
        limits: the client's limits.
        listener: the listener that accepted the connection.
    """

    def __init__(self, application: Application, limits: HttpLimits, listener: Listener) -> None:
        self._application = application
        self._limits = limits
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._reader = RequestReader(application, limits, self)
        self._transport: Any = None
        self._since = self._loop.time()  # start of the current phase: receiving, idle or lingering
        self._waiting: deque[Exchange] = deque()  # complete, waiting for their turn
        self._task: asyncio.Task[None] | None = None  # answers the current request
        self._answering: Exchange | None = None
        self._draining = False
        self._lingering = False
        self._stalled_since = 0.0  # when the client stopped reading; 0 if it reads
        self._written = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = transport
        self._reader.peer = peer_name(transport)
        self._listener.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio. Cancels the call that is being answered."""
        self._listener.closed(self)
        self._reader.end()
        self._waiting.clear()
        if self._answering and self._task:
            self._answering.request.abandoned = True
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if self._reader.ended:
            return
        try:
            self._reader.feed(data)
        except RequestError as error:
            if not self._reader.ended:
                self._refuse(error.status, str(error))
        if self._waiting:
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """See asyncio. While a client does not read responses, its requests are not read either."""
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
        elif self._reader.receiving or self._reader.in_head:
            size = self._reader.receiving.size if self._reader.receiving else 0
            if took > limits.slow_seconds + size / _BYTES_PER_SECOND:
                self._refuse(408, "the request took too long to arrive")
        elif took > limits.idle_seconds:
            self._transport.close()

    def drain(self) -> None:
        """See `Connection`."""
        self._draining = True
        if not (self._answering or self._waiting or self._reader.receiving or self._reader.in_head):
            self._transport.close()

    def abort(self) -> None:
        """See `Connection`."""
        self._transport.abort()

    def begun(self) -> None:
        """See `Taker`."""
        if self._answering is None:
            self._since = self._loop.time()

    def asked_to_continue(self, exchange: Exchange) -> None:
        """See `Taker`."""
        if self._answering:
            exchange.awaits_continue = True
        else:
            self._transport.write(CONTINUE)

    def received(self, exchange: Exchange) -> None:
        """See `Taker`."""
        self._lingering |= exchange.is_cut
        if self._answering is None and not self._waiting and not self._stalled_since:
            self._begin(exchange)
        else:
            self._waiting.append(exchange)

    def _refuse(self, status: int, why: str) -> None:
        """Answer an invalid request; nothing that follows it can be parsed either."""
        self._reader.end()
        self._lingering = True
        refusal = Answer(status, why.encode("utf-8", "replace"), TEXT)
        self._waiting.append(
            Exchange(Request("", "", [], self._reader.peer), keep_alive=False, answer=refusal)
        )
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
            log.exception("internal server error on %s", exchange.request.path)
            answer = Answer(500)
        self._answering = self._task = None
        self._write(exchange, answer)
        if self._waiting or self._reader.receiving:
            self._next()

    def _next(self) -> None:
        """Answer waiting requests, and resume reading when there are none."""
        while self._waiting and self._answering is None and not self._stalled_since:
            self._begin(self._waiting.popleft())
        if self._waiting or self._stalled_since or self._transport.is_closing():
            return
        if self._reader.receiving and self._reader.receiving.awaits_continue and self._answering is None:
            self._reader.receiving.awaits_continue = False
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
        self._reader.ended = True
        self._waiting.clear()
        if self._lingering and self._transport.can_write_eof():
            # Closing now would reset the connection, and a client that is still sending would not see the answer.
            self._transport.write_eof()
            self._transport.resume_reading()
        else:
            self._transport.close()
