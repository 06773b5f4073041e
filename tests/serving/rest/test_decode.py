"""The fast way from JSON to tensors gives what the slow way gives, or leaves it to that."""

import json
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.engine.signature import Signature, TensorSpec
from serving.errors import ServingError
from serving.rest import decode, tensor
from serving.rest.document import Body
from tests.serving.strategies import VALUES

DTYPES = ["DT_FLOAT", "DT_DOUBLE", "DT_INT32", "DT_INT64", "DT_UINT32"]
ALL = [*DTYPES, "DT_STRING", "DT_BOOL", "DT_INT8", "DT_UINT64"]


def outcome(data: bytes, dtype: str, *, fast: bool) -> Any:
    """What comes of a body, by all short cuts (in pieces of two values) or value by value."""
    body = Body(data)
    with ExitStack() as stack:
        for module in (decode, tensor):
            stack.enter_context(patch.object(module, "_AT_ONCE", 2))
        if not fast:
            body.plain, body.known = False, None
            stack.enter_context(patch.object(decode, "tensor_of_plain", lambda *_: None))
            stack.enter_context(patch.object(tensor, "_plain", lambda *_: None))
        try:
            signature = Signature({"x": TensorSpec("x:0", dtype, None)}, {}, "")
            inputs, _ = decode.predict_inputs(body, signature, "")
        except ServingError as error:
            return error.message
    value = inputs["x"]
    return value.dtype, value.shape, value.tolist() if value.dtype.kind == "O" else value.tobytes()


NUMBER = st.one_of(st.integers(-(2**33), 2**33), st.floats(width=32, allow_nan=False))
TEXT = st.one_of(st.text(max_size=2), st.just({"b64": "QQ=="}), st.booleans())
TEXTS = st.one_of(
    TEXT, st.lists(TEXT, max_size=5), st.lists(st.lists(TEXT, min_size=1, max_size=1), max_size=5)
)
NESTED = st.recursive(NUMBER, lambda inner: st.lists(inner, max_size=3), max_leaves=12)


@settings(max_examples=1000, derandomize=True, database=None, deadline=None)
@given(st.lists(st.one_of(NESTED, NESTED, VALUES, TEXTS), max_size=6), st.sampled_from(ALL), st.booleans())
def test_fast_is_slow(value: list[Any], dtype: str, by_row: bool) -> None:
    data = json.dumps({"instances" if by_row else "inputs": value}).encode()
    expected = outcome(data, dtype, fast=False)
    assert outcome(data, dtype, fast=True) == expected
    assert outcome(data, dtype, fast=True) == expected, "now that bodies like it are known"


@pytest.mark.parametrize("shape", [(1,), (3, 2), (2, 8, 8, 1), (4, 1, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_values_and_shapes(shape: tuple[int, ...], dtype: type) -> None:
    value: np.ndarray[Any, Any] = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    name = "DT_FLOAT" if dtype is np.float32 else "DT_INT64"
    data = json.dumps({"instances": value.tolist()}).encode()
    assert outcome(data, name, fast=True) == (value.dtype, shape, value.tobytes())


def test_a_known_skeleton_is_no_proof() -> None:
    """Bodies that look like one that was seen, and are not."""
    seen = b'{"instances": [[1.5, 2], [3, 4]]}'
    assert outcome(seen, "DT_FLOAT", fast=True)[1] == (2, 2)
    assert outcome(b'{"instances": [[1], [2]]}', "DT_FLOAT", fast=True)[1] == (2, 1)
    assert Body(seen).known == ("instances", (2, 2))
    for data in (
        b'{"instances": [[1.5, 2], [3, ]]}',
        b'{"instances": [[1.5, 2], [3 , 4 5]]}',
        b'{"instances": [[1.5, 2], [3, 4]]} 7',
        b'{"instances": [[1.5, 2], [3, 1e999]]}',
        b'{"instances": [[1.5, 2], [3, 123456789012345678901234567890]]}',
        b'{"inst ances": [[1, 2], [3, 4]]}',
        b'{"instances": [[], [2]]}',
        b'{"instances": [[1], []]}',
        b'{"instances": [[1, 2], [3, 4]]',
    ):
        for dtype in DTYPES:
            assert outcome(data, dtype, fast=True) == outcome(data, dtype, fast=False), data
    for dtype in ("DT_STRING", "DT_BOOL", "DT_INT64"):
        assert outcome(seen, dtype, fast=True) == outcome(seen, dtype, fast=False)


@pytest.mark.parametrize("dtype", ["DT_FLOAT", "DT_STRING", "DT_INT64"])
@pytest.mark.parametrize("depth", [62, 63, 64, 65, 100, 254, 300, 1020, 5000])
@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_deeply_nested_lists_are_a_tensor_or_refused(dtype: str, depth: int, key: str) -> None:
    leaf = '"a"' if dtype == "DT_STRING" else "1"
    for value in (leaf, "", f"{leaf}, []", f"{leaf}, [[]]"):
        data = f'{{"{key}": {"[" * depth}{value}{"]" * depth}}}'.encode()
        found = outcome(data, dtype, fast=True)
        assert isinstance(found, str) or len(found[1]) == depth
        if depth > 64:
            assert isinstance(found, str)
