"""The server's side of an HTTP/2 connection: its lifecycle, its streams, and the received bytes.

It is an implementation of our own because every other one for asyncio costs more than the models that are served:
`docs/serving.md` has the comparison. A client's error ends its stream or the connection, as RFC 9113 says.
`receiving.py` handles the incoming frames, `sending.py` the outgoing ones; what is left is one object's life from start
to drain, which is why it is one file.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any, Protocol

from serving.transport.http2 import frames
from serving.transport.http2.budget import Budget
from serving.transport.http2.frames import ErrorCode, H2ConnectionError, Setting
from serving.transport.http2.headers import LARGEST_HEADER_LIST, Head
from serving.transport.http2.receiving import CONNECTION_WINDOW, STREAM_WINDOW, Receiver
from serving.transport.http2.sending import Sender
from serving.transport.http2.slow import too_slow
from serving.transport.http2.stream import Stream
from serving.transport.listener import Listener, peer_address
from serving.transport.patience import Patience

log = logging.getLogger("slipway.server")

_REMEMBERED = 1000
_PREFACE_SECONDS = 20.0
_DRAIN_PING = b"draining"
_DRAIN_SECONDS = 1.0


class Application(Protocol):
    """The application that answers requests."""

    def open(self, connection: "Http2Connection", stream: Stream, head: Head) -> None:
        """Called when a request begins: sets the stream's handler, or answers at once."""


@dataclass(frozen=True)
class Http2Limits:
    """The limits of a client.

    Attributes:
        streams: the maximum number of concurrent requests.
        patience: how slow a client may be while it sends a request or takes an answer.
        idle_seconds: how long a connection without requests may stay open; 0 for no limit.
        age_seconds: how long a connection may stay open before the client is asked to reconnect; 0 for no limit.
    """

    streams: int = 1000
    idle_seconds: float = 0.0
    age_seconds: float = 0.0
    patience: Patience = field(default_factory=Patience)


