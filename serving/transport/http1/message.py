"""A request and its answer, as the connection and the application hand them to each other."""

from dataclasses import dataclass, field
from typing import Protocol

Headers = list[tuple[bytes, bytes]]

JSON = b"content-type: application/json\r\n"


@dataclass(slots=True)
class Request:
    """A request.

    Attributes:
        method: as it was sent.
        path: the target without its query, as it was sent, still encoded.
        headers: names in lower case.
        peer: the client's address.
        body: all of it, once `Application.answer` is called.
        oversized: whether the body was larger than is allowed, and so was dropped.
        abandoned: whether the client went away. The task that answers is then cancelled.
    """

    method: str
    path: str
    headers: Headers
    peer: str
    body: bytes = b""
    oversized: bool = False
    abandoned: bool = False

    def header(self, name: bytes) -> bytes:
        """The first value of a header; empty if it is not there."""
        for key, value in self.headers:
            if key == name:
                return value
        return b""


@dataclass(slots=True)
class Answer:
    """A response; `headers` are whole lines, content-length not among them."""

    status: int
    body: bytes = b""
    headers: bytes = b""


class Application(Protocol):
    """What answers."""

    def answer_at_once(self, request: Request) -> Answer | None:
        """The answer, where the headers are enough for it; the body is then not kept.

        Called when they have come, and so before a client that waits for `100 Continue` has sent more.
        """

    async def answer(self, request: Request) -> Answer:
        """The answer to a request with its body."""


@dataclass(frozen=True)
class HttpLimits:
    """What a client may do.

    Attributes:
        body_bytes: the largest body.
        head_bytes: the longest request line and headers.
        idle_seconds: how long a connection may lie idle between requests; longer than the 60 s of usual balancers.
        slow_seconds: how long a request may take to come in, and an answer to be taken, beside a second for
            each KiB.
    """

    body_bytes: int = 2**31 - 1
    head_bytes: int = 65_536
    idle_seconds: float = 75.0
    slow_seconds: float = 30.0


@dataclass(slots=True)
class Exchange:
    """A request on its way through a connection.

    Attributes:
        request: as far as it has come.
        keep_alive: whether the connection goes on after it.
        answer: the answer, if it is known already.
        parts: what has come of the body.
        size: how much that is, with what was dropped.
        is_old: whether it is of HTTP/1.0, which must be told that the connection goes on.
        awaits_continue: whether the client sends the body only when told so.
        is_cut: whether more of it may come, which is not read.
    """

    request: Request
    keep_alive: bool
    answer: Answer | None = None
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    is_old: bool = False
    awaits_continue: bool = False
    is_cut: bool = False
