"""Reads a request's body, compressed or not, and never more of it than is allowed."""

import gzip
import io
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from serving.errors import Code, ServingError, invalid

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


async def read_body(scope: Message, receive: Receive, limit: int) -> bytes:
    """The whole body, unpacked.

    Raises:
        ServingError: RESOURCE_EXHAUSTED if it is larger than `limit`; CANCELLED if the client went away.
    """
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ServingError(Code.CANCELLED, "the client went away")
        part: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(part)
        if size <= limit:  # what is beyond is read, so that the client gets to see the answer, and dropped
            parts.append(part)
    if size > limit:
        raise _too_large(limit)
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    encoding = next((value for key, value in scope["headers"] if key == b"content-encoding"), b"").lower()
    return _decompress(data, encoding, limit) if encoding not in (b"", b"identity") else data


def _decompress(data: bytes, encoding: bytes, limit: int) -> bytes:
    if encoding not in (b"gzip", b"x-gzip"):
        raise ServingError(
            Code.UNIMPLEMENTED, f"Content-Encoding {encoding.decode('latin-1')} is not supported; use gzip"
        )
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            unpacked = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise invalid(f"the body is not gzip as its Content-Encoding says: {error}") from None
    if len(unpacked) > limit:
        raise _too_large(limit)
    return unpacked


def _too_large(limit: int) -> ServingError:
    return ServingError(
        Code.RESOURCE_EXHAUSTED,
        f"the body is larger than the {limit} bytes that this server takes (--max_request_bytes)",
    )
