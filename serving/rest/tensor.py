"""Converts a JSON value to a tensor, value by value: slow, but able to say what is wrong and where."""

import base64
import binascii
from itertools import chain
from typing import Any

import numpy as np

from serving.errors import Code, ServingError, invalid
from serving.messages import dtypes
from serving.messages.dtypes import Array
from serving.rest.values import debug_string, type_name

_AT_ONCE = 512
FLOATS = ("DT_FLOAT", "DT_DOUBLE")
#: One less than numpy has, because rows are stacked.
MOST_DIMENSIONS = 63
INTEGERS = {
    "DT_INT32": (-(2**31), 2**31 - 1),
    # TensorFlow Serving checks the small types as if they had 32 bits, and lets them wrap.
    "DT_INT16": (-(2**31), 2**31 - 1),
    "DT_INT8": (-(2**31), 2**31 - 1),
    "DT_UINT8": (-(2**31), 2**31 - 1),
    "DT_INT64": (-(2**63), 2**63 - 1),
    "DT_UINT32": (0, 2**32 - 1),
    "DT_UINT64": (0, 2**64 - 1),
}


def tensor(value: Any, dtype: str) -> Array:
    """Return the tensor of any JSON value, checked value by value.

    Raises:
        ServingError: a value has the wrong type or is in the wrong place; the message names it.
    """
    shape: list[int] = []
    probe = value
    while isinstance(probe, list):
        shape.append(len(probe))
        if not probe:
            break
        probe = probe[0]
    if len(shape) > MOST_DIMENSIONS:
        raise invalid(
            f"Lists are nested {len(shape)} deep, tensors here have at most {MOST_DIMENSIONS} dimensions"
        )
    flat: list[Any] = []
    _fill(value, 0, dtype, shape, flat)
    return _made(flat, dtype, shape)


def _fill(value: Any, level: int, dtype: str, shape: list[int], flat: list[Any]) -> None:
    rank = len(shape)
    if not isinstance(value, list):
        if level != rank:
            raise invalid(
                f"JSON Value: {debug_string(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {rank}"
            )
        flat.append(_scalar(value, dtype))
        return
    if level >= rank:
        raise invalid(f"Encountered list at unexpected level: {level} expected < {rank}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} "
            f"expected size: {shape[level]}"
        )
    if level + 1 < rank:
        for item in value:
            _fill(item, level + 1, dtype, shape, flat)
        return
    for start in range(0, len(value), _AT_ONCE):
        some = value[start : start + _AT_ONCE]
        if (plain := _plain(some, dtype)) is not None:
            flat.extend(plain)
        else:
            for item in some:
                _fill(item, rank, dtype, shape, flat)


def tensor_of_plain(values: list[Any], dtype: str) -> Array | None:
    """Return the tensor of rows that are plain values, or equal lists of them; None if they are anything else."""
    shape = [len(values)]
    while values and isinstance(values[0], list):
        shape.append(len(values[0]))
        if len(shape) > MOST_DIMENSIONS or set(map(type, values)) != {list} or len(set(map(len, values))) > 1:
            return None
        values = list(chain.from_iterable(values))
    plain = _plain(values, dtype)
    return None if plain is None else _made(plain, dtype, shape)


def _plain(values: list[Any], dtype: str) -> list[Any] | None:
    """Return values as they go into a tensor if all are of its type, and none needs a second look; else None."""
    kinds = set(map(type, values))
    if not kinds:
        return []
    if dtype == "DT_STRING" and kinds == {str}:
        try:
            return [text.encode("utf-8", "surrogateescape") for text in values]
        except UnicodeEncodeError:
            return None
    if dtype in INTEGERS and kinds == {int}:
        low, high = INTEGERS[dtype]
        return values if low <= min(values) and max(values) <= high else None
    if (dtype in FLOATS and kinds and kinds <= {int, float}) or (dtype == "DT_BOOL" and kinds == {bool}):
        return values
    return None


def _made(flat: list[Any], dtype: str, shape: list[int]) -> Array:
    if dtype == "DT_STRING":
        strings = np.empty(len(flat), dtype=object)
        strings[:] = flat
        return strings.reshape(shape)
    with np.errstate(over="ignore"):
        wide = np.array(flat, dtype=np.int64) if dtype in ("DT_INT8", "DT_INT16", "DT_UINT8") else flat
        return np.asarray(wide).astype(dtypes.NUMPY[dtype]).reshape(shape)


def _scalar(value: Any, dtype: str) -> Any:
    if dtype == "DT_STRING":
        if isinstance(value, dict):
            return decode_base64(value)
        if isinstance(value, str):
            return text_bytes(value)
    elif dtype in FLOATS:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif dtype in INTEGERS:
        low, high = INTEGERS[dtype]
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
    elif dtype == "DT_BOOL":
        if isinstance(value, bool):
            return value
    else:
        raise ServingError(
            Code.UNIMPLEMENTED,
            f"Conversion of JSON Value: {debug_string(value)} to type: {dtype.removeprefix('DT_').lower()}",
        )
    raise invalid(
        f"JSON Value: {debug_string(value)} Type: {type_name(value)} is not of expected type: "
        f"{dtype.removeprefix('DT_').lower()}"
    )


def text_bytes(text: str) -> bytes:
    """Return the bytes of a JSON string.

    Raises:
        ServingError: it contains half of a surrogate pair, which has no encoding.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise invalid("JSON Parse error: The surrogate pair in string is invalid.") from None


def decode_base64(value: Any) -> bytes:
    """Return the bytes of `{"b64": "…"}`; the padding may be missing.

    Raises:
        ServingError: the value is not such an object, or not valid base64.
    """
    if not is_base64(value):
        raise invalid(f"JSON Value: {debug_string(value)} not formatted correctly for base64 data")
    text = value["b64"]
    try:
        padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
        return base64.b64decode(padded, validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Unable to base64 decode") from None


def is_base64(value: Any) -> bool:
    """Return whether a JSON value is an object with the single key "b64" and a string."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)
