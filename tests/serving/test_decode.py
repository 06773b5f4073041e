"""The fast way from JSON to tensors gives what the slow way gives, or leaves it to that."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.errors import ServingError
from serving.rest import decode
from serving.signature import Signature, TensorSpec
from tests.serving.strategies import VALUES

DTYPES = ["DT_FLOAT", "DT_DOUBLE", "DT_INT32", "DT_INT64", "DT_UINT32"]


def outcome(data: bytes, dtype: str, *, fast: bool) -> Any:
    body = decode.Body(data)
    body.plain = body.plain and fast
    try:
        inputs, _ = decode.predict_inputs(body, Signature({"x": TensorSpec("x:0", dtype, None)}, {}, ""), "")
    except ServingError as error:
        return error.message
    return inputs["x"].dtype, inputs["x"].shape, inputs["x"].tobytes()


NUMBER = st.one_of(st.integers(-(2**33), 2**33), st.floats(width=32, allow_nan=False))
NESTED = st.recursive(NUMBER, lambda inner: st.lists(inner, max_size=3), max_leaves=12)


@settings(max_examples=1000, derandomize=True, database=None, deadline=None)
@given(st.lists(st.one_of(NESTED, NESTED, VALUES), max_size=4), st.sampled_from(DTYPES), st.booleans())
def test_fast_is_slow(value: list[Any], dtype: str, by_row: bool) -> None:
    data = json.dumps({"instances" if by_row else "inputs": value}).encode()
    assert outcome(data, dtype, fast=True) == outcome(data, dtype, fast=False)


@pytest.mark.parametrize("shape", [(1,), (3, 2), (2, 8, 8, 1), (4, 1, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_values_and_shapes(shape: tuple[int, ...], dtype: type) -> None:
    value: np.ndarray[Any, Any] = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    name = "DT_FLOAT" if dtype is np.float32 else "DT_INT64"
    data = json.dumps({"instances": value.tolist()}).encode()
    assert outcome(data, name, fast=True) == (value.dtype, shape, value.tobytes())
