"""A data scientist's own model and preprocessing, in Keras 3, on a table of numbers and categories."""

from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
    colour = tft.compute_and_apply_vocabulary(inputs["colour"], vocab_filename="colours")
    return {
        "size": tf.reshape(tft.scale_to_z_score(inputs["size"]), [-1, 1]),
        "colour": tf.one_hot(colour, 3),
    }


def build_model(features: dict[str, Any], num_classes: int, hyperparameters: dict[str, Any]) -> Any:
    inputs = {name: keras.Input(spec.shape, name=name, dtype=spec.dtype) for name, spec in features.items()}
    x = keras.layers.Concatenate()([inputs[name] for name in sorted(inputs)])
    x = keras.layers.Dense(hyperparameters.get("units", 8), activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes, activation="softmax")(x))
