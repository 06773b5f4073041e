"""Reads request bodies: decompresses them, but never to more than the limit."""

import gzip
import io
import zlib

from serving.errors import Code, ServingError, invalid
from serving.transport.http1.message import Request

#: So large may a body be after decompression, whatever --max_request_bytes says; TensorFlow Serving's limit.
_MOST_UNPACKED = 100 << 20


def read_body(request: Request, limit: int) -> bytes:
    """Return the complete body, decompressed.

    Raises:
        ServingError: the body is larger than `limit` (RESOURCE_EXHAUSTED), its compression is not gzip
            (UNIMPLEMENTED), or it is not valid gzip (INVALID_ARGUMENT).
    """
    if request.oversized:
        raise _too_large(limit)
    encoding = request.header(b"content-encoding").lower()
    if encoding in (b"", b"identity"):
        return request.body
    if encoding not in (b"gzip", b"x-gzip"):
        raise ServingError(
            Code.UNIMPLEMENTED, f"Content-Encoding {encoding.decode('latin-1')} is not supported; use gzip"
        )
    limit = min(limit, _MOST_UNPACKED)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(request.body)) as file:
            unpacked = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise invalid(f"the body is not valid gzip, despite its Content-Encoding: {error}") from None
    if len(unpacked) > limit:
        raise ServingError(
            Code.RESOURCE_EXHAUSTED,
            f"the body is larger than the {limit} bytes that it may have once decompressed",
        )
    return unpacked


def _too_large(limit: int) -> ServingError:
    return ServingError(
        Code.RESOURCE_EXHAUSTED,
        f"the body is larger than the {limit} bytes that this server accepts (--max_request_bytes)",
    )
