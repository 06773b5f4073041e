"""A stream: what is known of one request and its answer on their way."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol


class Handler(Protocol):
    """The application's end of a stream.

    Attributes:
        is_prompt: whether a client is expected to send the whole request without delay.
    """

    is_prompt: bool

    def data(self, data: bytes) -> None:
        """Take a part of the request."""

    def end(self) -> None:
        """The request is complete."""

    def closed(self) -> None:
        """The stream has ended before it was answered: nobody waits any more."""


class Stream:
    """One request and its answer.

    Attributes:
        number: the stream's identifier.
        handler: the application's end; None once it has ended.
        send_window: what the client takes on this stream.
        receive_window: what it may still send.
        unacknowledged: what has been consumed and not yet been added to the window.
        pending: data that waits for the client's windows.
        trailers: what ends the stream, once `pending` is empty.
        expected: the bytes that content-length still wants; -1 where there is none.
        opened_at: when the request began, on the loop's clock.
        received: bytes of the request so far.
        is_complete: whether the client has sent all of the request.
    """

    __slots__ = (
        "_finished",
        "_waiter",
        "expected",
        "handler",
        "is_complete",
        "number",
        "opened_at",
        "pending",
        "receive_window",
        "received",
        "send_window",
        "trailers",
        "unacknowledged",
    )

    def __init__(
        self, number: int, window: int, opened_at: float, finished: "Callable[[Stream], None]"
    ) -> None:
        self.number = number
        self.handler: Handler | None = None
        self.send_window = 0
        self.receive_window = window
        self.unacknowledged = 0
        self.pending: deque[memoryview] = deque()
        self.trailers: bytes | None = None
        self.expected = -1
        self.opened_at = opened_at
        self.received = 0
        self.is_complete = False
        self._finished = finished
        self._waiter: asyncio.Future[None] | None = None

    def finished(self) -> None:
        """The answer has been sent whole."""
        self._finished(self)

    def drained(self) -> None:
        """All data so far has been sent."""
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    async def until_drained(self) -> None:
        """Waits while data waits for the client."""
        if self.pending:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
