"""Outputs as JSON: what cannot be written is said, by its name."""

import json

import ml_dtypes
import numpy as np
import pytest

from serving.errors import ServingError
from serving.rest.encode import prediction


@pytest.mark.parametrize("by_row", [True, False])
@pytest.mark.parametrize("name", ["float16", "bfloat16", "float8_e5m2", "float8_e4m3fn", "int4", "complex64"])
def test_a_type_that_is_no_json_is_named(name: str, by_row: bool) -> None:
    dtype = np.dtype(getattr(ml_dtypes, name, name))
    with pytest.raises(ServingError, match=rf"tensor type: {name} \(output 'y'\)"):
        prediction({"y": np.ones(2, dtype)}, by_row=by_row)


def test_numbers_of_every_other_type_are_written() -> None:
    for dtype in (np.float32, np.float64, np.int8, np.uint64, np.int16, np.bool_):
        assert json.loads(prediction({"y": np.ones(2, dtype)}, by_row=True)) == {"predictions": [1, 1]}
