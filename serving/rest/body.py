"""Request bodies as they arrive: their size and their encoding."""

import gzip
import io
import zlib

from serving.errors import Code, ServingError, invalid
from serving.transport.http1.message import Request

#: So large may a body be after decompression, whatever --max_request_bytes says; TensorFlow Serving's limit.
_MOST_UNPACKED = 100 << 20


def encoding_of(request: Request) -> bytes:
    """Return the encoding of a body; empty if it is as it is."""
    encoding = request.header(b"content-encoding").lower()
    return b"" if encoding == b"identity" else encoding


def check_body(request: Request, limit: int) -> None:
    """Check what can be known of a body without reading it.

    Raises:
        ServingError: it is larger than `limit` (RESOURCE_EXHAUSTED), or its compression is not gzip (INVALID_ARGUMENT).
    """
    if request.oversized:
        raise ServingError(
            Code.RESOURCE_EXHAUSTED,
            f"the body is larger than the {limit} bytes that this server accepts (--max_request_bytes)",
        )
    encoding = encoding_of(request)
    if encoding not in (b"", b"gzip", b"x-gzip"):
        raise invalid(f"Content-Encoding {encoding.decode('latin-1')} is not supported; use gzip")


def decompressed(data: bytes, limit: int, *, more: bool = False) -> bytes:
    """Return a gzip body decompressed, but never more of it than the limit.

    Args:
        data: the body.
        limit: in bytes.
        more: return one byte more than the limit if there is more, and raise nothing then.

    Raises:
        ServingError: there is more (RESOURCE_EXHAUSTED), or it is not valid gzip (INVALID_ARGUMENT).
    """
    limit = min(limit, _MOST_UNPACKED)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            unpacked = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise invalid(f"the body is not valid gzip, despite its Content-Encoding: {error}") from None
    if len(unpacked) > limit and not more:
        raise ServingError(
            Code.RESOURCE_EXHAUSTED,
            f"the body is larger than the {limit} bytes that it may have once decompressed",
        )
    return unpacked
