"""Inputs that a request leaves out."""

import numpy as np

from serving.engine.signature import Signature, TensorSpec
from serving.inference.checks import check_inputs


def test_a_default_for_one_example_is_repeated_for_all_of_the_request() -> None:
    signature = Signature(
        inputs={
            "x": TensorSpec("x:0", "DT_FLOAT", (None,)),
            "items": TensorSpec("i:0", "DT_STRING", (None, None)),
            "rate": TensorSpec("r:0", "DT_FLOAT", ()),
        },
        outputs={},
        defaults={"items": np.array([[b""]], object), "rate": np.array(0.5, np.float32)},
    )
    got = check_inputs(signature, {"x": np.zeros(3, np.float32)})
    assert got["items"].tolist() == [[b""], [b""], [b""]]
    assert got["rate"] == 0.5, "a scalar has no batch"
