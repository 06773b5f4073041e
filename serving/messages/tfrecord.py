"""Reads and writes TFRecord files, records with lengths and checksums, without TensorFlow."""

import struct
from collections.abc import Iterator
from pathlib import Path

import google_crc32c

from serving.errors import UserError

_LENGTH = struct.Struct("<Q")
_CHECK = struct.Struct("<I")
_HEAD = _LENGTH.size + _CHECK.size


class RecordError(UserError, ValueError):
    """The file is damaged; the message says where."""


def frame(data: bytes) -> bytes:
    """Return a record as it is written to a file."""
    length = _LENGTH.pack(len(data))
    return length + _CHECK.pack(_masked(length)) + data + _CHECK.pack(_masked(data))


def read_records(path: Path) -> Iterator[bytes]:
    """Yield the records of a file.

    Raises:
        RecordError: a checksum does not match, or the file ends in the middle of a record.
    """
    with path.open("rb") as file:
        number = 0
        while head := file.read(_HEAD):
            where = f"{path}: record {number}"
            if len(head) < _HEAD or _CHECK.unpack(head[_LENGTH.size :])[0] != _masked(head[: _LENGTH.size]):
                raise RecordError(f"{where}: its length is truncated or damaged")
            (length,) = _LENGTH.unpack(head[: _LENGTH.size])
            data = file.read(length)
            check = file.read(_CHECK.size)
            if len(data) < length or len(check) < _CHECK.size:
                raise RecordError(f"{where}: the file ends in the middle of it")
            if _CHECK.unpack(check)[0] != _masked(data):
                raise RecordError(f"{where}: its checksum does not match")
            yield data
            number += 1


def _masked(data: bytes) -> int:
    # TFRecord masks CRC-32C (rotation and addition), so that records inside a record have different checksums.
    crc = int(google_crc32c.value(data))
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
