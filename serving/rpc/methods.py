"""What a gRPC service offers: methods by path, and what a method knows about its call."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from serving.transport.http2.headers import Head


@dataclass(slots=True)
class Context:
    """What a method knows about its call, besides the message.

    Attributes:
        head: the request's headers, including the metadata.
        peer: the client's address.
        deadline: on the loop's clock, which is the monotonic one; None if there is none.
        expired: whether the call was cancelled because its deadline has passed.
    """

    head: Head
    peer: str
    deadline: float | None
    expired: bool = False


@dataclass(frozen=True)
class Unary:
    """A method with one request message and one response message.

    Attributes:
        call: answers a message.
        largest: the size of a message, if it is not the server's limit.
        apart: whether it takes compressed messages that become large as they came.
    """

    call: Callable[[Any, Context], Awaitable[bytes]]
    largest: int | None = None
    apart: bool = False


@dataclass(frozen=True)
class Streaming:
    """A method with any number of request and response messages."""

    call: Callable[[AsyncIterator[bytes], Context], AsyncIterator[bytes]]


Methods = Mapping[str, Unary | Streaming]
