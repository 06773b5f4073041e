"""What both transports of the client share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from serving.errors import Code, UserError
from serving.messages import dtypes
from serving.messages.dtypes import Array


class PredictError(UserError, RuntimeError):
    """The server refused, or could not be reached. `code` is the canonical status code."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Target:
    """Which model, and which of its versions; the latest without one."""

    model: str
    version: int | None = None
    label: str | None = None
    signature_name: str = ""


@dataclass(frozen=True)
class Fields:
    """A signature's tensors as the server describes them: TensorFlow's type by alias."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


class Transport(Protocol):
    """One way to the server. Errors are PredictError."""

    def describe(self, target: Target, timeout: float) -> Fields:
        """The signature's tensors."""

    def predict(
        self, target: Target, inputs: Mapping[str, Array], fields: Fields, timeout: float
    ) -> dict[str, Array]:
        """The outputs of one call."""

    def status(self, target: Target, timeout: float) -> dict[int, str]:
        """The state of each version."""

    def close(self) -> None:
        """Ends the connection."""


def to_array(value: Any, dtype: str) -> Array:
    """A value as a tensor of a type; text becomes UTF-8 bytes."""
    if dtype != "DT_STRING":
        return np.asarray(value, dtype=dtypes.NUMPY[dtype])
    array = np.array(value, dtype=object)
    flat = [item.encode() if isinstance(item, str) else bytes(item) for item in array.ravel()]
    out = np.empty(len(flat), dtype=object)
    out[:] = flat
    return out.reshape(array.shape)
