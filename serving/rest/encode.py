"""Converts tensors to JSON, with TensorFlow Serving's structure and number formats (but without its whitespace)."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
import orjson

from serving.errors import Code, ServingError, invalid
from serving.messages.calls import Classifications, Regressions
from serving.messages.dtypes import Array

_BYTES_SUFFIX = "_bytes"
#: So many numbers, or rows of anything, are encoded in one go: a millisecond or two.
_AT_ONCE = 1 << 14
_ROWS_AT_ONCE = 1 << 12

Buffer = bytes | memoryview


def prediction(outputs: Mapping[str, Array], by_row: bool) -> bytearray:
    """Return a predict response: "predictions" by rows, or "outputs" by columns.

    Raises:
        ServingError: an output has a type that JSON cannot represent, or the outputs differ in their number of rows.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    if not by_row:
        columns = {name: _values(name, value) for name, value in outputs.items()}
        if len(columns) == 1:
            return _document(b'{"outputs":', _tensor(next(iter(columns.values()))), b"}")
        named = ((b"%s:" % orjson.dumps(name), _tensor(value)) for name, value in columns.items())
        return _document(b'{"outputs":{', _separated(chain([name], text) for name, text in named), b"}}")
    rows = -1
    for name, value in sorted(outputs.items()):
        if value.ndim == 0:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if rows >= 0 and value.shape[0] != rows:
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: {value.shape[0]} expecting: {rows}"
            )
        rows = value.shape[0]
    values = {name: _values(name, value) for name, value in outputs.items()}
    if len(values) == 1:
        return _document(b'{"predictions":', _tensor(next(iter(values.values()))), b"}")
    step = max(1, _AT_ONCE * rows // max(1, sum(value.size for value in outputs.values())))
    tables = (
        {name: column[start : start + step] for name, column in values.items()}
        for start in range(0, rows, step)
    )
    return _document(
        b'{"predictions":[', _separated([_inner(_rows(table), table.values())] for table in tables), b"]}"
    )


def prediction_apart(_: bytes, outputs: Mapping[str, Array], by_row: bool) -> Array:
    """Return a predict response as bytes in an array, which travel between processes without being copied."""
    return np.frombuffer(prediction(outputs, by_row), np.uint8)


def classify(result: Classifications) -> bytearray:
    """Return a classify response: a list of [label, score] for each example."""
    parts = (
        result.rows[start : start + _ROWS_AT_ONCE] for start in range(0, len(result.rows), _ROWS_AT_ONCE)
    )
    return _document(b'{"results":[', _separated([_classified(part)] for part in parts), b"]}")


def regress(result: Regressions) -> bytearray:
    """Return a regress response: a number for each example."""
    return _document(b'{"results":', _tensor(np.array(result.values, np.float32)), b"}")


def error(message: str) -> bytes:
    """Return the body of an error response."""
    return orjson.dumps({"error": message.encode("utf-8", "replace").decode()})


def dump(document: Any) -> bytes:
    """Return a document without numbers of tensors as JSON."""
    return orjson.dumps(document)


def _document(begin: bytes, pieces: Iterable[Buffer], end: bytes) -> bytearray:
    """Return a document of many pieces; no step of it takes long, as each of them lets nobody else run."""
    whole = bytearray(begin)
    for piece in pieces:
        whole += piece
    whole += end
    return whole


def _separated(items: Iterable[Iterable[Buffer]]) -> Iterator[Buffer]:
    for position, item in enumerate(items):
        if position:
            yield b","
        yield from item


def _tensor(value: Any) -> Iterator[Buffer]:
    """Return the pieces of a tensor as nested lists."""
    is_array = isinstance(value, np.ndarray)
    size, most = (
        (value.size, _AT_ONCE) if is_array else (len(value) if isinstance(value, list) else 0, _ROWS_AT_ONCE)
    )
    if size <= most:
        yield _dump(value, [value])
        return
    step = most * len(value) // size
    parts = (value[start : start + step] for start in range(0, len(value), step)) if step else value
    yield b"["
    yield from _separated([_inner(part, [part])] if step else _tensor(part) for part in parts)
    yield b"]"


def _rows(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def _classified(rows: list[list[tuple[bytes, float]]]) -> Buffer:
    document = [
        [[label.decode("utf-8", "replace"), np.float32(score)] for label, score in row] for row in rows
    ]
    return _inner(document, [np.array([score for row in rows for _, score in row], np.float32)])


def _inner(document: Any, numbers: Iterable[Any]) -> Buffer:
    """Return what is between the brackets of a list."""
    return memoryview(_dump(document, numbers))[1:-1]


def _dump(document: Any, numbers: Iterable[Any]) -> bytes:
    """Return a piece of a document as JSON; `numbers` are those in it: NaN or Infinity need the slower encoder."""
    for value in numbers:
        if (
            isinstance(value, np.ndarray | np.generic)
            and value.dtype.kind == "f"
            and not np.isfinite(value).all()
        ):
            return json.dumps(_plain(document), separators=(",", ":")).encode()
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def _values(name: str, value: Array) -> Any:
    kind = value.dtype.kind
    if kind == "O":
        return _strings(value, as_bytes=name.endswith(_BYTES_SUFFIX))
    # Types that numpy has not by itself (bfloat16, float8, int4) are no JSON, nor is float16 in TensorFlow Serving.
    if value.dtype == np.float16 or kind not in "biuf" or value.dtype.type.__module__ != "numpy":
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"Failed to write JSON value for tensor type: {value.dtype} (output '{name}')",
        )
    if not value.ndim:
        return value[()]
    return np.ascontiguousarray(value)


def _strings(value: Array, *, as_bytes: bool) -> Any:
    """Return a tensor of strings as nested lists, or as one string if it has no dimensions."""
    if value.ndim and len(value) > _ROWS_AT_ONCE:
        parts = (value[start : start + _ROWS_AT_ONCE] for start in range(0, len(value), _ROWS_AT_ONCE))
        return [row for part in parts for row in _strings(part, as_bytes=as_bytes)]
    raw = [item if isinstance(item, bytes) else str(item).encode() for item in value.ravel().tolist()]
    written = np.empty(len(raw), object)
    if as_bytes:
        written[:] = [{"b64": base64.b64encode(item).decode()} for item in raw]
    else:
        written[:] = [item.decode("utf-8", "replace") for item in raw]
    return written.reshape(value.shape).tolist()


def _plain(value: Any) -> Any:
    """Convert numpy's numbers to Python's; float32 keeps the digits that it really has."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        if value.dtype == np.float32 and value.ndim:
            return [_plain(item) for item in value]
        return value.tolist()
    if isinstance(value, np.float32):
        return float(str(value))
    return value.item() if isinstance(value, np.generic) else value
