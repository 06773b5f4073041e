"""What both transports of the client share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from serving.errors import Code, ServingError, UserError
from serving.messages import dtypes
from serving.messages.dtypes import Array
from serving.messages.missing import filled


class PredictError(UserError, RuntimeError):
    """The server refused the request, or could not be reached. `code` is the canonical status code."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Target:
    """A model and one of its versions: the latest, unless a version or label is given."""

    model: str
    version: int | None = None
    label: str | None = None
    signature_name: str = ""


@dataclass(frozen=True)
class Fields:
    """The inputs and outputs of a signature: the names of TensorFlow's types by alias, and defaults of inputs."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    defaults: Mapping[str, Array] = field(default_factory=dict)


class Transport(Protocol):
    """A connection to the server, by REST or gRPC. Errors are PredictError."""

    def describe(self, target: Target, timeout: float) -> Fields:
        """Return the signature's inputs and outputs."""

    def predict(
        self, target: Target, inputs: Mapping[str, Array], fields: Fields, timeout: float
    ) -> dict[str, Array]:
        """Return the outputs of one call."""

    def status(self, target: Target, timeout: float) -> dict[int, str]:
        """Return the state of each version."""

    def close(self) -> None:
        """Close the connection."""


def with_defaults(inputs: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    """Return the inputs without None: the signature's defaults are in its place.

    Args:
        inputs: values by input name; None for an input as a whole, which is left out, or for one example.
        fields: of the signature.

    Raises:
        ValueError: a value is None, and its input has no default, or the lengths of lists differ too much.
    """
    found: dict[str, Any] = {}
    for alias, value in inputs.items():
        if value is None and alias in fields.defaults:
            continue
        if isinstance(value, np.ndarray) and value.dtype == object:
            value = value.tolist()
        if isinstance(value, list | tuple):
            try:
                value = filled(list(value), fields.defaults.get(alias))
            except ServingError as error:
                raise ValueError(f"the input {alias!r}: {error.message}") from None
        found[alias] = value
        if (where := _none_in(value)) is not None:
            of = f" of example {where}" if isinstance(value, list) else ""
            raise ValueError(f"the input {alias!r}{of} is None, and the model has no default for it")
    return found


def _none_in(value: Any) -> int | None:
    """Return the position of the first example that holds None; None if none does."""
    if value is None:
        return 0
    if not isinstance(value, list | tuple):
        return None
    return next((i for i, item in enumerate(value) if _none_in(item) is not None), None)


def to_array(value: Any, dtype: str) -> Array:
    """Return a value as a tensor of a type; text becomes UTF-8 bytes."""
    if dtype != "DT_STRING":
        return np.asarray(value, dtype=dtypes.NUMPY[dtype])
    array = np.array(value, dtype=object)
    flat = [item.encode() if isinstance(item, str) else bytes(item) for item in array.ravel()]
    out = np.empty(len(flat), dtype=object)
    out[:] = flat
    return out.reshape(array.shape)
