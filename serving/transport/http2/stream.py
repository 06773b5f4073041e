"""A stream: the state of one request and its response."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from serving.transport.patience import Pace


class Handler(Protocol):
    """The application's side of a stream.

    Attributes:
        is_prompt: whether the client has yet to send the rest of something, and is expected to do so without delay.
    """

    @property
    def is_prompt(self) -> bool:
        """See above."""

    def data(self, data: bytes) -> None:
        """Called with a part of the request."""

    def end(self) -> None:
        """Called when the request is complete."""

    def closed(self) -> None:
        """Called when the stream has ended; if it is not answered yet, nobody waits for the response any more."""


class Stream:
    """One request and its answer.

    Attributes:
        number: the stream's identifier.
        handler: the application's side; None once the stream has ended.
        send_window: how many bytes may still be sent.
        receive_window: how many bytes the client may still send.
        unacknowledged: how many consumed bytes have not yet been added to the window.
        pending: data that waits for the client's windows.
        trailers: the trailers that end the stream, once `pending` is empty.
        expected: the value of content-length; -1 if there is none.
        opened_at: when the request began, on the loop's clock.
        received: how many bytes of the request's body have arrived.
        taken: how many bytes of data that had to wait have been sent.
        held: how many bytes are charged to the connection's account for this stream.
        arriving: watches how fast the request is sent; None if nothing of it is due.
        leaving: watches how fast the answer is taken; None if nothing of it waits.
        is_complete: whether the client has sent all of the request.
        cost: what its answer takes from the connection's `Budget`: 1 for a refusal, 0 for a failure of the call itself,
            less for a result.
    """

    __slots__ = (
        "_finished",
        "_waiter",
        "arriving",
        "cost",
        "expected",
        "handler",
        "held",
        "is_complete",
        "leaving",
        "number",
        "opened_at",
        "pending",
        "receive_window",
        "received",
        "send_window",
        "taken",
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
        self.taken = 0
        self.held = 0
        self.arriving: Pace | None = None
        self.leaving: Pace | None = None
        self.is_complete = False
        self.cost = 1
        self._finished = finished
        self._waiter: asyncio.Future[None] | None = None

    def finished(self) -> None:
        """Called when the response has been sent completely."""
        self._finished(self)

    def drained(self) -> None:
        """Called when all data so far has been sent."""
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    async def until_drained(self) -> None:
        """Wait until all data so far has been sent."""
        if self.pending:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
