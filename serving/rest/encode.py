"""Converts tensors to JSON, with TensorFlow Serving's structure and number formats (but without its whitespace)."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from serving.errors import Code, ServingError, invalid
from serving.messages.calls import Classifications, Regressions
from serving.messages.dtypes import Array

_BYTES_SUFFIX = "_bytes"


def prediction(outputs: Mapping[str, Array], *, by_row: bool) -> bytes:
    """Return a predict response: "predictions" by rows, or "outputs" by columns.

    Raises:
        ServingError: an output has a type that JSON cannot represent, or the outputs differ in their number of rows.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    if not by_row:
        columns = {name: _values(name, value) for name, value in outputs.items()}
        return dump({"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}, outputs)
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
        return dump({"predictions": next(iter(values.values()))}, outputs)
    names = list(values)
    table = zip(*(values[name] for name in names), strict=True)
    return dump({"predictions": [dict(zip(names, row, strict=True)) for row in table]}, outputs)


def classify(result: Classifications) -> bytes:
    """Return a classify response: a list of [label, score] for each example."""
    rows = [
        [[label.decode("utf-8", "replace"), np.float32(score)] for label, score in row] for row in result.rows
    ]
    scores = np.array([score for row in result.rows for _, score in row], np.float32)
    return dump({"results": rows}, {"scores": scores})


def regress(result: Regressions) -> bytes:
    """Return a regress response: a number for each example."""
    values = np.array(result.values, np.float32)
    return dump({"results": values}, {"outputs": values})


def error(message: str) -> bytes:
    """Return the body of an error response."""
    return orjson.dumps({"error": message.encode("utf-8", "replace").decode()})


def dump(document: Any, tensors: Mapping[str, Array]) -> bytes:
    """Return the document as JSON; `tensors` are the numbers in it: NaN or Infinity need the slower encoder."""
    for value in tensors.values():
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            return json.dumps(_plain(document), separators=(",", ":")).encode()
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def _values(name: str, value: Array) -> Any:
    kind = value.dtype.kind
    if kind == "O":
        as_bytes = name.endswith(_BYTES_SUFFIX)
        return _map_strings(value.tolist(), as_bytes=as_bytes)
    # Types that numpy has not by itself (bfloat16, float8, int4) are no JSON, nor is float16 in TensorFlow Serving.
    if value.dtype == np.float16 or kind not in "biuf" or value.dtype.isbuiltin != 1:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"Failed to write JSON value for tensor type: {value.dtype} (output '{name}')",
        )
    if not value.ndim:
        return value[()]
    return np.ascontiguousarray(value)


def _map_strings(value: Any, *, as_bytes: bool) -> Any:
    if isinstance(value, list):
        return [_map_strings(item, as_bytes=as_bytes) for item in value]
    data = value if isinstance(value, bytes) else str(value).encode()
    if as_bytes:
        return {"b64": base64.b64encode(data).decode()}
    return data.decode("utf-8", "replace")


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
