"""gRPC calls on HTTP/2 streams: one task per call, which is cancelled at its deadline or when its client leaves."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

from serving.errors import Code, ServingError
from serving.rpc import wire
from serving.rpc.methods import Context, Streaming, Unary
from serving.transport.http2.budget import ANSWERED
from serving.transport.http2.connection import Http2Connection
from serving.transport.http2.frames import ErrorCode
from serving.transport.http2.stream import Stream
from serving.transport.inflight import REFUSAL

log = logging.getLogger("slipway.server")

# A model's own error for an expired deadline says more, so it may come first; this is for methods without one.
_GRACE_SECONDS = 0.05
_MOST_WAITING = 1000


class _Call:
    """The common part of both kinds of call: the task, the deadline, the end."""

    def __init__(
        self, connection: Http2Connection, stream: Stream, reader: wire.MessageReader, context: Context
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._reader = reader
        self._context = context
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def closed(self) -> None:
        """See `Handler`."""
        if self._timer:
            self._timer.cancel()
        if self._task:
            self._task.cancel()

    def _hold(self, size: int) -> None:
        """Charge bytes to the connection, or raise RESOURCE_EXHAUSTED if there is no room for them."""
        if not self._connection.hold(self._stream, size):
            raise self._no_room()

    def _no_room(self) -> ServingError:
        self._stream.cost = 0  # no fault of the client's
        return ServingError(Code.RESOURCE_EXHAUSTED, REFUSAL)

    def _start(self, run: Any) -> None:
        loop = self._connection.loop
        self._task = loop.create_task(run)
        if self._context.deadline is not None:
            self._timer = loop.call_at(self._context.deadline + _GRACE_SECONDS, self._expire)

    def _expire(self) -> None:
        self._context.expired = True
        if self._task:
            self._task.cancel()

    def _fail(self, code: Code, message: str, *, begun: bool = False) -> None:
        """End the call with a status."""
        self._task = None
        sender = self._connection.sender
        if self._stream.handler is None:
            return
        if begun:
            sender.end(self._stream, wire.trailers(code, message))
        else:
            sender.headers(self._stream, wire.trailers_only(code, message), end=True)
            self._stream.finished()
        sender.flush()

    def _fail_with(self, error: BaseException, *, begun: bool = False) -> None:
        if isinstance(error, ServingError):
            self._fail(error.code, error.message, begun=begun)
        elif isinstance(error, asyncio.CancelledError):
            if self._context.expired:
                self._fail(Code.DEADLINE_EXCEEDED, "the deadline has passed", begun=begun)
            else:
                self._connection.reset(self._stream, ErrorCode.CANCEL)
        else:
            log.error("internal server error in a gRPC call", exc_info=error)
            self._fail(Code.INTERNAL, f"internal server error: {type(error).__name__}", begun=begun)


class UnaryCall(_Call):
    """A call with one request message and one response message."""

    is_prompt = True

    def __init__(
        self,
        connection: Http2Connection,
        stream: Stream,
        method: Unary,
        reader: wire.MessageReader,
        context: Context,
    ) -> None:
        super().__init__(connection, stream, reader, context)
        self._method = method
        self._message: wire.Message | None = None

    def data(self, data: bytes) -> None:
        """See `Handler`."""
        try:
            if not self._connection.hold(self._stream, len(data)):
                raise self._no_room()
            for message in self._reader.feed(data):
                if self._message is not None:
                    raise ServingError(Code.INTERNAL, "more than one message for a unary method")
                self._message = message
                size = wire.size_of(message)
                if size > self._stream.held:  # it was compressed
                    self._hold(size - self._stream.held)
        except ServingError as error:
            self._fail_with(error)
            return
        self._connection.consumed(self._stream, len(data))

    def end(self) -> None:
        """See `Handler`."""
        if self._message is None or self._reader.size:
            self._fail(Code.INTERNAL, "the request ended before its message was complete")
            return
        self._stream.cost = 0
        self._start(self._run(self._message))
        self._message = None

    async def _run(self, message: wire.Message) -> None:
        try:
            answer = await self._method.call(message, self._context)
            more = len(answer) - wire.size_of(message)
            if more > 0 and self._stream.handler is not None:
                self._hold(more)  # the one for the other
        except (Exception, asyncio.CancelledError) as error:
            self._fail_with(error)
            return
        self._task = None
        stream, sender = self._stream, self._connection.sender
        if stream.handler is not None:
            stream.cost = ANSWERED
            sender.headers(stream, wire.RESPONSE)
            sender.data(stream, wire.frame_message(answer))
            sender.end(stream, wire.OK_TRAILERS)
            sender.flush()


class StreamingCall(_Call):
    """A call with messages in both directions at any time. The client's window is replenished as they are read."""

    def __init__(
        self,
        connection: Http2Connection,
        stream: Stream,
        method: Streaming,
        reader: wire.MessageReader,
        context: Context,
    ) -> None:
        super().__init__(connection, stream, reader, context)
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        stream.cost = 0
        connection.sender.headers(stream, wire.RESPONSE)
        self._start(self._run(method))

    @property
    def is_prompt(self) -> bool:
        """See `Handler`. Between messages the client may take its time."""
        return bool(self._reader.size)

    def data(self, data: bytes) -> None:
        """See `Handler`."""
        try:
            before = self._reader.size
            messages = self._reader.feed(data)
            self._hold(sum(map(wire.size_of, messages)) + self._reader.size - before)
            if self._queue.qsize() + len(messages) > _MOST_WAITING:
                raise ServingError(Code.RESOURCE_EXHAUSTED, "too many messages are waiting to be answered")
        except ServingError as error:
            task, self._task = self._task, None
            self._fail_with(error, begun=True)
            if task:
                task.cancel()
            return
        for message in messages:
            assert isinstance(message, bytes)  # a stream's messages are small
            self._queue.put_nowait(message)
        self._connection.consumed(self._stream, len(data))

    def end(self) -> None:
        """See `Handler`."""
        self._queue.put_nowait(None)

    async def _run(self, method: Streaming) -> None:
        sender = self._connection.sender
        try:
            async for answer in method.call(self._messages(), self._context):
                self._hold(len(answer))
                sender.data(self._stream, wire.frame_message(answer))
                sender.flush()
                await self._stream.until_drained()
                self._hold(-len(answer))
        except (Exception, asyncio.CancelledError) as error:
            if self._task:
                self._fail_with(error, begun=True)
            return
        self._stream.cost = ANSWERED
        self._fail(Code.OK, "", begun=True)

    async def _messages(self) -> AsyncIterator[bytes]:
        while (message := await self._queue.get()) is not None:
            self._hold(-wire.size_of(message))
            yield message
