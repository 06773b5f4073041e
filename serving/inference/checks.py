"""Checks predict requests against their signature, with TensorFlow Serving's messages."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from serving.engine.signature import Signature
from serving.errors import invalid
from serving.messages.dtypes import Array

#: Types of what lives in the model only.
_NO_VALUES = ("DT_RESOURCE", "DT_VARIANT")


def check_names(signature: Signature, names: Collection[str]) -> None:
    """Check which inputs were sent, before any of them is made into a tensor.

    Raises:
        ServingError: there are too many or too few (INVALID_ARGUMENT).
    """
    sent = set(names)
    if sent == signature.inputs.keys():
        return
    extra = sorted(sent - signature.inputs.keys())
    missing = sorted(signature.inputs.keys() - sent - signature.defaults.keys())
    if extra or missing:
        raise invalid(
            f"input size does not match signature: {len(sent)}!={len(signature.inputs)} "
            f"len({{{','.join(sorted(sent))}}}) != len({{{','.join(sorted(signature.inputs))}}}). "
            f"Sent extra: {{{','.join(extra)}}}. Missing but required: {{{','.join(missing)}}}."
        )


def check_inputs(signature: Signature, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
    """Return the inputs, with the defaults of omitted ones.

    Raises:
        ServingError: there are too many or too few inputs, or one has the wrong type (INVALID_ARGUMENT).
    """
    if inputs.keys() != signature.inputs.keys():
        check_names(signature, inputs)
        inputs = {**_defaults(signature, inputs), **inputs}
    for alias, value in inputs.items():
        spec = signature.inputs[alias]
        if value.dtype != spec.numpy_dtype:
            raise invalid(f"input '{alias}' has the type {value.dtype}, the signature takes {spec.dtype}")
    return inputs


def _defaults(signature: Signature, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return the defaults of omitted inputs; one that is for a single example is repeated for all of the request."""
    batch = next((len(value) for value in inputs.values() if value.ndim), 1)
    found = {}
    for alias in signature.defaults.keys() - inputs.keys():
        value, shape = signature.defaults[alias], signature.inputs[alias].shape
        each = shape is not None and shape[:1] == (None,) and value.shape[:1] == (1,)
        found[alias] = np.repeat(value, batch, axis=0) if each else value
    return found


def check_outputs(signature: Signature, output_filter: Sequence[str]) -> list[str]:
    """Return the outputs to compute: all if none are named.

    Raises:
        ServingError: an output is not in the signature, is named twice, or has no values (INVALID_ARGUMENT).
    """
    for alias in output_filter or signature.outputs:
        if alias in signature.outputs and signature.outputs[alias].dtype in _NO_VALUES:
            raise invalid(
                f"output '{alias}' has the type {signature.outputs[alias].dtype}, which is no values"
            )
    if not output_filter:
        return list(signature.outputs)
    wanted: list[str] = []
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {{{','.join(sorted(signature.outputs))}}}."
            )
        if alias in wanted:
            raise invalid(f"duplicate output tensor alias: {alias}")
        wanted.append(alias)
    return wanted
