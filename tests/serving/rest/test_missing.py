"""null, keys that are left out, and lists of different lengths: what a request may lack, and what it may not."""

import json
from typing import Any

import numpy as np
import pytest

from serving.engine.signature import Signature, TensorSpec
from serving.errors import ServingError
from serving.rest.decode import predict_inputs
from serving.rest.document import Body

LOWEST = -(2**63)
SIGNATURE = Signature(
    inputs={
        "age (years)": TensorSpec("a:0", "DT_FLOAT", (None,)),
        "count": TensorSpec("b:0", "DT_INT64", (None,)),
        "items": TensorSpec("c:0", "DT_STRING", (None, None)),
        "size": TensorSpec("d:0", "DT_FLOAT", (None,)),
    },
    outputs={},
    defaults={
        "age (years)": np.array([np.nan], np.float32),
        "count": np.array([LOWEST]),
        "items": np.array([[b""]], object),
    },
)


def read(document: dict[str, Any], signature: Signature = SIGNATURE) -> dict[str, list[Any]]:
    inputs, _ = predict_inputs(Body(json.dumps(document).encode()), signature, "")
    return {alias: value.tolist() for alias, value in inputs.items()}


def test_rows_may_lack_what_has_a_default() -> None:
    got = read(
        {
            "instances": [
                {"size": 1, "age (years)": None, "items": ["a", "b"]},
                {"size": 2, "age (years)": 30, "items": None},
                {"size": 3, "items": ["c", None]},
            ]
        }
    )
    assert got["size"] == [1.0, 2.0, 3.0]
    np.testing.assert_array_equal(got["age (years)"], [np.nan, 30.0, np.nan])
    assert got["count"] == [LOWEST] * 3
    assert got["items"] == [[b"a", b"b"], [b"", b""], [b"c", b""]]


def test_columns_may_lack_what_has_a_default() -> None:
    got = read({"inputs": {"size": [1, 2], "count": [None, 2**62], "items": [["a"], []]}})
    assert got == {"size": [1.0, 2.0], "count": [LOWEST, 2**62], "items": [[b"a"], [b""]]}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"instances": [{"count": 1}]}, "keys must be equal to: age .years.,count,items,size"),
        ({"instances": [{"size": None}]}, "Type: Null is not of expected type: float"),
        ({"inputs": {"count": [1]}}, "Missing named input: size"),
        ({"instances": [{"size": 1, "items": "a"}, {"size": 1, "items": ["a"]}]}, "items"),
    ],
)
def test_what_has_no_default_is_asked_for_by_name(document: dict[str, Any], said: str) -> None:
    with pytest.raises(ServingError, match=said):
        read(document)


def test_a_default_of_another_form_stands_for_the_whole_input_only() -> None:
    whole = Signature(
        inputs={"x": TensorSpec("x:0", "DT_FLOAT", (None, 2)), "y": TensorSpec("y:0", "DT_FLOAT", (None,))},
        outputs={},
        defaults={"x": np.zeros([1, 2], np.float32)},
    )
    assert read({"instances": [{"y": 1}, {"y": 2}]}, whole) == {"y": [1.0, 2.0]}
    with pytest.raises(ServingError, match="Null"):
        read({"instances": [{"y": 1, "x": None}]}, whole)


def test_one_long_list_among_many_short_ones_is_no_bomb() -> None:
    rows = [{"size": 1, "items": ["a"] * 5000}, *[{"size": 1, "items": []}] * 5000]
    with pytest.raises(
        ServingError,
        match=r"5001 lists, of which the longest has 5000 values, would be filled up to 25005000",
    ):
        read({"instances": rows})
    assert len(read({"instances": rows[:100]})["items"]) == 100
