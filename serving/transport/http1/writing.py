"""Writes answers: a large one in parts, as the client takes them, so that it is known how much of it waits."""

from typing import Any

from serving.transport.http1.message import Answer, HttpLimits
from serving.transport.http1.wire import overfull, response_head
from serving.transport.inflight import Account
from serving.transport.patience import Pace

_PART = 1 << 18


class AnswerWriter:
    """Writes the answers of one connection, one at a time.

    Args:
        transport: where they go.
        account: what the connection holds.
        limits: the client's limits.

    Attributes:
        is_busy: whether the client has yet to take what was written.
    """

    def __init__(self, transport: Any, account: Account, limits: HttpLimits) -> None:
        self._transport = transport
        self._account = account
        self._patience = limits.patience
        self._is_paused = False
        self._rest = memoryview(b"")
        self._size = 0
        self._pace: Pace | None = None
        self.is_busy = False

    @property
    def is_done(self) -> bool:
        """Whether the whole answer has been handed to the transport."""
        return not self._rest

    def write(self, answer: Answer, connection: bytes, *, with_body: bool = True) -> None:
        """Write an answer, or that there is no room for it."""
        size = len(answer.body) if with_body else 0
        if size > _PART and not self._account.take(size):
            answer = overfull()
            size = len(answer.body)
        head = response_head(answer, connection)
        if not with_body:
            self._transport.write(head)
        elif size <= _PART:
            self._transport.write(b"".join((head, answer.body)))
        else:
            self._size = size
            self._rest = memoryview(answer.body)
            self._transport.write(head)
            self._go_on()

    def pause(self) -> None:
        """Stop: the transport's buffer is full."""
        self._is_paused = self.is_busy = True

    def resume(self) -> None:
        """Go on: the transport's buffer has room again."""
        self._is_paused = False
        self._go_on()

    def is_too_slow(self, now: float) -> bool:
        """Return whether the client takes too long over what was written."""
        if self._pace is None:
            self._pace = Pace(self._patience, now)
        return self._pace.is_too_slow(now, self._size - len(self._rest))

    def _go_on(self) -> None:
        if self._rest:
            while self._rest and not self._is_paused and not self._transport.is_closing():
                self._transport.write(self._rest[:_PART])
                self._rest = self._rest[_PART:]
            if not self._rest:
                self._account.give(self._size)
        self.is_busy = self._is_paused or bool(self._rest)
        if not self.is_busy:
            self._pace = None
