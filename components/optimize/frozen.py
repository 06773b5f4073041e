"""Freezing: variables become constants of the graph, so that TensorFlow can fold them. The result is a SavedModel."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from components.optimize import saved_model
from components.optimize.parent import model_inputs
from components.optimize.technique import InapplicableError, Technique, Work


def frozen_function(model: Any, work: Work) -> Callable[..., tf.Tensor]:
    """Return the model as a function of its inputs by name, without variables.

    Raises:
        InapplicableError: the graph has state that cannot become a constant.
    """
    specs = model_inputs(work.parent)

    def predict(**features: tf.Tensor) -> tf.Tensor:
        return model(features, training=False)

    function = tf.function(predict).get_concrete_function(**specs)
    try:
        # Loops are not lowered, because XLA does not compile the older form.
        constant = convert_variables_to_constants_v2(function, lower_control_flow=False)
    except (ValueError, tf.errors.OpError) as error:
        raise InapplicableError(f"the graph cannot be made constant: {str(error)[:200]}") from error
    names = [tensor.name.partition(":")[0] for tensor in constant.inputs]

    def call(**features: tf.Tensor) -> tf.Tensor:
        (probabilities,) = tf.nest.flatten(constant(*[features[name] for name in names]))
        return tf.ensure_shape(probabilities, [None, len(work.parent.classes)])

    return call


def _build(model: Any, work: Work) -> None:
    saved_model.write(saved_model.as_model(frozen_function(model, work)), work)


TECHNIQUES = {"frozen": Technique("frozen", "files", "a graph whose state is variables only", _build)}
