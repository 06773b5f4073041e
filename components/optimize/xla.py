"""XLA: the model is compiled for this machine's CPU (or GPU) when it first meets a shape. SavedModel out.

A compiled function holds for one shape, so batches and texts are padded to powers of two inside the graph: a
server meets a handful of shapes, each of which costs a compilation (about a second) once; warm-up requests take
that from the first client.
"""

from typing import Any

import tensorflow as tf

from components.optimize import saved_model
from components.optimize.frozen import frozen_function
from components.optimize.technique import InapplicableError, Technique, Work

#: The shortest padded text.
LEAST_STEPS = 16


def _build(model: Any, work: Work) -> None:
    predict = frozen_function(model, work)
    compiled = tf.function(predict, jit_compile=True)

    def padded(**features: tf.Tensor) -> tf.Tensor:
        """Pad every input, predict, and cut the padding of the batch off again."""
        rows = tf.shape(next(iter(features.values())))[0]
        fitted = {}
        for name, value in features.items():
            paddings = [[0, _power_of_two(rows, 1) - rows]]
            for axis in range(1, value.shape.rank):
                steps = tf.shape(value)[axis]
                extra = 0 if value.shape[axis] is not None else _power_of_two(steps, LEAST_STEPS) - steps
                paddings.append([0, extra])
            fitted[name] = tf.pad(value, paddings)
        return tf.ensure_shape(compiled(**fitted)[:rows], [None, len(work.parent.classes)])

    try:
        saved_model.write(saved_model.as_model(padded), work)
    except tf.errors.OpError as error:
        raise InapplicableError(f"XLA cannot compile this model: {str(error)[:200]}") from error


def _power_of_two(size: tf.Tensor, least: int) -> tf.Tensor:
    """The least power of two that is not below `size` nor `least`, int32."""
    size = tf.maximum(size, least)
    # By comparison, since a logarithm in floating point can land just beside a power.
    powers = tf.constant([2**exponent for exponent in range(31)], tf.int32)
    return tf.reduce_min(tf.boolean_mask(powers, powers >= size))


TECHNIQUES = {"xla": Technique("xla", "files", "operations that XLA compiles", _build)}
