"""Tensors on their way between processes: strings as one piece of bytes, as pickle would stop everything for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.offload.offload import Offload

Array = np.ndarray[Any, Any]

_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class Strings:
    """A tensor of strings.

    Attributes:
        data: all strings, one after the other.
        ends: int64, where each of them ends.
        shape: of the tensor.
    """

    data: bytes
    ends: Array
    shape: tuple[int, ...]


Packed = dict[str, Array | Strings]


def pack(tensors: Mapping[str, Array]) -> Packed:
    """Return tensors as they travel."""
    packed: Packed = {}
    for alias, value in tensors.items():
        if value.dtype.kind == "O":
            strings = value.ravel().tolist()
            ends = np.cumsum(np.fromiter(map(len, strings), np.int64, len(strings)))
            packed[alias] = Strings(b"".join(strings), ends, value.shape)
        else:
            packed[alias] = value
    return packed


async def unpacked(packed: Packed, offload: Offload) -> dict[str, Array]:
    """Return tensors that have travelled. Many strings take long, so this is done in a thread."""
    tensors = {}
    for alias, value in packed.items():
        if isinstance(value, Strings):
            tensors[alias] = await offload.by_size(len(value.ends), _unpack, value)
        else:
            tensors[alias] = value
    return tensors


def _unpack(packed: Strings) -> Array:
    strings = np.empty(len(packed.ends), object)
    start = 0
    for first in range(0, len(packed.ends), _AT_ONCE):
        for place, end in enumerate(packed.ends[first : first + _AT_ONCE].tolist(), first):
            strings[place] = packed.data[start:end]
            start = end
    return strings.reshape(packed.shape)
