"""The limits of a request."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.errors import invalid


@dataclass(frozen=True)
class Limits:
    """The limits of a request; 0 means no limit.

    Attributes:
        body_bytes: the size of a REST body or gRPC message, after decompression.
        tensor_elements: the number of elements in one input tensor.
        batch_rows: the first dimension of any input.
    """

    body_bytes: int = 2**31 - 1
    tensor_elements: int = 0
    batch_rows: int = 0

    def check_tensors(self, inputs: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Raise INVALID_ARGUMENT for an input that is too large."""
        if not self.tensor_elements and not self.batch_rows:
            return
        for alias, value in inputs.items():
            self.check_shape(alias, value.shape)

    def check_shape(self, alias: str, shape: tuple[int, ...]) -> None:
        """Raise INVALID_ARGUMENT for the shape of an input that is too large."""
        if self.tensor_elements and (size := math.prod(shape)) > self.tensor_elements:
            raise invalid(
                f"input '{alias}' has {size} elements, this server takes at most "
                f"{self.tensor_elements} (--max_tensor_elements)"
            )
        if self.batch_rows and shape and shape[0] > self.batch_rows:
            raise invalid(
                f"input '{alias}' has {shape[0]} rows, this server takes at most "
                f"{self.batch_rows} (--max_batch_rows); send them in several requests"
            )
