"""A model of baskets: how often each item is in a list of varying length; Keras 3."""

from typing import Any

import keras
import tensorflow as tf

BUCKETS = 32


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
    items = tf.RaggedTensor.from_sparse(inputs["items"])
    counts = tf.reduce_sum(tf.one_hot(tf.strings.to_hash_bucket_fast(items, BUCKETS), BUCKETS), axis=1)
    return {"counts": tf.reshape(counts, [-1, BUCKETS])}


def build_model(features: dict[str, Any], num_classes: int, hyperparameters: dict[str, Any]) -> Any:
    inputs = {"counts": keras.Input((BUCKETS,), name="counts")}
    return keras.Model(inputs, keras.layers.Dense(num_classes, activation="softmax")(inputs["counts"]))
