"""Missing values of raw features, filled by a policy: computed on the training split, the same when served."""

from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.preprocess.config import Missing
from serving.errors import UserError


class MissingError(UserError, ValueError):
    """A policy does not fit the type of its feature."""


def fill(name: str, value: Any, policy: Missing) -> tf.Tensor:
    """Fill the gaps of a raw feature.

    Args:
        name: the feature's name.
        value: SparseTensor [batch, n]; a dense tensor has no gaps.
        policy: what is put where an example has no value.

    Returns:
        A dense tensor: [batch], or [batch, k] if `fill_value` is a list of k values. Mean and median make integers
        float32.

    Raises:
        MissingError: the policy does not fit the feature's type.
    """
    if not isinstance(value, tf.SparseTensor):
        value = _every_value(value)
    if policy.strategy in ("mean", "median"):
        if value.dtype == tf.string:
            raise MissingError(
                f"preprocess.missing: {name!r} is text, or without any value, and has no {policy.strategy}: use "
                "most_frequent, or a value"
            )
        value = tf.cast(value, tf.float32)
    filler = _filler(name, value, policy)
    return _list(name, value, filler) if filler.shape.rank else _single(name, value, filler)


def indicator(value: Any) -> tf.Tensor:
    """Return 1 for each example that has no value, else 0: float32 [batch]."""
    if not isinstance(value, tf.SparseTensor):
        return tf.zeros(tf.shape(value)[:1])
    return 1.0 - tf.minimum(_counts(value), 1.0)


def _filler(name: str, value: tf.SparseTensor, policy: Missing) -> tf.Tensor:
    if policy.strategy == "mean":
        return tft.mean(value.values)
    if policy.strategy == "median":
        return tf.reshape(tft.quantiles(value.values, num_buckets=2, epsilon=0.001), [])
    if policy.strategy == "most_frequent":
        return _most_frequent(value)
    try:
        filler = tf.constant(policy.fill_value, value.dtype)
    except (TypeError, ValueError) as error:
        raise MissingError(
            f"preprocess.missing: {policy.fill_value!r} is no {value.dtype.name}, which {name!r} is"
        ) from error
    return filler


def _most_frequent(value: tf.SparseTensor) -> tf.Tensor:
    (found,) = tft.experimental.ptransform_analyzer(
        [value.values], _MostFrequent(value.dtype.as_numpy_dtype), [value.dtype], [[]]
    )
    return found


class _MostFrequent(beam.PTransform):  # type: ignore[misc]  # Beam has no types
    """From batches of values, tuples of one array [n], to the value seen most often; of several, the greatest."""

    def __init__(self, dtype: Any) -> None:
        super().__init__()
        self._dtype = dtype

    def expand(self, batches: Any) -> Any:
        """See Beam."""
        dtype = self._dtype
        return (
            batches
            | beam.FlatMap(lambda arrays: arrays[0].tolist())
            | beam.combiners.Count.PerElement()
            | beam.combiners.Top.Of(1, key=lambda counted: (counted[1], counted[0]))
            | beam.Map(lambda top: np.array(top[0][0], dtype))
        )


def _single(name: str, value: tf.SparseTensor, filler: tf.Tensor) -> tf.Tensor:
    several = f"preprocess.missing: {name!r} has several values in an example; give a list of them"
    one = tf.debugging.assert_less(value.indices[:, 1], tf.constant(1, tf.int64), several)
    with tf.control_dependencies([one]):
        column = tf.SparseTensor(value.indices, value.values, [value.dense_shape[0], 1])
    return tf.sparse.to_dense(column, default_value=filler)[:, 0]


def _list(name: str, value: tf.SparseTensor, filler: tf.Tensor) -> tf.Tensor:
    size = filler.shape[0]
    counts = _counts(value)
    other = (
        f"preprocess.missing: an example of {name!r} has not the {size} values that the list to fill it has"
    )
    whole = tf.debugging.assert_equal((counts == 0) | (counts == size), True, other)
    with tf.control_dependencies([whole]):
        rows = tf.SparseTensor(value.indices, value.values, [value.dense_shape[0], size])
    dense = tf.reshape(tf.sparse.to_dense(rows), [-1, size])
    return tf.where((counts > 0)[:, None], dense, filler)


def _counts(value: tf.SparseTensor) -> tf.Tensor:
    """Count the values of each example, float32 [batch]."""
    ones = tf.ones_like(value.values, tf.float32)
    return tf.math.unsorted_segment_sum(ones, value.indices[:, 0], value.dense_shape[0])


def _every_value(value: tf.Tensor) -> tf.SparseTensor:
    """Make a dense tensor sparse with its zeros, which from_dense would drop."""
    return tf.RaggedTensor.from_tensor(value[:, None] if value.shape.rank == 1 else value).to_sparse()
