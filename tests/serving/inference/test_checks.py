"""Inputs that a request leaves out."""

import numpy as np
import pytest

from serving.engine.signature import Signature, TensorSpec
from serving.errors import ServingError
from serving.inference.checks import check_inputs, check_names, check_outputs


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


def test_names_are_checked_by_themselves() -> None:
    signature = Signature(
        {"x": TensorSpec("x:0", "DT_FLOAT", (None,)), "y": TensorSpec("y:0", "DT_FLOAT", ())}, {}
    )
    check_names(signature, {"x": 1, "y": 2})
    with pytest.raises(
        ServingError, match=r"3!=2 len\(\{x,z,zz\}\).*Sent extra: \{z,zz\}. Missing but required: \{y\}"
    ):
        check_names(signature, {"zz": 1, "x": 1, "z": 1})


@pytest.mark.parametrize("asked", [[], ["state"], ["y", "state"]])
def test_what_lives_in_the_model_alone_is_no_output(asked: list[str]) -> None:
    outputs = {"y": TensorSpec("y:0", "DT_FLOAT", None), "state": TensorSpec("s:0", "DT_VARIANT", ())}
    with pytest.raises(ServingError, match="output 'state' has the type DT_VARIANT, which is no values"):
        check_outputs(Signature({}, outputs), asked)
    assert check_outputs(Signature({}, outputs), ["y"]) == ["y"]
