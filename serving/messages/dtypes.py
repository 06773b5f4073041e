"""The names of TensorFlow's data types and the numpy types that hold them, without importing TensorFlow."""

from typing import Any

import ml_dtypes
import numpy as np

Array = np.ndarray[Any, Any]
"""A tensor of any shape and type."""

# The numbers are those of tensorflow/core/framework/types.proto, which are used both on the wire and in graphs.
NUMBERS: dict[str, int] = {
    "DT_INVALID": 0,
    "DT_FLOAT": 1,
    "DT_DOUBLE": 2,
    "DT_INT32": 3,
    "DT_UINT8": 4,
    "DT_INT16": 5,
    "DT_INT8": 6,
    "DT_STRING": 7,
    "DT_COMPLEX64": 8,
    "DT_INT64": 9,
    "DT_BOOL": 10,
    "DT_QINT8": 11,
    "DT_QUINT8": 12,
    "DT_QINT32": 13,
    "DT_BFLOAT16": 14,
    "DT_QINT16": 15,
    "DT_QUINT16": 16,
    "DT_UINT16": 17,
    "DT_COMPLEX128": 18,
    "DT_HALF": 19,
    "DT_RESOURCE": 20,
    "DT_VARIANT": 21,
    "DT_UINT32": 22,
    "DT_UINT64": 23,
}
NAMES: dict[int, str] = {number: name for name, number in NUMBERS.items()}

# Strings are arrays of Python objects (bytes), as in TensorFlow's Python API.
_NUMPY: dict[str, Any] = {
    "DT_FLOAT": np.float32,
    "DT_DOUBLE": np.float64,
    "DT_INT32": np.int32,
    "DT_UINT8": np.uint8,
    "DT_INT16": np.int16,
    "DT_INT8": np.int8,
    "DT_STRING": np.object_,
    "DT_COMPLEX64": np.complex64,
    "DT_INT64": np.int64,
    "DT_BOOL": np.bool_,
    "DT_BFLOAT16": ml_dtypes.bfloat16,
    "DT_UINT16": np.uint16,
    "DT_COMPLEX128": np.complex128,
    "DT_HALF": np.float16,
    "DT_UINT32": np.uint32,
    "DT_UINT64": np.uint64,
}
NUMPY: dict[str, np.dtype[Any]] = {name: np.dtype(scalar) for name, scalar in _NUMPY.items()}
_FROM_NUMPY: dict[np.dtype[Any], str] = {dtype: name for name, dtype in NUMPY.items()}


def name_of(dtype: np.dtype[Any]) -> str:
    """Return the TensorFlow name (`DT_FLOAT`, …) of a numpy type; text and bytes of any width are `DT_STRING`.

    Raises:
        TypeError: TensorFlow has no such type.
    """
    if dtype.kind in "SU":
        return "DT_STRING"
    try:
        return _FROM_NUMPY[dtype]
    except KeyError:
        raise TypeError(f"numpy type {dtype} has no TensorFlow equivalent") from None
