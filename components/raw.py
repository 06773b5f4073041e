"""Raw examples as a client would send them: for warm-up requests, golden requests and the demonstration."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from components.names import SPLIT_PREFIX
from serving.engine.signature import TensorSpec


def example_files(examples: str | Path, split: str) -> list[str]:
    """List the TFRecord files of a split of an Examples artifact.

    Raises:
        FileNotFoundError: the split has no files.
    """
    folder = f"{examples}/{SPLIT_PREFIX}{split}"
    files = sorted(tf.io.gfile.glob(f"{folder}/*"))
    if not files:
        raise FileNotFoundError(f"no examples in {folder}")
    return files


def read_examples(files: Sequence[str], count: int) -> list[Any]:
    """Read the first `count` tf.train.Examples of gzipped TFRecord files."""
    records: Iterable[bytes] = tf.data.TFRecordDataset(list(files), "GZIP").take(count).as_numpy_iterator()
    return [tf.train.Example.FromString(record) for record in islice(records, count)]


def complete_examples(files: Sequence[str], names: Sequence[str], count: int) -> tuple[list[Any], int]:
    """Read the first examples that have a value for each of some features.

    Args:
        files: gzipped TFRecord files.
        names: the features.
        count: how many examples to return at most.

    Returns:
        The examples, and how many there are in the files altogether.
    """
    found: list[Any] = []
    total = 0
    for record in tf.data.TFRecordDataset(list(files), "GZIP").as_numpy_iterator():
        total += 1
        if len(found) < count:
            example = tf.train.Example.FromString(record)
            if all(_values(example, name) for name in names):
                found.append(example)
    return found, total


def raw_inputs(examples: Sequence[Any], inputs: Mapping[str, TensorSpec]) -> dict[str, np.ndarray[Any, Any]]:
    """Stack the features that a signature reads into arrays [batch, …]; missing values become "" or 0.

    Args:
        examples: tf.train.Examples, at least one.
        inputs: the signature's inputs, by the names of raw features; their first dimension is the batch.
    """
    return {
        name: np.stack(
            [_value(example, name, spec.numpy_dtype, spec.shape or (None,)) for example in examples]
        )
        for name, spec in inputs.items()
    }


def _values(example: Any, name: str) -> list[Any]:
    # Reading a map of messages by index would add the key.
    if name not in example.features.feature:
        return []
    feature = example.features.feature[name]
    kind = feature.WhichOneof("kind")
    return list(getattr(feature, kind).value) if kind else []


def _value(
    example: Any, name: str, dtype: np.dtype[Any], batched: tuple[int | None, ...]
) -> np.ndarray[Any, Any]:
    shape = [size or 1 for size in batched[1:]]
    values = _values(example, name)
    if not values:
        values = [b"" if dtype.kind == "O" else 0] * int(np.prod(shape))
    return np.array(values, dtype).reshape(shape)


def text_of(example: Any, name: str) -> str:
    """Return a feature's first value as text, or "" if it is missing."""
    values = _values(example, name)
    if not values:
        return ""
    return values[0].decode(errors="replace") if isinstance(values[0], bytes) else str(values[0])
