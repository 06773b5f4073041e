"""What readers yield: a row, or the reason why there is none."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import tensorflow as tf

from serving.errors import UserError

Value = bytes | int | float


class Row(NamedTuple):
    """One example: where it comes from, its class, and the serialized tf.train.Example."""

    source: str
    row: int
    label: str
    example: bytes


class BadRow(NamedTuple):
    """A row that was refused. `rows` is more than 1 if the rest of a file is lost; `row` counts from 1."""

    source: str
    row: int
    reason: str
    rows: int = 1


class DataError(UserError, ValueError):
    """The raw data cannot be used; the message names files, rows and what to do."""


Reader = Callable[[str], Iterator[Row | BadRow]]


def encode(features: Mapping[str, Value]) -> bytes:
    """Serialize single-valued features as a tf.train.Example, with the same bytes for the same content."""
    example = tf.train.Example()
    for name, value in features.items():
        feature = example.features.feature[name]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        elif isinstance(value, int):
            feature.int64_list.value.append(value)
        else:
            feature.float_list.value.append(value)
    return bytes(example.SerializeToString(deterministic=True))


def label_fault(label: str, classes: list[str] | None) -> str | None:
    """Return why this label makes a bad row; None if it is good."""
    if not label:
        return "the label is empty"
    if classes is not None and label not in classes:
        return f"label {label!r} is not one of {', '.join(classes)} (data.classes)"
    return None
