"""Classify, Regress and MultiInference, independent of the protocol: serialized tf.Examples in, scores out."""

from collections.abc import Mapping

import numpy as np

from serving.engine.signature import CLASSIFY_METHOD, Signature
from serving.errors import invalid
from serving.messages.calls import Classifications, Regressions
from serving.messages.dtypes import Array

INPUTS, CLASSES, SCORES, OUTPUTS = "inputs", "classes", "scores", "outputs"


def check_method(signature: Signature, method: str, what: str) -> None:
    """Raise ServingError unless the signature has this method name; only called if a flag requires it."""
    if signature.method_name != method:
        raise invalid(f"Expected {what} signature method_name to be {method}. Was: {signature.method_name}")


def classify_outputs(signature: Signature) -> list[str]:
    """Return the outputs to fetch for a classification.

    Raises:
        ServingError: the signature is not a classification signature.
    """
    _one_input(signature, "classification")
    if len(signature.outputs) not in (1, 2):
        raise invalid(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    wanted = [alias for alias in (CLASSES, SCORES) if alias in signature.outputs]
    if not wanted:
        raise invalid(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            f"Signature has: {sorted(signature.outputs)}"
        )
    return wanted


def regress_outputs(signature: Signature) -> list[str]:
    """Return the outputs to fetch for a regression.

    Raises:
        ServingError: the signature is not a regression signature.
    """
    _one_input(signature, "regression")
    if len(signature.outputs) != 1:
        raise invalid("Expected one output Tensor.")
    if OUTPUTS not in signature.outputs:
        raise invalid(f"No regression outputs found in SignatureDef: it has {sorted(signature.outputs)}")
    return [OUTPUTS]


def outputs_for(signature: Signature, method: str) -> list[str]:
    """Return the outputs of a signature that a method needs."""
    return classify_outputs(signature) if method == CLASSIFY_METHOD else regress_outputs(signature)


def classifications(outputs: Mapping[str, Array], examples: int) -> Classifications:
    """Read a classification's outputs.

    Raises:
        ServingError: their shapes or types are not those of a classification.
    """
    classes, scores = outputs.get(CLASSES), outputs.get(SCORES)
    for name, tensor, kind in ((CLASSES, classes, "O"), (SCORES, scores, "f")):
        if tensor is None:
            continue
        if tensor.ndim != 2:
            raise invalid(f"Expected Tensor shape: [batch_size num_classes] but got {list(tensor.shape)}")
        if tensor.dtype.kind != kind or (kind == "f" and tensor.dtype != np.float32):
            expected = "DT_STRING" if kind == "O" else "DT_FLOAT"
            raise invalid(f"Expected {name} Tensor of {expected}. Got: {tensor.dtype}")
        if tensor.shape[0] != examples:
            raise invalid(f"Expected {name} output batch size of {examples}. Got: {tensor.shape[0]}")
    if classes is not None and scores is not None and classes.shape[1] != scores.shape[1]:
        raise invalid(
            "Tensors class and score should match in dim_size(1). "
            f"Got {classes.shape[1]} vs. {scores.shape[1]}"
        )
    present = classes if classes is not None else scores
    assert present is not None
    width = present.shape[1]
    return Classifications(
        [
            [
                (
                    bytes(classes[row, column]) if classes is not None else b"",
                    float(scores[row, column]) if scores is not None else 0.0,
                )
                for column in range(width)
            ]
            for row in range(examples)
        ]
    )


def regressions(outputs: Mapping[str, Array], examples: int) -> Regressions:
    """Read a regression's output.

    Raises:
        ServingError: its shape or type is not that of a regression.
    """
    tensor = outputs[OUTPUTS]
    if tensor.ndim != 1 and not (tensor.ndim == 2 and tensor.shape[1] == 1):
        raise invalid(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] "
            f"but got {list(tensor.shape)}"
        )
    if tensor.shape[0] != examples:
        raise invalid(f"Input batch size did not match output batch size: {examples} vs. {tensor.shape[0]}")
    if tensor.dtype != np.float32:
        raise invalid(f"Expected output Tensor of DT_FLOAT.  Got: {tensor.dtype}")
    return Regressions([float(value) for value in tensor.ravel()])


def _one_input(signature: Signature, what: str) -> None:
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if INPUTS not in signature.inputs:
        raise invalid(f"No {what} inputs found in SignatureDef: it has {sorted(signature.inputs)}")
