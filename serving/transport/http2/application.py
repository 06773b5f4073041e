"""What a connection needs of what stands behind it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from serving.transport.http2.headers import Head

if TYPE_CHECKING:
    from serving.transport.http2.connection import Http2Connection
    from serving.transport.http2.stream import Stream


class Application(Protocol):
    """What answers."""

    def open(self, connection: "Http2Connection", stream: "Stream", head: Head) -> None:
        """A request has begun: gives the stream its handler, or answers at once."""


@dataclass(frozen=True)
class Http2Limits:
    """What a client may do.

    Attributes:
        streams: how many requests it may have open at once.
        idle_seconds: how long a connection without any may stay; 0 for ever.
        age_seconds: how long one may stay at all, before the client is asked to come anew; 0 for ever.
    """

    streams: int = 1000
    idle_seconds: float = 0.0
    age_seconds: float = 0.0


class Handler(Protocol):
    """The application's end of a stream.

    Attributes:
        is_prompt: whether a client is expected to send the whole request without delay.
    """

    is_prompt: bool

    def data(self, data: bytes) -> None:
        """A part of the request has come."""

    def end(self) -> None:
        """The request is complete."""

    def closed(self) -> None:
        """The stream has ended before it was answered: nobody waits any more."""
