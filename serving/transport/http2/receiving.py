"""The receiving side of a connection: checks each frame, as RFC 9113 says, and dispatches it.

It is long because it has a short method for each of ten frame types, which share the checks around them.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from serving.transport.http2 import frames
from serving.transport.http2.budget import Budget
from serving.transport.http2.frames import ErrorCode, H2ConnectionError, H2StreamError, Setting
from serving.transport.http2.headers import Head, HeaderDecoder, trailer_fault
from serving.transport.http2.sending import Sender
from serving.transport.http2.stream import Stream

STREAM_WINDOW = 1 << 20
CONNECTION_WINDOW = 4 << 20
_LARGEST_BLOCK = 65_536
_PRIORITY_BYTES = 5
#: Smaller DATA that does not end a request costs its sender.
_TINY = 64
#: A SETTINGS frame costs one more for so many bytes, ten times what a frame needs (CVE-2020-11080).
_SETTINGS_BYTES = 360
#: A client enlarges the windows of a stream and of the connection at most once for each DATA that it got.
_UPDATES_PER_DATA = 2


class StreamTable(Protocol):
    """The receiver's view of its connection: the streams, and what happens to them.

    Attributes:
        sender: sends the replies to frames.
        streams: the open requests by stream identifier.
        last_number: the identifier of the newest stream.
        forgotten: streams that the server closed, which the client may not know yet.
    """

    sender: Sender
    streams: dict[int, Stream]
    last_number: int
    forgotten: dict[int, None]

    def open(self, number: int, head: Head, *, complete: bool) -> None:
        """Open a stream for a new request; `complete` if it has no body."""

    def reset(self, stream: Stream, code: ErrorCode) -> None:
        """Reset a stream, unless it has ended."""

    def close(self, stream: Stream) -> None:
        """Close a stream that has ended, in whatever way."""

    def pinged(self, payload: bytes) -> None:
        """Handle the client's answer to a PING."""


