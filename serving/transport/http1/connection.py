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
from serving.transport.http1.wire import CLOSE, CONTINUE, KEEP_ALIVE, TEXT
from serving.transport.http1.writing import AnswerWriter
from serving.transport.listener import Listener, peer_name
from serving.transport.patience import Pace

log = logging.getLogger("slipway.server")

_LINGER_SECONDS = 2.0
_MOST_WAITING = 1000


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
        self._account = listener.inflight.account()
        self._reader = RequestReader(application, limits, self._account, self)
        self._transport: Any = None
        self._since = self._loop.time()  # start of the current phase: receiving, idle or lingering
        self._waiting: deque[Exchange] = deque()  # complete, waiting for their turn
        self._task: asyncio.Task[None] | None = None  # answers the current request
        self._answering: Exchange | None = None
        self._draining = False
        self._is_last = False  # no more answers follow the one that was begun
        self._is_cut = False  # a request was not read to its end, so the client may still be sending
        self._lingering = False
        self._arriving: Pace | None = None  # of the body that is being received

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = transport
        self._writer = AnswerWriter(transport, self._account, self._limits)
        self._reader.peer = peer_name(transport)
        self._listener.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio. Cancels the call that is being answered."""
        self._listener.closed(self)
        self._reader.end()
        self._waiting.clear()
        self._account.close()
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
        self._writer.pause()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """See asyncio."""
        self._since = self._loop.time()
        self._writer.resume()
        if self._is_last and not self._writer.is_busy:
            self._end()
        self._next()

    def check(self, now: float) -> None:
        """See `Connection`."""
        limits = self._limits
        took = now - self._since
        if self._lingering:
            if took > _LINGER_SECONDS:
                self.abort()
        elif self._writer.is_busy:
            if self._writer.is_too_slow(now):
                self.abort()
        elif self._transport.is_closing():
            if took > limits.patience.grace_seconds:
                self.abort()
        elif self._answering or self._waiting:
            self._arriving = None
        elif self._reader.receiving:
            if self._arriving is None:
                self._arriving = Pace(limits.patience, self._since)
            if self._arriving.is_too_slow(now, self._reader.receiving.size):
                self._refuse(408, "the request took too long to arrive")
        elif self._reader.in_head:
            if took > limits.patience.grace_seconds:
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
        self._arriving = None
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
        self._is_cut |= exchange.is_cut
        if self._answering is None and not self._waiting and not self._writer.is_busy:
            self._begin(exchange)
        elif len(self._waiting) < _MOST_WAITING:
            self._waiting.append(exchange)
        else:
            self._refuse(429, "too many requests at once on one connection")

    def _refuse(self, status: int, why: str) -> None:
        """Answer an invalid request; nothing that follows it can be parsed either."""
        self._reader.end()
        self._is_cut = True
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
        self._account.give(exchange.held)
        self._write(exchange, answer)
        if self._waiting or self._reader.receiving:
            self._next()

    def _next(self) -> None:
        """Answer waiting requests, and resume reading when there are none."""
        while self._waiting and self._answering is None and not self._writer.is_busy:
            self._begin(self._waiting.popleft())
        if self._waiting or self._writer.is_busy or self._transport.is_closing():
            return
        if self._reader.receiving and self._reader.receiving.awaits_continue and self._answering is None:
            self._reader.receiving.awaits_continue = False
            self._transport.write(CONTINUE)
        self._transport.resume_reading()

    def _write(self, exchange: Exchange, answer: Answer) -> None:
        if self._transport.is_closing():
            return
        self._since = self._loop.time()
        keep_alive = exchange.keep_alive and not (self._draining and not self._waiting)
        connection = (KEEP_ALIVE if exchange.is_old else b"") if keep_alive else CLOSE
        self._writer.write(answer, connection, with_body=exchange.request.method != "HEAD")
        if not keep_alive:
            self._is_last = True
            self._reader.end()
            self._waiting.clear()
            if self._writer.is_done:
                self._end()

    def _end(self) -> None:
        """End the connection: the last answer has been handed over."""
        if self._lingering or self._transport.is_closing():
            return
        if self._is_cut and self._transport.can_write_eof():
            # Closing now would reset the connection, and a client that is still sending would not see the answer.
            self._lingering = True
            self._transport.write_eof()
            self._transport.resume_reading()
        else:
            self._transport.close()
