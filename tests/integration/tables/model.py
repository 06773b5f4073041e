"""A data scientist's model for any table: numbers scaled, texts one-hot, each by its own name; Keras 3."""

from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
    features = {}
    for name, values in inputs.items():
        if values.dtype == tf.string:
            ids = tf.reshape(tft.compute_and_apply_vocabulary(values, num_oov_buckets=1), [-1])
            features[name] = tf.one_hot(ids, 5)
        else:
            features[name] = tf.reshape(tft.scale_to_z_score(tf.cast(values, tf.float32)), [-1, 1])
    return features


def build_model(features: dict[str, Any], num_classes: int, hyperparameters: dict[str, Any]) -> Any:
    # A layer's name is free; what the model calls its inputs is the key of this dictionary.
    inputs = {name: keras.Input(spec.shape, dtype=spec.dtype) for name, spec in features.items()}
    x = keras.layers.Concatenate()([inputs[name] for name in sorted(inputs)])
    x = keras.layers.Dense(16, activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes, activation="softmax")(x))
