"""Converts TensorProto to numpy and back, without the generic helpers, which cost more than a small model's run."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from serving.errors import Code, ServingError, invalid
from serving.messages import dtypes
from serving.messages.dtypes import Array
from serving.messages.protos import tensor_pb2

# The repeated field with the values of each type, unless they are packed into tensor_content.
_FIELDS = {
    "DT_FLOAT": "float_val",
    "DT_DOUBLE": "double_val",
    "DT_INT32": "int_val",
    "DT_INT16": "int_val",
    "DT_INT8": "int_val",
    "DT_UINT8": "int_val",
    "DT_UINT16": "int_val",
    "DT_INT64": "int64_val",
    "DT_UINT32": "uint32_val",
    "DT_UINT64": "uint64_val",
    "DT_BOOL": "bool_val",
    "DT_STRING": "string_val",
    "DT_HALF": "half_val",
    "DT_BFLOAT16": "half_val",
    "DT_COMPLEX64": "scomplex_val",
    "DT_COMPLEX128": "dcomplex_val",
}
# Types whose values are sent as another type: bit patterns, or pairs of real and imaginary part.
_CARRIED_AS = {
    "DT_HALF": np.uint16,
    "DT_BFLOAT16": np.uint16,
    "DT_COMPLEX64": np.float32,
    "DT_COMPLEX128": np.float64,
}
# Types whose field has the same bytes on the wire as the array in memory (all supported machines are little-endian),
# and the tag of that field, for packed values.
_SAME_BYTES = {
    name: bytes((tensor_pb2.TensorProto.DESCRIPTOR.fields_by_name[_FIELDS[name]].number << 3 | 2,))
    for name in ("DT_FLOAT", "DT_DOUBLE", "DT_BOOL", "DT_COMPLEX64", "DT_COMPLEX128")
}
#: So many bytes may all tensors of a request have that are not in the message, but stand for its last value.
_LARGEST_FILL = 1 << 26
_LARGEST_SHAPE = 1 << 48
#: So many values are written in one go, which lets nobody else run: a few milliseconds.
_AT_ONCE = 1 << 16


def to_arrays(protos: Mapping[str, Any], check: Callable[[str, tuple[int, ...]], None]) -> dict[str, Array]:
    """Return the tensors of a request by alias, after a look at the shapes of all of them.

    Args:
        protos: TensorProtos by alias.
        check: raises for a shape that is not allowed.

    Raises:
        ServingError: a message is not a complete tensor of a supported type, or together they declare much more than
            they contain (INVALID_ARGUMENT).
    """
    filled = 0
    shapes = {}
    for alias, proto in protos.items():
        shape = shapes[alias] = _shape(proto, alias)
        check(alias, shape)
        name = dtypes.NAMES.get(proto.dtype, "DT_INVALID")
        if name in _FIELDS and not proto.tensor_content:
            size = math.prod(shape)
            if len(getattr(proto, _FIELDS[name])) < size:
                filled += size * dtypes.NUMPY[name].itemsize
            if filled > _LARGEST_FILL:
                raise _bomb(alias, size)
    return {alias: _to_array(proto, alias, shapes[alias]) for alias, proto in protos.items()}


def count_values(protos: Mapping[str, Any]) -> int:
    """Return how many values the tensors of a request have that are not packed: reading those takes long."""
    return sum(
        len(getattr(proto, _FIELDS[name]))
        for proto in protos.values()
        if (name := dtypes.NAMES.get(proto.dtype, "")) in _FIELDS
    )


def to_array(proto: Any, alias: str) -> Array:
    """Return the tensor of a message.

    Args:
        proto: a TensorProto.
        alias: the input's name, for errors.

    Raises:
        ServingError: the message is not a complete tensor of a supported type (INVALID_ARGUMENT).
    """
    return _to_array(proto, alias, _shape(proto, alias))


def _to_array(proto: Any, alias: str, shape: tuple[int, ...]) -> Array:
    name = dtypes.NAMES.get(proto.dtype, "DT_INVALID")
    if name not in _FIELDS:
        raise invalid(f"input '{alias}' has the dtype {name} ({proto.dtype}), which cannot be an input")
    dtype = dtypes.NUMPY[name]
    size = math.prod(shape)
    content = proto.tensor_content
    if content:
        return _unpack(content, dtype, shape, size, alias)
    values = getattr(proto, _FIELDS[name])
    if name == "DT_STRING":
        if len(values) != size and size > _LARGEST_FILL // dtype.itemsize:
            raise _bomb(alias, size)
        strings = np.empty(size, dtype=object)
        strings[: len(values)] = values[:size]
        strings[len(values) :] = values[-1] if values else b""
        return strings.reshape(shape)
    if name in _CARRIED_AS:
        try:
            flat = np.array(values, _CARRIED_AS[name])
        except OverflowError as error:
            raise invalid(f"input '{alias}': {error}") from None
        if len(flat) % 2 and dtype.kind == "c":
            raise invalid(f"input '{alias}' has a real part without an imaginary one")
        flat = flat.view(dtype)
    else:
        # An out-of-range value wraps, as in a C++ cast.
        flat = np.array(values, np.int64 if _FIELDS[name] == "int_val" else dtype).astype(dtype, copy=False)
    return _fill(flat, shape, size, alias)


def to_proto(value: Array, *, packed: bool = False) -> Any:
    """Return a tensor as a TensorProto; `packed` puts its bytes into tensor_content."""
    proto = tensor_pb2.TensorProto()
    fill(proto, value, packed=packed)
    return proto


def fill(proto: Any, value: Array, *, packed: bool = False) -> None:
    """Fill an empty TensorProto, such as one inside a response, which saves a copy."""
    name = dtypes.name_of(value.dtype)
    proto.dtype = dtypes.NUMBERS[name]
    add = proto.tensor_shape.dim.add
    for size in value.shape:
        add().size = size
    if name == "DT_STRING":
        flat = value.ravel().tolist()
        proto.string_val.extend(item if isinstance(item, bytes) else str(item).encode() for item in flat)
    elif packed:
        proto.tensor_content = value.tobytes()
    elif name in _SAME_BYTES:
        data = value.tobytes()
        proto.MergeFromString(_SAME_BYTES[name] + _varint(len(data)) + data)
    else:
        flat_array = value.ravel()
        if name in _CARRIED_AS:
            flat_array = np.ascontiguousarray(flat_array).view(_CARRIED_AS[name])
        field = getattr(proto, _FIELDS[name])
        for start in range(0, flat_array.size, _AT_ONCE):
            field.extend(flat_array[start : start + _AT_ONCE].tolist())


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _shape(proto: Any, alias: str) -> tuple[int, ...]:
    if proto.tensor_shape.unknown_rank:
        raise invalid(f"input '{alias}' has a shape of unknown rank")
    shape = tuple([dim.size for dim in proto.tensor_shape.dim])
    if shape and min(shape) < 0:
        raise invalid(f"input '{alias}' has the shape {list(shape)}; sizes must not be negative")
    if len(shape) > 32:
        raise invalid(f"input '{alias}' has {len(shape)} dimensions; at most 32 are supported")
    # Checked even if another size is 0, so that the tensor is empty: numpy rejects such a shape.
    if math.prod(filter(None, shape)) > _LARGEST_SHAPE:
        raise invalid(f"input '{alias}' has the shape {list(shape)}, which is too large for any tensor")
    return shape


def _unpack(content: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], size: int, alias: str) -> Array:
    if dtype.kind == "O":
        raise invalid(f"input '{alias}' holds strings; put them into string_val, not tensor_content")
    if len(content) != size * dtype.itemsize:
        raise invalid(
            f"input '{alias}': tensor_content has {len(content)} bytes, the shape {list(shape)} needs "
            f"{size * dtype.itemsize}"
        )
    if dtype.kind == "b":  # bytes other than 0 and 1 are not booleans
        flags: Array = np.frombuffer(content, np.uint8) != 0
        return flags.reshape(shape)
    return np.frombuffer(content, dtype).reshape(shape)


def _fill(flat: Array, shape: tuple[int, ...], size: int, alias: str) -> Array:
    """Return as many values as the shape needs: the last one is repeated for missing ones, extra ones are dropped."""
    if len(flat) == size:
        return flat.reshape(shape)
    if size > _LARGEST_FILL // max(flat.itemsize, 1):
        raise _bomb(alias, size)
    if len(flat) > size:
        return flat[:size].reshape(shape)
    full = np.zeros(size, flat.dtype)
    if len(flat):
        full[: len(flat)] = flat
        full[len(flat) :] = flat[-1]
    return full.reshape(shape)


def _bomb(alias: str, size: int) -> ServingError:
    return ServingError(
        Code.INVALID_ARGUMENT, f"input '{alias}' declares {size} elements but does not contain them"
    )
