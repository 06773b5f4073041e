"""Raw data in every format, small, and readers that need no Beam."""

import csv
import gzip
import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.ingest import tasks
from components.ingest.config import DataConfig
from components.ingest.rows import BadRow, Row

Read = Callable[[DataConfig], tuple[list[Row], list[BadRow]]]
Features = dict[str, bytes | int | float]


@pytest.fixture
def read() -> Read:
    """Read everything of a configuration, without Beam."""

    def reader(config: DataConfig) -> tuple[list[Row], list[BadRow]]:
        items = [item for task in tasks.plan(config, ()).tasks for item in tasks.read(task, config)]
        rows = [item for item in items if isinstance(item, Row)]
        return rows, [item for item in items if isinstance(item, BadRow)]

    return reader


def features(row: Row) -> Features:
    """The single values of a row's example, by name."""
    found: Features = {}
    for name, feature in tf.train.Example.FromString(row.example).features.feature.items():
        (found[name],) = getattr(feature, feature.WhichOneof("kind")).value
    return found


def csv_file(path: Path, *rows: tuple[object, ...]) -> Path:
    """Write rows as CSV, quoted where need be."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def png(value: int = 0, shape: tuple[int, ...] = (4, 4), kind: str = "PNG") -> bytes:
    """An image of one colour."""
    buffer = io.BytesIO()
    Image.fromarray(np.full(shape, value, np.uint8)).save(buffer, kind)
    return buffer.getvalue()


def idx(
    path: Path, array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], promised: int | None = None
) -> Path:
    """Write an array as IDX, gzipped if the name says so; `promised` rows in the header."""
    sizes = (promised or array.shape[0], *array.shape[1:])
    content = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *sizes) + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def tfrecord(path: Path, records: list[bytes]) -> Path:
    """Write raw records."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    return path


def example(**values: bytes | int | float) -> bytes:
    """A serialized tf.train.Example of single values."""
    made = tf.train.Example()
    for name, value in values.items():
        kind = {bytes: "bytes_list", int: "int64_list", float: "float_list"}[type(value)]
        getattr(made.features.feature[name], kind).value.append(value)
    return bytes(made.SerializeToString())
