"""The sending side of a connection: flow control, frames within the client's size limit, as few writes as possible.

Data that exceeds the client's windows waits in its stream, and waiting streams take turns.
"""

from collections import deque
from typing import Any

from serving.transport.http2.frames import (
    CONTINUATION,
    DATA,
    DEFAULT_MAX_FRAME,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    LARGEST_WINDOW,
    RST_STREAM,
    ErrorCode,
    H2ConnectionError,
    H2StreamError,
    frame,
    long,
)
from serving.transport.http2.stream import Stream

_LARGEST_SENT = 1 << 18
_TINY = 64


class Sender:
    """Writes the frames of one connection.

    Attributes:
        paused: whether the transport's buffer is full.
        data_frames: counts the sent frames of data, without those that are tiny for want of window (CVE-2019-9511).
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._window = DEFAULT_WINDOW
        self._initial_window = DEFAULT_WINDOW
        self._max_frame = DEFAULT_MAX_FRAME
        self._waiting: deque[Stream] = deque()
        self._out: list[bytes] = []
        self.paused = False
        self.data_frames = 0

    def opened(self, stream: Stream) -> None:
        """Give a new stream its window."""
        stream.send_window = self._initial_window

    def write(self, data: bytes) -> None:
        """Add a complete frame to the next `flush`."""
        self._out.append(data)

    def flush(self) -> None:
        """Write the added frames."""
        if self._out:
            data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
            self._out.clear()
            if not self._transport.is_closing():
                self._transport.write(data)

    def headers(self, stream: Stream, block: bytes, *, end: bool = False) -> None:
        """Add a header block."""
        flags = END_STREAM if end else 0
        if len(block) <= self._max_frame:
            self._out.append(frame(HEADERS, flags | END_HEADERS, stream.number, block))
            return
        parts = [block[i : i + self._max_frame] for i in range(0, len(block), self._max_frame)]
        self._out.append(frame(HEADERS, flags, stream.number, parts[0]))
        for part in parts[1:-1]:
            self._out.append(frame(CONTINUATION, 0, stream.number, part))
        self._out.append(frame(CONTINUATION, END_HEADERS, stream.number, parts[-1]))

    def data(self, stream: Stream, data: bytes) -> None:
        """Add data, or let it wait for the client's windows."""
        size = len(data)
        if (
            size <= self._max_frame
            and size <= stream.send_window
            and size <= self._window
            and not stream.pending
            and not self.paused
        ):
            self._window -= size
            stream.send_window -= size
            self.data_frames += 1
            self._out.append(frame(DATA, 0, stream.number, data))
            return
        if not stream.pending:
            self._waiting.append(stream)
        stream.pending.append(memoryview(data))
        self._pump()

    def end(self, stream: Stream, trailers: bytes) -> None:
        """Add the trailers that end a stream, after its data."""
        if stream.pending:
            stream.trailers = trailers
        else:
            self.headers(stream, trailers, end=True)
            stream.finished()

    def reset(self, stream: Stream, code: ErrorCode) -> None:
        """Add RST_STREAM, and drop the stream's waiting data."""
        self.forget(stream)
        self._out.append(frame(RST_STREAM, 0, stream.number, long(code)))

    def forget(self, stream: Stream) -> None:
        """Drop a stream's waiting data."""
        if stream.pending:
            stream.pending.clear()
            self._waiting.remove(stream)

    def window_update(self, stream: Stream | None, increment: int) -> None:
        """Enlarge the window of one stream or, for None, of the connection.

        Raises:
            H2StreamError, H2ConnectionError: the increment is invalid.
        """
        if stream is None:
            self._window += increment
            if not increment or self._window > LARGEST_WINDOW:
                raise H2ConnectionError(_window_error(increment), f"invalid WINDOW_UPDATE by {increment}")
        else:
            stream.send_window += increment
            if not increment or stream.send_window > LARGEST_WINDOW:
                raise H2StreamError(_window_error(increment), f"invalid WINDOW_UPDATE by {increment}")
        if self._waiting:
            self._pump()

    def initial_window(self, size: int, streams: list[Stream]) -> None:
        """Set the client's INITIAL_WINDOW_SIZE, which changes the windows of all streams.

        Raises:
            H2ConnectionError: a window would become too large.
        """
        change, self._initial_window = size - self._initial_window, size
        for stream in streams:
            stream.send_window += change
            if stream.send_window > LARGEST_WINDOW:
                raise H2ConnectionError(
                    ErrorCode.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE overflows a window"
                )
        self._pump()

    def max_frame(self, size: int) -> None:
        """Set the client's MAX_FRAME_SIZE; of larger frames, too much would wait in the transport's buffer."""
        self._max_frame = min(size, _LARGEST_SENT)

    def resume(self) -> None:
        """Resume sending, when the transport's buffer has room again."""
        self.paused = False
        self._pump()
        self.flush()

    def _pump(self) -> None:
        """Send what the windows allow, one frame of each stream in turn."""
        stuck = 0
        while self._waiting and stuck < len(self._waiting) and self._window > 0 and not self.paused:
            stream = self._waiting.popleft()
            part = stream.pending[0]
            size = min(len(part), stream.send_window, self._window, self._max_frame)
            if size <= 0 and len(part):
                self._waiting.append(stream)
                stuck += 1
                continue
            stuck = 0
            if size >= _TINY or size == len(part):
                self.data_frames += 1
            self._window -= size
            stream.send_window -= size
            stream.taken += size
            self._out.append(frame(DATA, 0, stream.number, bytes(part[:size])))
            if size < len(part):
                stream.pending[0] = part[size:]
            else:
                stream.pending.popleft()
            if stream.pending:
                self._waiting.append(stream)
            elif stream.trailers is not None:
                self.headers(stream, stream.trailers, end=True)
                stream.finished()
            else:
                stream.drained()
            self.flush()  # so that the transport can pause us when its buffer is full


def _window_error(increment: int) -> ErrorCode:
    return ErrorCode.FLOW_CONTROL_ERROR if increment else ErrorCode.PROTOCOL_ERROR