class Receiver:
    """Handles the frames of one connection.

    Attributes:
        block_began: when a header block began that is not complete, on the loop's clock; 0 if there is none.
    """

    def __init__(self, connection: StreamTable, budget: Budget) -> None:
        self._connection = connection
        self._budget = budget
        self._now = asyncio.get_running_loop().time
        self._decoder = HeaderDecoder()
        self._settled = False
        self._window = CONNECTION_WINDOW
        self._unacknowledged = 0
        self._updates = 0
        self._block: tuple[int, int, list[bytes]] | None = None  # an incomplete header block
        self.block_began = 0.0
        self._kinds: tuple[Callable[[int, int, bytes], None], ...] = (
            self._data,
            self._headers,
            self._priority,
            self._rst_stream,
            self._settings,
            self._push_promise,
            self._ping,
            self._goaway,
            self._window_update,
            self._continuation,
        )

    def take(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        """Handle a frame.

        Raises:
            H2ConnectionError: the connection must be closed.
        """
        self._budget.check()
        if not self._settled:
            if kind != frames.SETTINGS or flags & frames.ACK:
                raise H2ConnectionError(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS")
            self._settled = True
        if self._block and (kind != frames.CONTINUATION or number != self._block[0]):
            raise H2ConnectionError(ErrorCode.PROTOCOL_ERROR, "another frame within a header block")
        if kind > frames.CONTINUATION:
            self._budget.spend(self._now())
            return  # a frame of an unknown extension
        try:
            self._kinds[kind](flags, number, payload)
        except H2StreamError as fault:
            stream = self._connection.streams.get(number)
            if stream:
                self._connection.reset(stream, fault.code)
            else:
                self._budget.charge(self._now())
                self._connection.sender.write(
                    frames.frame(frames.RST_STREAM, 0, number, frames.long(fault.code))
                )

    def consumed(self, stream: Stream, size: int) -> None:
        """Let the client send as many bytes as the application has taken from a stream."""
        stream.unacknowledged += size
        if stream.unacknowledged > STREAM_WINDOW // 2 and not stream.is_complete:
            stream.receive_window += stream.unacknowledged
            increment = frames.long(stream.unacknowledged)
            self._connection.sender.write(frames.frame(frames.WINDOW_UPDATE, 0, stream.number, increment))
            stream.unacknowledged = 0

    def _data(self, flags: int, number: int, payload: bytes) -> None:
        size = len(payload)
        if size > self._window:
            raise H2ConnectionError(
                ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the connection's window allows"
            )
        self._window -= size
        self._unacknowledged += size
        if self._unacknowledged > CONNECTION_WINDOW // 2:
            self._window += self._unacknowledged
            increment = frames.long(self._unacknowledged)
            self._connection.sender.write(frames.frame(frames.WINDOW_UPDATE, 0, 0, increment))
            self._unacknowledged = 0
        stream = self._stream(number)
        if stream is None:
            return
        if stream.is_complete:
            raise H2StreamError(ErrorCode.STREAM_CLOSED, "DATA after END_STREAM")
        if size > stream.receive_window:
            raise H2StreamError(ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the stream's window allows")
        stream.receive_window -= size
        data = frames.unpad(flags, payload) if flags & frames.PADDED else payload
        stream.received += len(data)
        if len(data) < size:
            self.consumed(stream, size - len(data))
        handler = stream.handler
        if flags & frames.END_STREAM:
            self._complete(stream)
        elif len(data) < _TINY:
            self._budget.spend(self._now())
        if handler:
            if data:
                handler.data(data)
            if flags & frames.END_STREAM and stream.handler:
                handler.end()

    def _headers(self, flags: int, number: int, payload: bytes) -> None:
        if not number & 1:
            raise H2ConnectionError(ErrorCode.PROTOCOL_ERROR, f"HEADERS on stream {number}")
        payload = frames.unpad(flags, payload)
        if flags & frames.PRIORITIZED:
            if len(payload) < _PRIORITY_BYTES or frames.read_long(payload) == number:
                raise H2ConnectionError(ErrorCode.PROTOCOL_ERROR, "HEADERS with an invalid priority")
            payload = payload[_PRIORITY_BYTES:]
        if flags & frames.END_HEADERS:
            self._header_block(flags, number, payload)
        else:
            self._block = (number, flags, [payload])
            self.block_began = self._now()

    def _continuation(self, flags: int, number: int, payload: bytes) -> None:
        if self._block is None:
            raise H2ConnectionError(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without HEADERS")
        self._budget.spend(self._now())
        _, first_flags, parts = self._block
        parts.append(payload)
        if sum(map(len, parts)) > _LARGEST_BLOCK:
            raise H2ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "the header block is too large")
        if flags & frames.END_HEADERS:
            self._block = None
            self.block_began = 0.0
            self._header_block(first_flags, number, b"".join(parts))

    def _header_block(self, flags: int, number: int, block: bytes) -> None:
        head = self._decoder.decode(block)
        ends = bool(flags & frames.END_STREAM)
        if number > self._connection.last_number:
            self._connection.open(number, head, complete=ends)
            stream = self._connection.streams.get(number)
            if ends and stream and stream.handler:
                self._complete(stream)
                stream.handler.end()
            return
        stream = self._stream(number)
        if stream is None:
            return
        if stream.is_complete:
            raise H2StreamError(ErrorCode.STREAM_CLOSED, "HEADERS after END_STREAM")
        if not ends or trailer_fault(head):
            raise H2StreamError(
                ErrorCode.PROTOCOL_ERROR, trailer_fault(head) or "trailers without END_STREAM"
            )
        self._complete(stream)
        if stream.handler:
            stream.handler.end()

    def _priority(self, flags: int, number: int, payload: bytes) -> None:
        del flags
        self._budget.spend(self._now())
        if not number:
            raise H2ConnectionError(ErrorCode.PROTOCOL_ERROR, "PRIORITY without a stream")
        if len(payload) != _PRIORITY_BYTES:
            raise H2StreamError(ErrorCode.FRAME_SIZE_ERROR, "PRIORITY does not have 5 bytes")
        if frames.read_long(payload) == number:
            raise H2StreamError(ErrorCode.PROTOCOL_ERROR, "a stream depends on itself")

    def _rst_stream(self, flags: int, number: int, payload: bytes) -> None:
        del flags
        self._budget.spend(self._now())
        _check_size(payload, 4)
        if not number or number > self._connection.last_number:
            raise H2ConnectionError(ErrorCode.PROTOCOL_ERROR, "RST_STREAM on a stream that was never opened")
        stream = self._connection.streams.get(number)
        if stream:
            self._connection.close(stream)

    def _settings(self, flags: int, number: int, payload: bytes) -> None:
        self._budget.spend(self._now())
        if number:
            raise H2ConnectionError(ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream")
        if flags & frames.ACK:
            _check_size(payload, 0)
            return
        settings = frames.read_settings(payload)
        self._budget.charge(self._now(), len(payload) // _SETTINGS_BYTES)
        sender = self._connection.sender
        sender.write(frames.frame(frames.SETTINGS, frames.ACK, 0))
        if Setting.MAX_FRAME_SIZE in settings:
            sender.max_frame(settings[Setting.MAX_FRAME_SIZE])
        if Setting.INITIAL_WINDOW_SIZE in settings:
            streams = list(self._connection.streams.values())
            sender.initial_window(settings[Setting.INITIAL_WINDOW_SIZE], streams)

    def _push_promise(self, flags: int, number: int, payload: bytes) -> None:
        raise H2ConnectionError(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE from a client")

    def _ping(self, flags: int, number: int, payload: bytes) -> None:
        self._budget.spend(self._now())
        if number:
            raise H2ConnectionError(ErrorCode.PROTOCOL_ERROR, "PING on a stream")
        _check_size(payload, 8)
        if flags & frames.ACK:
            self._connection.pinged(payload)
        else:
            self._connection.sender.write(frames.frame(frames.PING, frames.ACK, 0, payload))

    def _goaway(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise H2ConnectionError(ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream")
        self._budget.spend(self._now())

    def _window_update(self, flags: int, number: int, payload: bytes) -> None:
        del flags
        _check_size(payload, 4)
        increment = frames.read_long(payload)
        self._updates += 1
        if self._updates > _UPDATES_PER_DATA * self._connection.sender.data_frames:
            self._budget.spend(self._now())
        if not number:
            self._connection.sender.window_update(None, increment)
            return
        if number > self._connection.last_number:
            raise H2ConnectionError(
                ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE on a stream that was never opened"
            )
        stream = self._connection.streams.get(number)
        if stream:
            self._connection.sender.window_update(stream, increment)

    def _stream(self, number: int) -> Stream | None:
        """Return the stream that DATA or trailers are for; None if we have closed it meanwhile."""
        stream = self._connection.streams.get(number)
        if stream or number in self._connection.forgotten:
            return stream
        if not number or number > self._connection.last_number:
            raise H2ConnectionError(ErrorCode.PROTOCOL_ERROR, f"stream {number} was never opened")
        raise H2ConnectionError(ErrorCode.STREAM_CLOSED, f"stream {number} has ended")

    def _complete(self, stream: Stream) -> None:
        stream.is_complete = True
        if stream.expected not in (-1, stream.received):
            raise H2StreamError(ErrorCode.PROTOCOL_ERROR, "content-length does not match the body")


def _check_size(payload: bytes, size: int) -> None:
    if len(payload) != size:
        raise H2ConnectionError(
            ErrorCode.FRAME_SIZE_ERROR, f"a frame of {len(payload)} bytes instead of {size}"
        )
