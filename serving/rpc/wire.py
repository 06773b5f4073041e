"""gRPC's wire format on top of HTTP/2: messages, timeouts, status."""

import re
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote_from_bytes

from google.protobuf.message import DecodeError

from serving.errors import Code, ServingError, invalid
from serving.transport.http2.headers import literal, status

#: A compressed message of a method that takes large ones is decompressed at once to so many bytes.
_AT_ONCE = 1 << 18
#: A larger message of such a method is not joined.
LARGE = 1 << 20
PREFIX = struct.Struct(">BL")
ENCODINGS = {b"gzip": 31, b"deflate": 15}  # with zlib's window bits
_TIMEOUT = re.compile(rb"(\d{1,8})([HMSmun])")
_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_PLAIN = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
_CONTENT_TYPE = literal(b"content-type", b"application/grpc")

RESPONSE = status(200) + _CONTENT_TYPE + literal(b"grpc-accept-encoding", b"identity,deflate,gzip")
"""The header block of a response with messages."""

OK_TRAILERS = literal(b"grpc-status", b"0")
"""The trailers of a successful response."""


def trailers(code: Code, message: str) -> bytes:
    """Return the trailers of a response."""
    if code is Code.OK:
        return OK_TRAILERS
    # Percent-encoded, except for printable ASCII.
    text = quote_from_bytes(message.encode("utf-8", "replace"), safe=_PLAIN).encode()
    return literal(b"grpc-status", b"%d" % code) + (literal(b"grpc-message", text) if text else b"")


def trailers_only(code: Code, message: str) -> bytes:
    """Return the header block of a response without messages (Trailers-Only)."""
    return RESPONSE + trailers(code, message)


def frame_message(data: bytes) -> bytes:
    """Return a message as it is sent in DATA: length-prefixed and uncompressed."""
    return PREFIX.pack(0, len(data)) + data


@lru_cache(256)
def read_timeout(value: bytes) -> float | None:
    """Return the seconds of a grpc-timeout; None if it is empty.

    Raises:
        ServingError: the value is invalid.
    """
    if not value:
        return None
    match = _TIMEOUT.fullmatch(value)
    if not match:
        raise ServingError(Code.INTERNAL, f"invalid grpc-timeout: {value.decode('latin-1')!r}")
    return int(match[1]) * _UNITS[match[2]]


@dataclass(frozen=True, slots=True)
class Compressed:
    """A message that is large once decompressed, which is left to others.

    Attributes:
        data: as it came.
        encoding: how it is compressed.
        limit: the size that it may have once decompressed.
    """

    data: bytes | list[bytes]
    encoding: bytes
    limit: int


def parse(message_type: Any, data: bytes) -> Any:
    """Parse a message.

    Raises:
        ServingError: it is not one of this type (INVALID_ARGUMENT).
    """
    try:
        return message_type.FromString(data)
    except DecodeError as error:
        name = message_type.DESCRIPTOR.full_name
        raise invalid(f"the request is not a valid {name}: {error}") from None


def decompress(data: bytes, encoding: bytes, limit: int, *, more: bool = False) -> bytes:
    """Decompress a message, but never to more than the limit.

    Args:
        data: the message.
        encoding: how it is compressed.
        limit: in bytes.
        more: return one byte more than the limit if there is more, and raise nothing then.

    Raises:
        ServingError: the data is invalid (INTERNAL), or the message is too large (RESOURCE_EXHAUSTED).
    """
    unpacker = zlib.decompressobj(ENCODINGS[_checked(encoding)])
    try:
        unpacked = unpacker.decompress(data, limit + 1)
    except zlib.error as error:
        raise ServingError(Code.INTERNAL, f"the message is not valid {encoding.decode()}: {error}") from None
    if len(unpacked) > limit:
        if more:
            return unpacked
        raise too_large(len(unpacked), limit)
    if not unpacker.eof:
        raise ServingError(Code.INTERNAL, f"the message's {encoding.decode()} is truncated")
    return unpacked


def _checked(encoding: bytes) -> bytes:
    if encoding not in ENCODINGS:
        raise ServingError(Code.INTERNAL, "a compressed message without a grpc-encoding")
    return encoding


def too_large(size: int, limit: int) -> ServingError:
    """Return the error for a message above the limit."""
    return ServingError(
        Code.RESOURCE_EXHAUSTED, f"Received message larger than max ({size} vs. {limit}; --max_request_bytes)"
    )


#: What a method gets: only methods that read large messages apart get them in parts, or compressed.
Message = bytes | list[bytes] | Compressed


def size_of(message: Message) -> int:
    """Return the number of bytes of a message as it came."""
    data = message.data if isinstance(message, Compressed) else message
    return len(data) if isinstance(data, bytes) else sum(map(len, data))


class MessageReader:
    """Assembles messages from DATA.

    Args:
        encoding: the grpc-encoding.
        limit: the maximum size of a message.
        apart: whether compressed messages that become large are returned as they came.

    Attributes:
        size: how many bytes of an incomplete message have arrived.
    """

    __slots__ = ("_apart", "_encoding", "_limit", "_need", "_parts", "size")

    def __init__(self, encoding: bytes, limit: int, *, apart: bool = False) -> None:
        self._encoding = encoding
        self._apart = apart
        self._limit = limit
        self._parts: list[bytes] = []
        self.size = 0
        self._need = PREFIX.size

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that this data completes.

        Raises:
            ServingError: a message is too large or cannot be decompressed.
        """
        self._parts.append(data)
        self.size += len(data)
        messages: list[Message] = []
        while self.size >= self._need:
            if self._apart and self._need > LARGE:
                messages.append(self._large())
                continue
            whole = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            compressed, length = PREFIX.unpack_from(whole)
            if length > self._limit:
                raise too_large(length, self._limit)
            end = PREFIX.size + length
            self._need = end
            if self.size < end:
                self._parts = [whole]
                break
            message = whole[PREFIX.size : end]
            messages.append(self._decompressed(message) if compressed else message)
            self._keep(whole[end:])
        return messages

    def _large(self) -> Message:
        """Return a large message in its parts: to join them would hold the event loop."""
        parts, beyond = self._parts, self.size - self._need
        compressed = parts[0][0]  # the first part has been seen to have the prefix
        last = parts[-1]
        parts[-1] = last[: len(last) - beyond]
        parts[0] = parts[0][PREFIX.size :]
        self._keep(last[len(last) - beyond :])
        return Compressed(parts, _checked(self._encoding), self._limit) if compressed else parts

    def _keep(self, rest: bytes) -> None:
        self._parts = [rest] if rest else []
        self.size = len(rest)
        self._need = PREFIX.size

    def _decompressed(self, message: bytes) -> Message:
        if not self._apart:
            return decompress(message, self._encoding, self._limit)
        some = decompress(message, self._encoding, min(self._limit, _AT_ONCE), more=self._limit > _AT_ONCE)
        return some if len(some) <= _AT_ONCE else Compressed(message, self._encoding, self._limit)
