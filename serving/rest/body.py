"""A request's body, unpacked where it is compressed, and never more of it than is allowed."""

import gzip
import io
import zlib

from serving.errors import Code, ServingError, invalid
from serving.transport.http1.message import Request


def read_body(request: Request, limit: int) -> bytes:
    """The whole body, unpacked.

    Raises:
        ServingError: RESOURCE_EXHAUSTED if it is larger than `limit`; UNIMPLEMENTED for another compression than
            gzip; INVALID_ARGUMENT if it is not what it says.
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
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(request.body)) as file:
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
