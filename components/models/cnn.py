"""A convolutional network for images, sized from the shape of its input."""

from typing import Any

import tf_keras as keras


def build_model(features: dict[str, Any], num_classes: int, hyperparameters: dict[str, Any]) -> Any:
    """Build convolution and pooling blocks as long as the image is large enough, then two dense layers.

    For 32×32×3 with the defaults this is the network of TensorFlow's CIFAR-10 tutorial: convolutions of 32, 64 and
    64 filters of 3×3, pooled between, and a dense layer of 64 (122,570 parameters).

    Args:
        features: one image feature; name → spec of float32 [height, width, channels].
        num_classes: the length of the output, float32 [batch, num_classes], probabilities.
        hyperparameters: `filters` (list, default [32, 64, 64]), `dense` (64), `dropout` (0.0).

    Raises:
        ValueError: there is not exactly one image feature of at least 3×3.
    """
    if (
        len(features) != 1
        or len((spec := next(iter(features.values()))).shape) != 3
        or min(spec.shape[:2]) < 3
    ):
        raise ValueError(f"the CNN reads one image feature of at least 3×3, not {features}")
    (name,) = features
    filters = hyperparameters.get("filters", [32, 64, 64])
    inputs = keras.Input(spec.shape, name=name, dtype=spec.dtype)
    x = inputs
    for index, count in enumerate(filters):
        if min(x.shape[1:3]) < 3:
            break
        x = keras.layers.Conv2D(count, 3, activation="relu")(x)
        if index < len(filters) - 1 and min(x.shape[1:3]) >= 4:
            x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(hyperparameters.get("dense", 64), activation="relu")(x)
    x = keras.layers.Dropout(hyperparameters.get("dropout", 0.0))(x)
    outputs = keras.layers.Dense(num_classes, activation="softmax", name="probabilities")(x)
    return keras.Model({name: inputs}, outputs, name="cnn")
