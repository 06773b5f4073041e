"""Joins the inputs of several requests to one batch, and splits the outputs again."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from serving.errors import Code, ServingError, invalid
from serving.messages.dtypes import Array

Tensors = Mapping[str, Array]


class Joined(NamedTuple):
    """The inputs of a batch, and its rows, padding included."""

    inputs: Tensors
    size: int


def rows_of(inputs: Tensors) -> int:
    """Return the first dimension, which must be the same for all inputs.

    Raises:
        ServingError: an input has none, or they differ (INVALID_ARGUMENT).
    """
    sizes = {value.shape[0] if value.ndim else -1 for value in inputs.values()}
    if -1 in sizes:
        raise invalid("Batching session Run() input tensors must have at least one dimension")
    if len(sizes) != 1:
        raise invalid("Batching session Run() input tensors must have equal 0th-dimension size")
    return sizes.pop()


def shapes_of(inputs: Tensors, *, padded: bool) -> tuple[object, ...]:
    """Return what must be equal to combine two requests: each input's row shape, or only its rank if `padded`."""
    if len(inputs) > 1:
        inputs = dict(sorted(inputs.items()))
    return tuple([(alias, value.ndim if padded else value.shape[1:]) for alias, value in inputs.items()])


def join(requests: Sequence[Tensors], padding: int) -> dict[str, Array]:
    """Return all rows of all requests by alias, with so many rows of padding."""
    return {alias: _join([inputs[alias] for inputs in requests], padding) for alias in requests[0]}


def split(outputs: Tensors, rows: Sequence[int], size: int) -> list[dict[str, Array]]:
    """Return the outputs of each request; of one that is alone, as they are.

    Args:
        outputs: of the batch.
        rows: of each request.
        size: of the batch, which may be more than all of them.

    Raises:
        ServingError: an output does not have a row for each row of the batch (FAILED_PRECONDITION).
    """
    if list(rows) == [size]:
        return [dict(outputs)]
    for alias, value in outputs.items():
        if value.ndim == 0 or value.shape[0] != size:
            raise ServingError(
                Code.FAILED_PRECONDITION,
                f"Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes "
                f"of the input tensors: output '{alias}' has the shape {list(value.shape)} for a batch of "
                f"{size}; this model cannot be batched",
            )
    parts = []
    start = 0
    for count in rows:
        parts.append({alias: value[start : start + count] for alias, value in outputs.items()})
        start += count
    return parts


def _join(parts: list[Array], padding: int) -> Array:
    """Concatenate all rows: ragged ones are padded to the longest, and padding rows are copies of the first."""
    if len({part.shape[1:] for part in parts}) > 1:
        longest = np.max([part.shape[1:] for part in parts], axis=0)
        parts = [_pad(part, longest) for part in parts]
    if padding:
        parts = [*parts, np.repeat(parts[0][:1], padding, axis=0)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _pad(part: Array, shape: Array) -> Array:
    """Pad the end of each dimension with the tensor's first value, as TensorFlow Serving does."""
    widths = [(0, 0), *((0, int(want - have)) for want, have in zip(shape, part.shape[1:], strict=True))]
    first = part.flat[0] if part.size else (b"" if part.dtype == object else 0)
    return np.pad(part, widths, constant_values=first)
