"""What readers yield: a row, or the reason why there is none."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from serving.errors import UserError

Value = bytes | int | float


class Row(NamedTuple):
    """One example.

    Attributes:
        source: URL of the file.
        row: its place in the file, from 1.
        label: its class.
        example: the serialized tf.train.Example.
        values: the same by feature.
        converted: the format that a picture was converted from, "" if it was not.
    """

    source: str
    row: int
    label: str
    example: bytes
    values: Mapping[str, Sequence[Value]]
    converted: str = ""


class BadRow(NamedTuple):
    """A row that was refused. `rows` is more than 1 if the rest of a file is lost; `row` counts from 1."""

    source: str
    row: int
    reason: str
    rows: int = 1


class Skipped(NamedTuple):
    """A file that is none of the data, such as `Thumbs.db` among pictures."""

    source: str


class DataError(UserError, ValueError):
    """The raw data cannot be used; the message names files, rows and what to do."""


def label_fault(label: str, classes: list[str] | None) -> str | None:
    """Return why this label makes a bad row; None if it is good."""
    if not label:
        return "the label is empty"
    if classes is not None and label not in classes:
        return f"label {label!r} is not one of {', '.join(classes)} (data.classes)"
    return None
