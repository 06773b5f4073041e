"""Requests and responses, as passed between the connection and the application."""

from dataclasses import dataclass, field
from typing import Protocol

from serving.transport.patience import Patience

Body = bytes | bytearray | memoryview
Headers = list[tuple[bytes, bytes]]

JSON = b"content-type: application/json\r\n"


@dataclass(slots=True)
class Request:
    """A request.

    Attributes:
        method: as it was sent.
        path: the target without its query, as it was sent, still percent-encoded.
        headers: with names in lower case.
        peer: the client's address.
        body: complete when `Application.answer` is called; a large one in the parts in which it came.
        oversized: whether the body was larger than the limit, and so was dropped.
        abandoned: whether the client disconnected. The task that answers is then cancelled.
    """

    method: str
    path: str
    headers: Headers
    peer: str
    body: bytes | list[bytes] = b""
    oversized: bool = False
    abandoned: bool = False

    @property
    def size(self) -> int:
        """The number of bytes of the body."""
        return len(self.body) if isinstance(self.body, bytes) else sum(map(len, self.body))

    def header(self, name: bytes) -> bytes:
        """Return the first value of a header; empty if it is missing."""
        for key, value in self.headers:
            if key == name:
                return value
        return b""


@dataclass(slots=True)
class Answer:
    """A response; `headers` are complete lines, without content-length."""

    status: int
    body: Body = b""
    headers: bytes = b""


class Application(Protocol):
    """The application that answers requests."""

    def answer_at_once(self, request: Request) -> Answer | None:
        """Return the answer if the headers are enough for it, otherwise None; with an answer, the body is dropped.

        Called when the headers are complete, before a client that waits for `100 Continue` has sent more.
        """

    async def answer(self, request: Request) -> Answer:
        """Return the answer to a request with its body."""


@dataclass(frozen=True)
class HttpLimits:
    """The limits of a client.

    Attributes:
        body_bytes: the maximum size of a body.
        head_bytes: the maximum size of the request line and headers.
        idle_seconds: how long a connection may be idle between requests; longer than the 60 s of usual load balancers.
        patience: how slow a client may be while it sends a request or takes an answer; a head must arrive within the
            seconds of grace.
    """

    body_bytes: int = 2**31 - 1
    head_bytes: int = 65_536
    idle_seconds: float = 75.0
    patience: Patience = field(default_factory=Patience)


@dataclass(slots=True)
class Exchange:
    """A request on its way through a connection.

    Attributes:
        request: as far as it has been received.
        keep_alive: whether the connection stays open after it.
        answer: the answer, if it is known already.
        parts: the received parts of the body.
        size: how many bytes were received, including dropped ones.
        held: how many bytes of it are charged to the connection's account.
        is_old: whether it is HTTP/1.0, where the response must say that the connection stays open.
        awaits_continue: whether the client waits for `100 Continue` before it sends the body.
        is_cut: whether the rest of it, which may still arrive, is not read.
    """

    request: Request
    keep_alive: bool
    answer: Answer | None = None
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    held: int = 0
    is_old: bool = False
    awaits_continue: bool = False
    is_cut: bool = False
