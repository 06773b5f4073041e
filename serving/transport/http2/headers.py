"""Header blocks: HPACK by the `hpack` package, with a cache of decoded blocks, and the rules of RFC 9113, section 8.

A client sends nearly the same headers with every call and, once they are in its table, the same few bytes. As long as
the table does not change, the same bytes mean the same headers, which then are neither decoded nor checked again.
"""

from collections.abc import Sequence
from typing import Any

from hpack import Decoder, HPACKError
from hpack.exceptions import OversizedHeaderListError
from hpack.table import HeaderTable

from serving.transport.http2.frames import ErrorCode, H2ConnectionError

LARGEST_HEADER_LIST = 65_536
_MOST_HEADERS = 256
#: What a header costs in memory beside its bytes, about: many small ones are more than their size (CVE-2026-49975).
_HEADER_BYTES = 128
_REMEMBERED = 64
_REMEMBERED_BYTES = 1024
_REMEMBERED_SIZE = 16_384
_PSEUDO = (b":method", b":scheme", b":path", b":authority")
_NEEDED = {b":method", b":scheme", b":path"}
_LONGEST_NUMBER = 20  # in digits
_CONNECTION_SPECIFIC = (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")


class Head:
    """The headers of a request.

    Attributes:
        fields: all of them, pseudo-headers first.
        fault: why they are invalid for a request; empty if they are valid.
        content_length: the value of content-length; -1 if there is none.
        size: about how many bytes of memory they take.
        memo: for the application, to cache what it has determined from these headers.
    """

    __slots__ = ("content_length", "fault", "fields", "memo", "size")

    def __init__(self, fields: Sequence[tuple[bytes, bytes]]) -> None:
        self.fields = fields
        self.fault = _fault(fields)
        length = self.get(b"content-length")
        self.content_length = int(length) if length.isdigit() and len(length) < _LONGEST_NUMBER else -1
        self.size = sum(_HEADER_BYTES + len(name) + len(value) for name, value in fields)
        self.memo: Any = None

    def get(self, name: bytes) -> bytes:
        """Return the first value of a header; empty if it is missing."""
        for key, value in self.fields:
            if key == name:
                return value
        return b""


if not hasattr(HeaderTable, "_shrink"):
    raise ImportError(
        "hpack.table.HeaderTable no longer has _shrink, which tells when headers leave the table; "
        "without it cached headers would be wrong. Install the hpack version in requirements/lock.txt"
    )


class _Table(HeaderTable):
    """A header table that counts its changes."""

    def __init__(self) -> None:
        super().__init__()
        self.changes = 0

    def add(self, name: bytes, value: bytes) -> None:
        self.changes += 1
        super().add(name, value)

    def _shrink(self) -> None:
        self.changes += 1
        super()._shrink()


class HeaderDecoder:
    """Decodes the header blocks of one connection, in the order in which they arrive."""

    def __init__(self) -> None:
        self._decoder = Decoder(max_header_list_size=LARGEST_HEADER_LIST)
        self._table = _Table()
        self._decoder.header_table = self._table
        self._heads: dict[bytes, Head] = {}

    def decode(self, block: bytes) -> Head:
        """Return the headers of a block.

        Raises:
            H2ConnectionError: the block cannot be decoded, after which no other can.
        """
        head = self._heads.get(block)
        if head is not None:
            return head
        changes = self._table.changes
        try:
            head = Head(
                [(bytes(name), bytes(value)) for name, value in self._decoder.decode(block, raw=True)]
            )
        except OversizedHeaderListError as error:
            raise H2ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "the headers are too large") from error
        except HPACKError as error:
            raise H2ConnectionError(ErrorCode.COMPRESSION_ERROR, f"HPACK: {error}") from error
        if len(head.fields) > _MOST_HEADERS:
            raise H2ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "there are too many headers")
        if self._table.changes != changes:
            self._heads.clear()
        elif len(block) <= _REMEMBERED_BYTES and head.size <= _REMEMBERED_SIZE:
            if len(self._heads) >= _REMEMBERED:
                self._heads.clear()
            self._heads[block] = head
        return head


def trailer_fault(head: Head) -> str:
    """Return why headers are invalid as trailers; empty if they are valid."""
    return "pseudo-headers in trailers" if any(name[:1] == b":" for name, _ in head.fields) else ""


def literal(name: bytes, value: bytes) -> bytes:
    """Return a header as an HPACK literal without indexing, not compressed."""
    return b"\x00" + _string(name) + _string(value)


def status(code: int) -> bytes:
    """Return the pseudo-header :status."""
    return b"\x88" if code == 200 else b"\x08" + _string(b"%d" % code)


def _string(text: bytes) -> bytes:
    size = len(text)
    if size < 0x7F:
        return bytes((size,)) + text
    out = bytearray(b"\x7f")
    size -= 0x7F
    while size >= 0x80:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    return bytes(out) + text


def _fault(fields: Sequence[tuple[bytes, bytes]]) -> str:
    seen: set[bytes] = set()
    regular = False
    for name, value in fields:
        if b"\n" in value or b"\r" in value or b"\0" in value:
            return f"the value of {name!r} has a line break or a NUL"
        if name == b"content-length" and not (value.isdigit() and len(value) < _LONGEST_NUMBER):
            return "content-length is not a number"
        if name[:1] == b":":
            if regular:
                return "a pseudo-header after regular headers"
            if name not in _PSEUDO or name in seen:
                return f"the pseudo-header {name!r} is unknown or repeated"
            seen.add(name)
            continue
        regular = True
        if name != name.lower() or not name:
            return f"the header name {name!r} is not lowercase"
        if name in _CONNECTION_SPECIFIC or (name == b"te" and value != b"trailers"):
            return f"the header {name!r} is not allowed in HTTP/2"
    if not seen >= _NEEDED:
        return f"one of the pseudo-headers {sorted(_NEEDED)} is missing"
    return "the path is empty" if (b":path", b"") in fields else ""
