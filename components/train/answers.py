"""From what a model ends with to probabilities: softmax, logits, or one sigmoid unit for two classes."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf


@dataclass(frozen=True)
class Answers:
    """What a model returns for each example.

    Attributes:
        units: how many numbers: one for each class, or a single one for the second of two classes.
        logits: whether softmax (of one unit, the sigmoid) is still to be applied.
    """

    units: int
    logits: bool

    def loss(self, keras: Any) -> Any:
        """Make the loss for class ids as labels."""
        if self.units == 1:
            return keras.losses.BinaryCrossentropy(from_logits=self.logits)
        return keras.losses.SparseCategoricalCrossentropy(from_logits=self.logits)

    def accuracy(self, keras: Any) -> Any:
        """Make the metric `accuracy`."""
        if self.units == 1:
            return keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0 if self.logits else 0.5)
        return keras.metrics.SparseCategoricalAccuracy(name="accuracy")


def units_of(model: Any, features: dict[str, tf.TensorSpec]) -> tuple[int | None, ...]:
    """Return the shape of a model's output, [batch, …], () if that is no tensor; calling it builds it if it is not.

    Args:
        model: of either Keras.
        features: the transformed features, each without its batch dimension.
    """
    functional = model.built and getattr(model, "inputs", None)
    batch = {
        name: tf.zeros([1, *(size or 1 for size in spec.shape)], spec.dtype)
        for name, spec in features.items()
    }
    answer = model(batch, training=False)
    if not hasattr(answer, "shape"):
        return ()  # Keras 3 tells the shape of what is in a dict of one
    return tuple(model.output_shape) if functional else (None, *answer.shape[1:])


def compiled_from_logits(model: Any) -> bool:
    """Tell whether the user compiled a model with a loss that reads logits."""
    loss = getattr(model, "loss", None)
    config: dict[str, Any] = loss.get_config() if loss is not None and hasattr(loss, "get_config") else {}
    return bool(config.get("from_logits"))


def with_probabilities(model: Any, keras: Any, answers: Answers, features: dict[str, tf.TensorSpec]) -> Any:
    """Return a model of the same layers and weights that ends with probabilities, float [batch, classes]."""
    if answers.units > 1 and not answers.logits:
        return model
    layers = keras.layers
    if getattr(model, "inputs", None):
        inputs, x = model.input, model.output
    else:
        inputs = {
            name: keras.Input(spec.shape, name=name, dtype=spec.dtype) for name, spec in features.items()
        }
        x = model(inputs)
    if answers.units > 1:
        return keras.Model(inputs, layers.Softmax(name="as_probabilities")(x))
    if answers.logits:
        x = layers.Activation("sigmoid", name="second_class")(x)
    other = layers.Rescaling(-1.0, offset=1.0, name="first_class")(x)
    return keras.Model(inputs, layers.Concatenate(name="as_probabilities")([other, x]))
