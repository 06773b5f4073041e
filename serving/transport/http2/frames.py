"""Frames, settings and error codes, with the names of RFC 9113."""

import struct
from enum import IntEnum

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_HEADER = struct.Struct(">HBBBL")  # length in 16 and 8 bits, type, flags, stream
FRAME_HEADER_BYTES = 9
LARGEST_WINDOW = 2**31 - 1
DEFAULT_WINDOW = 65_535
DEFAULT_MAX_FRAME = 16_384
LARGEST_FRAME = 2**24 - 1
STREAM_MASK = 2**31 - 1

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 5, 6, 7, 8, 9

ACK = END_STREAM = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITIZED = 0x20

_SETTING = struct.Struct(">HL")
_LONG = struct.Struct(">L")


class Setting(IntEnum):
    """SETTINGS parameters."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class ErrorCode(IntEnum):
    """The error codes of streams and connections."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


class H2ConnectionError(Exception):
    """A connection error: the client violated the protocol, and the connection must be closed."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class H2StreamError(Exception):
    """A stream error: the client violated the protocol on one stream."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Return a frame."""
    size = len(payload)
    return FRAME_HEADER.pack(size >> 8, size & 0xFF, kind, flags, stream_id) + payload


def settings_frame(settings: dict[Setting, int]) -> bytes:
    """Return a SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*pair) for pair in settings.items()))


def read_settings(payload: bytes) -> dict[int, int]:
    """Return the parameters of a SETTINGS frame, including unknown ones.

    Raises:
        H2ConnectionError: a value is invalid.
    """
    if len(payload) % _SETTING.size:
        raise H2ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS is not a multiple of 6 bytes")
    settings = dict(_SETTING.iter_unpack(payload))
    if settings.get(Setting.ENABLE_PUSH, 0) > 1:
        raise H2ConnectionError(ErrorCode.PROTOCOL_ERROR, "ENABLE_PUSH is neither 0 nor 1")
    if settings.get(Setting.INITIAL_WINDOW_SIZE, 0) > LARGEST_WINDOW:
        raise H2ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE is above 2^31-1")
    if not DEFAULT_MAX_FRAME <= settings.get(Setting.MAX_FRAME_SIZE, DEFAULT_MAX_FRAME) <= LARGEST_FRAME:
        raise H2ConnectionError(ErrorCode.PROTOCOL_ERROR, "MAX_FRAME_SIZE is out of range")
    return settings


def long(number: int) -> bytes:
    """Return a number as 32 bits, as in increments, error codes and stream identifiers."""
    return _LONG.pack(number)


def read_long(payload: bytes) -> int:
    """Read a number of 31 bits; the reserved first bit is ignored."""
    (number,) = _LONG.unpack_from(payload)
    return int(number) & STREAM_MASK


def goaway_frame(last_stream_id: int, code: ErrorCode, why: str = "") -> bytes:
    """Return a GOAWAY frame."""
    return frame(GOAWAY, 0, 0, long(last_stream_id) + long(code) + why.encode())


def unpad(flags: int, payload: bytes) -> bytes:
    """Return a payload without its padding.

    Raises:
        H2ConnectionError: there is more padding than payload.
    """
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise H2ConnectionError(ErrorCode.PROTOCOL_ERROR, "more padding than payload")
    return payload[1 : len(payload) - payload[0]]
