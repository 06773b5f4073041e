"""The digits with a vocabulary: their stroke weights beside the pixels."""

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
import tf_keras as keras


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
    def decode(data: tf.Tensor) -> tf.Tensor:
        return tf.reshape(tf.io.decode_png(data, channels=1), [64])

    pixels = tf.map_fn(decode, inputs["image"], fn_output_signature=tf.TensorSpec([64], tf.uint8))
    stroke = tft.compute_and_apply_vocabulary(inputs["stroke_weight"], vocab_filename="strokes")
    return {
        "pixels": tft.scale_to_0_1(tf.cast(pixels, tf.float32), elementwise=True),
        "stroke": tf.one_hot(stroke, 3),
    }


def build_model(features: dict[str, Any], num_classes: int, hyperparameters: dict[str, Any]) -> Any:
    inputs = {name: keras.Input(spec.shape, name=name) for name, spec in features.items()}
    x = keras.layers.Concatenate()([inputs[name] for name in sorted(inputs)])
    x = keras.layers.Dense(32, activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes, activation="softmax")(x))
