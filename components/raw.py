"""Raw examples as a client would send them: for warm-up requests, golden requests and the demonstration."""

import math
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from components.listing import listed
from components.names import SPLIT_PREFIX
from serving.engine.signature import Signature


def example_files(examples: str | Path, split: str) -> list[str]:
    """List the TFRecord files of a split of an Examples artifact.

    Raises:
        FileNotFoundError: the split has no files.
    """
    folder = f"{examples}/{SPLIT_PREFIX}{split}"
    # No glob: the folder's own name may have brackets.
    there = tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else []
    files = sorted(f"{folder}/{name}" for name in there)
    if not files:
        raise FileNotFoundError(f"no examples in {folder}")
    return files


def read_examples(files: Sequence[str], count: int) -> list[Any]:
    """Read the first `count` tf.train.Examples of gzipped TFRecord files."""
    records: Iterable[bytes] = tf.data.TFRecordDataset(list(files), "GZIP").take(count).as_numpy_iterator()
    return [tf.train.Example.FromString(record) for record in islice(records, count)]


def without_values(files: Sequence[str], names: Collection[str]) -> list[str]:
    """Return those of some features that no example of gzipped TFRecord files has a value of."""
    left = dict.fromkeys(names)
    for record in tf.data.TFRecordDataset(list(files), "GZIP").as_numpy_iterator():
        example = tf.train.Example.FromString(record)
        left = {name: None for name in left if not _values(example, name)}
        if not left:
            break
    return list(left)


def golden_examples(files: Sequence[str], signature: Signature, count: int) -> tuple[list[Any], str]:
    """Choose examples to ask a model by: each with a value for every input that may not be left out.

    Most have a value for the others too; where there are gaps, up to a quarter has one.

    Args:
        files: gzipped TFRecord files.
        signature: of the model.
        count: how many to choose, or all examples if there are fewer.

    Returns:
        The examples, and why they are too few or leave an input blank, "" if they do not.
    """
    required = [name for name in signature.inputs if name not in signature.defaults]
    whole: list[Any] = []
    gaps: list[Any] = []
    total, enough = 0, count // 4 if signature.defaults else 0
    for record in tf.data.TFRecordDataset(list(files), "GZIP").as_numpy_iterator():
        total += 1
        example = tf.train.Example.FromString(record)
        if all(_values(example, name) for name in required):
            group = whole if all(_values(example, name) for name in signature.inputs) else gaps
            if len(group) < count:
                group.append(example)
        if len(whole) == count and len(gaps) >= enough:
            break
    some = gaps[: max(count // 4, count - len(whole))]
    chosen = [*whole[: count - len(some)], *some]
    blank = [name for name in signature.inputs if not any(_values(example, name) for example in chosen)]
    if chosen and blank:
        return chosen, f"no example chosen has a value for {listed(blank)}: is the column empty?"
    if len(chosen) < min(count, total) or not chosen:
        return chosen, (
            f"{len(chosen)} of {total} examples have a value for each input that the model requires "
            f"({listed(required)}), and {min(count, total)} are to be asked: fill the gaps in the data, or lower "
            "canary.golden_requests"
        )
    return chosen, ""


def raw_inputs(examples: Sequence[Any], signature: Signature) -> dict[str, np.ndarray[Any, Any]]:
    """Stack the features that a signature reads into arrays [batch, …].

    Args:
        examples: tf.train.Examples, at least one.
        signature: its inputs have the names of raw features, and the batch as their first dimension. Where an example
            has no value, or a shorter list than others, there is the input's default.

    Raises:
        ValueError: an example has not as many values as an input takes.
    """
    return {
        name: _stacked([_values(example, name) for example in examples], name, signature)
        for name in signature.inputs
    }


def _stacked(rows: Sequence[list[Any]], name: str, signature: Signature) -> np.ndarray[Any, Any]:
    spec = signature.inputs[name]
    shape = list(spec.shape or (None,))[1:]
    if name in signature.defaults:
        (default,) = signature.defaults[name].ravel().tolist()
        longest = max(1, *(len(row) for row in rows)) if shape == [None] else 1
        rows = [[*row, *[default] * (longest - len(row))] for row in rows]
        shape = [longest] if shape else []
    each = [size or 1 for size in shape]
    size = math.prod(each)
    for row in rows:
        if len(row) != size:
            raise ValueError(f"an example has {len(row)} values of {name!r}, and the model takes {size}")
    flat = np.empty(len(rows) * size, spec.numpy_dtype)
    flat[:] = [value for row in rows for value in row]
    return flat.reshape([len(rows), *each])


def _values(example: Any, name: str) -> list[Any]:
    # Reading a map of messages by index would add the key.
    if name not in example.features.feature:
        return []
    feature = example.features.feature[name]
    kind = feature.WhichOneof("kind")
    return list(getattr(feature, kind).value) if kind else []


def text_of(example: Any, name: str) -> str:
    """Return a feature's first value as text, or "" if it is missing."""
    values = _values(example, name)
    if not values:
        return ""
    return values[0].decode(errors="replace") if isinstance(values[0], bytes) else str(values[0])
