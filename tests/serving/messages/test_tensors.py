"""TensorProto there and back, against TensorFlow's own helpers."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from serving.errors import Code, ServingError
from serving.messages import dtypes
from serving.messages.protos import tensor_pb2
from serving.messages.tensors import to_array, to_arrays, to_proto

VALUES: list[Any] = [
    np.array([[1.5, -2], [np.nan, np.inf]], np.float32),
    np.array(3.25, np.float64),
    np.array([1, -2], np.int32),
    np.array([2**62, -1], np.int64),
    np.array([-5, 6], np.int8),
    np.array([-5, 6], np.int16),
    np.array([5, 255], np.uint8),
    np.array([65535], np.uint16),
    np.array([2**32 - 1], np.uint32),
    np.array([2**64 - 1], np.uint64),
    np.array([True, False]),
    np.array([1.5, -2], np.float16),
    np.array([1.5, -2], ml_dtypes.bfloat16),
    np.array([1 + 2j], np.complex64),
    np.array([1 - 2j], np.complex128),
    np.array([[b"\xff\x00", b""]], object),
    np.zeros((0, 3), np.float32),
    np.arange(40_000, dtype=np.float32).reshape(2, -1).T,
    np.arange(300) % 3 == 0,
    np.arange(40) * (1 + 2j),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{value.dtype}-{value.shape}")
@pytest.mark.parametrize("packed", [False, True])
def test_as_tensorflow_does(value: Any, packed: bool) -> None:
    ours = to_proto(value, packed=packed)
    np.testing.assert_array_equal(tf.make_ndarray(ours), value)
    theirs = tensor_pb2.TensorProto.FromString(tf.make_tensor_proto(value).SerializeToString())
    for proto in (ours, theirs):
        back = to_array(proto, "x")
        assert back.dtype == value.dtype
        assert back.shape == value.shape
        np.testing.assert_array_equal(back, value)


def test_one_value_stands_for_many() -> None:
    proto = tensor_pb2.TensorProto(dtype=dtypes.NUMBERS["DT_FLOAT"], float_val=[7.0])
    proto.tensor_shape.dim.add(size=2)
    proto.tensor_shape.dim.add(size=2)
    assert to_array(proto, "x").tolist() == [[7.0, 7.0], [7.0, 7.0]]
    proto.float_val[:] = []
    assert to_array(proto, "x").tolist() == [[0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize(
    ("fields", "sizes", "said"),
    [
        ({"dtype": 1, "tensor_content": b"123"}, [1], "tensor_content has 3 bytes"),
        ({"dtype": 7, "tensor_content": b"123"}, [3], "put them into string_val"),
        ({"dtype": 1}, [-2], "must not be negative"),
        ({"dtype": 1}, [1 << 50, 1 << 50], "too large"),
        ({"dtype": 1}, [0, 1 << 62], "too large"),
        ({"dtype": 7}, [1 << 40], "declares"),
        ({"dtype": 20}, [1], "DT_RESOURCE"),
        ({"dtype": 0}, [1], "DT_INVALID"),
        ({"dtype": 1, "float_val": [1.0]}, [1] * 40, "at most 32"),
        ({"dtype": 8, "scomplex_val": [1.0]}, [1], "imaginary"),
        ({"dtype": 19, "half_val": [70000]}, [1], "70000|out of"),
    ],
)
def test_tensors_that_cannot_be(fields: dict[str, Any], sizes: list[int], said: str) -> None:
    proto = tensor_pb2.TensorProto(**fields)
    for size in sizes:
        proto.tensor_shape.dim.add(size=size)
    with pytest.raises(ServingError, match=said):
        to_array(proto, "x")


def test_the_numbers_are_tensorflows() -> None:
    for name, number in dtypes.NUMBERS.items():
        assert tf.dtypes.DType(number).as_datatype_enum == number if number else name == "DT_INVALID"
    for name, dtype in dtypes.NUMPY.items():
        assert np.dtype(tf.dtypes.DType(dtypes.NUMBERS[name]).as_numpy_dtype) == dtype, name


def _declared(*sizes: int, dtype: int = 1) -> dict[str, Any]:
    """Tensors of one value each that declare many."""
    protos = {}
    for index, size in enumerate(sizes):
        proto = protos[f"i{index}"] = tensor_pb2.TensorProto(dtype=dtype)
        proto.tensor_shape.dim.add().size = size
        if dtype == 7:
            proto.string_val.append(b"x")
        else:
            proto.float_val.append(1)
    return protos


@pytest.mark.parametrize("dtype", [1, 7])
def test_what_a_request_declares_and_does_not_contain_is_limited_as_a_whole(dtype: int) -> None:
    checked: list[tuple[str, tuple[int, ...]]] = []
    made = to_arrays(_declared(1000, 1, dtype=dtype), lambda *shape: checked.append(shape))
    assert {alias: len(value) for alias, value in made.items()} == {"i0": 1000, "i1": 1}
    assert checked == [("i0", (1000,)), ("i1", (1,))]
    # Each alone would do; 30 of them are 960 MB.
    with pytest.raises(ServingError, match="declares 8388608 elements but does not contain them"):
        to_arrays(_declared(*[1 << 23] * 30, dtype=dtype), lambda *_: None)


def test_shapes_are_checked_before_anything_is_made() -> None:
    def check(alias: str, shape: tuple[int, ...]) -> None:
        if shape[0] > 100:
            raise ServingError(Code.INVALID_ARGUMENT, f"{alias} is too large")

    with pytest.raises(ServingError, match="i1 is too large"):
        to_arrays(_declared(100, 101), check)


@pytest.mark.parametrize("name", ["float8_e5m2", "float8_e4m3fn", "int4"])
def test_a_type_that_no_message_holds_is_named(name: str) -> None:
    with pytest.raises(ServingError, match=f"a tensor cannot be written: numpy type {name}"):
        to_proto(np.ones(2, np.dtype(getattr(ml_dtypes, name))))