class Http2Connection(asyncio.Protocol):
    """One client's connection.

    Args:
        application: answers the requests.
        limits: the client's limits.
        listener: the listener that accepted the connection.

    Attributes:
        sender: the sending side.
        streams: the open requests by stream identifier.
        last_number: the identifier of the newest stream.
        forgotten: the streams that we closed, which the client may not know yet.
        refusing: whether new requests are refused, because the connection is closing.
        peer: the client's address, as gRPC writes it.
    """

    def __init__(self, application: Application, limits: Http2Limits, listener: Listener) -> None:
        self._application = application
        self._limits = limits
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._made_at = self._since = self._loop.time()
        self._budget = Budget(self._made_at)
        self._receiver = Receiver(self, self._budget)
        self._account = listener.inflight.account()
        self._rest = b""
        self._prefaced = self._draining = self._closing = False
        self._paused_at = self._closing_at = 0.0
        self.streams: dict[int, Stream] = {}
        self.last_number = 0
        self.forgotten: dict[int, None] = {}
        self.refusing = False
        self.peer = ""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop; asking asyncio for it costs a system call."""
        return self._loop

    def connection_made(self, transport: Any) -> None:
        """See asyncio."""
        self._transport = transport
        self.peer = peer_address(transport)
        self.sender = Sender(transport)
        self._listener.opened(self)
        ours = {
            Setting.MAX_CONCURRENT_STREAMS: self._limits.streams,
            Setting.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            Setting.MAX_HEADER_LIST_SIZE: LARGEST_HEADER_LIST,
        }
        more = frames.long(CONNECTION_WINDOW - frames.DEFAULT_WINDOW)
        transport.write(frames.settings_frame(ours) + frames.frame(frames.WINDOW_UPDATE, 0, 0, more))

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio. Closes all streams, which cancels their calls."""
        self._closing = True
        self._listener.closed(self)
        for stream in list(self.streams.values()):
            self.close(stream)
        self._account.close()

    def pause_writing(self) -> None:
        """See asyncio. While a client does not read our frames, its frames are not read either."""
        self.sender.paused = True
        self._paused_at = self._loop.time()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """See asyncio."""
        self.sender.resume()
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if self._closing:
            return
        if self._rest:
            data = self._rest + data
        position, size = 0, len(data)
        try:
            if not self._prefaced:
                if not data.startswith(frames.PREFACE[:size]):
                    raise H2ConnectionError(ErrorCode.PROTOCOL_ERROR, "this port serves only HTTP/2")
                if size < len(frames.PREFACE):
                    self._rest = data
                    return
                self._prefaced = True
                position = len(frames.PREFACE)
            while size - position >= frames.FRAME_HEADER_BYTES:
                high, low, kind, flags, number = frames.FRAME_HEADER.unpack_from(data, position)
                length = high << 8 | low
                start = position + frames.FRAME_HEADER_BYTES
                if length > frames.DEFAULT_MAX_FRAME:
                    raise H2ConnectionError(
                        ErrorCode.FRAME_SIZE_ERROR, f"a frame of {length} bytes is too large"
                    )
                if size - start < length:
                    break
                position = start + length
                self._receiver.take(kind, flags, number & frames.STREAM_MASK, data[start:position])
        except H2ConnectionError as fault:
            self._fail(fault)
            return
        self._rest = data[position:]
        self.sender.flush()

    def check(self, now: float) -> None:
        """See `listener.Connection`."""
        limits = self._limits
        if not self._prefaced:
            if now - self._made_at > _PREFACE_SECONDS:
                self.abort()
            return
        grace = limits.patience.grace_seconds
        begun = self._receiver.block_began
        if self._closing:
            self._closing_at = self._closing_at or now
        if (
            (self.sender.paused and now - self._paused_at > grace)
            or (self._closing_at and now - self._closing_at > grace)
            or (begun and now - begun > grace)
        ):
            self.abort()
            return
        aged = limits.age_seconds and now - self._made_at > limits.age_seconds
        if aged or (limits.idle_seconds and not self.streams and now - self._since > limits.idle_seconds):
            self.drain()
        for stream in too_slow(self.streams.values(), limits.patience, now):
            self.reset(stream, ErrorCode.CANCEL)
        self.sender.flush()

    def drain(self) -> None:
        """See `listener.Connection`. Requests sent before the client knows are still answered."""
        if self._draining or self._closing:
            return
        self._draining = True
        self.sender.write(frames.goaway_frame(frames.LARGEST_WINDOW, ErrorCode.NO_ERROR))
        self.sender.write(frames.frame(frames.PING, 0, 0, _DRAIN_PING))
        self.sender.flush()
        self._loop.call_later(_DRAIN_SECONDS, self._refuse_more)

    def abort(self) -> None:
        """See `listener.Connection`."""
        self._transport.abort()

    def open(self, number: int, head: Head, *, complete: bool) -> None:
        """See `StreamTable`."""
        self.last_number = number
        stream = Stream(number, STREAM_WINDOW, self._loop.time(), self.answered)
        if self.refusing or len(self.streams) >= self._limits.streams:
            self._budget.charge(stream.opened_at)
            self.forget(number)
            self.sender.reset(stream, ErrorCode.REFUSED_STREAM)
            return
        stream.is_complete = complete
        self.streams[number] = stream
        self.sender.opened(stream)
        if head.fault:
            self.reset(stream, ErrorCode.PROTOCOL_ERROR)
            return
        stream.expected = head.content_length
        self._application.open(self, stream, head)

    def consumed(self, stream: Stream, size: int) -> None:
        """Let the client send as many bytes as the application has taken from a stream."""
        self._receiver.consumed(stream, size)

    def hold(self, stream: Stream, size: int) -> bool:
        """Charge bytes that are kept for a stream until it is closed; return whether there is room for them.

        A negative size gives some back.
        """
        if stream.number in self.streams:  # otherwise closed meanwhile, and given back
            if not self._account.take(size):
                return False
            stream.held += size
        return True

    def reset(self, stream: Stream, code: ErrorCode) -> None:
        """See `StreamTable`."""
        if stream.number in self.streams:
            self._budget.charge(self._loop.time())
            self.close(stream)
            self.sender.reset(stream, code)
            self.forget(stream.number)

    def answered(self, stream: Stream) -> None:
        """Close a stream whose response has been sent; the rest of its request is not needed."""
        self._budget.charge(self._loop.time(), stream.cost)
        if not stream.is_complete:
            no_error = frames.long(ErrorCode.NO_ERROR)
            self.sender.write(frames.frame(frames.RST_STREAM, 0, stream.number, no_error))
            self.forget(stream.number)
        self.close(stream)

    def close(self, stream: Stream) -> None:
        """See `StreamTable`."""
        self.streams.pop(stream.number, None)
        handler, stream.handler = stream.handler, None
        if handler:
            handler.closed()
        self.sender.forget(stream)
        if stream.held:
            self._account.give(stream.held)
            stream.held = 0
        if not self.streams:
            self._since = self._loop.time()
            if self.refusing:
                self._loop.call_soon(self._end)

    def forget(self, number: int) -> None:
        """Remember a stream that we closed: frames for it may still arrive, and are ignored."""
        self.forgotten[number] = None
        if len(self.forgotten) > _REMEMBERED:
            del self.forgotten[next(iter(self.forgotten))]

    def pinged(self, payload: bytes) -> None:
        """See `StreamTable`. After the PING of `drain`, the client sends no more requests."""
        if payload == _DRAIN_PING and self._draining:
            self._refuse_more()

    def _refuse_more(self) -> None:
        if self.refusing or self._closing:
            return
        self.refusing = True
        self.sender.write(frames.goaway_frame(self.last_number, ErrorCode.NO_ERROR))
        self.sender.flush()
        if not self.streams:
            self._end()

    def _end(self) -> None:
        if not self.streams and not self._closing:
            self._closing = True
            self.sender.flush()
            self._transport.close()

    def _fail(self, fault: H2ConnectionError) -> None:
        log.debug("closing an HTTP/2 connection from %s: %s", self.peer, fault)
        self._closing = True
        self.sender.write(frames.goaway_frame(self.last_number, fault.code, str(fault)))
        self.sender.flush()
        self._transport.close()
