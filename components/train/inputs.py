"""Training examples: from transformed TFRecord files to the batches that a Keras model reads."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def to_model_inputs(transformed: dict[str, Any]) -> dict[str, tf.Tensor]:
    """Convert transformed features to a model's inputs: dense ones as they are, sparse ones [batch, n] padded with 0.

    Sequences are padded to the longest of their batch, not to a fixed length, and to at least one step.
    """
    return {
        name: _pad(value) if isinstance(value, tf.SparseTensor) else value
        for name, value in transformed.items()
    }


def _pad(value: tf.SparseTensor) -> tf.Tensor:
    steps = tf.maximum(value.dense_shape[1], 1)
    shape = tf.stack([value.dense_shape[0], steps])
    return tf.sparse.to_dense(tf.SparseTensor(value.indices, value.values, shape))


def feature_specs(transformed: dict[str, Any], label: str) -> dict[str, tf.TensorSpec]:
    """Describe the model's inputs without their batch dimension, from the spec of the transformed features."""
    specs = {}
    for name, spec in transformed.items():
        if name != label:
            shape = [None] if isinstance(spec, tf.io.VarLenFeature) else spec.shape
            specs[name] = tf.TensorSpec(shape, spec.dtype, name=name)
    return specs


def label_table(classes: Sequence[str]) -> Any:
    """Make the table from class name to class id, int64; -1 for a name that is not a class."""
    initializer = tf.lookup.KeyValueTensorInitializer(
        tf.constant(list(classes)), tf.range(len(classes), dtype=tf.int64)
    )
    return tf.lookup.StaticHashTable(initializer, default_value=-1)


def dataset(
    files: Sequence[str],
    spec: dict[str, Any],
    label: str,
    classes: Sequence[str],
    batch_size: int,
    shuffle: tuple[int, int] | None = None,
) -> Any:
    """Read batches of (features, class ids int64 [batch]) from gzipped TFRecord files.

    Args:
        files: the files.
        spec: of the transformed features, label included.
        label: the label's feature name; its value is the class name.
        classes: names in the order of their ids.
        batch_size: examples per batch; the last batch may be smaller.
        shuffle: buffer size and seed; without it, the files' order.
    """
    table = label_table(classes)

    def parse(serialized: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        features = tf.io.parse_example(serialized, spec)
        ids = table.lookup(tf.reshape(features.pop(label), [-1]))
        message = f"a label is not among the classes {list(classes)}"
        with tf.control_dependencies([tf.debugging.assert_non_negative(ids, message)]):
            return to_model_inputs(features), tf.identity(ids)

    records = tf.data.TFRecordDataset(sorted(files), "GZIP")
    # Each of several workers takes its part of every batch, so that together they see what one alone would see.
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    records = records.with_options(options)
    if shuffle:
        records = records.shuffle(shuffle[0], seed=shuffle[1], reshuffle_each_iteration=True)
    return records.batch(batch_size).map(parse, num_parallel_calls=2).prefetch(2)


def class_counts(files: Sequence[str], spec: dict[str, Any], label: str, classes: Sequence[str]) -> list[int]:
    """Count the examples of each class, in the order of their ids."""
    names = (
        tf.data.TFRecordDataset(sorted(files), "GZIP")
        .batch(1024)
        .map(lambda serialized: tf.io.parse_example(serialized, {label: spec[label]})[label])
    )
    counts = dict.fromkeys((name.encode() for name in classes), 0)
    for batch in names.as_numpy_iterator():
        for name in batch.ravel():
            counts[name] += 1
    return list(counts.values())
