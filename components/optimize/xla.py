"""XLA: a SavedModel that is compiled for the machine's CPU (or GPU) when it first sees a shape.

A compiled function is for one shape, so batches and texts are padded to powers of two inside the graph: a server sees
a handful of shapes, and compiles each once, in about a second. With warm-up requests no client has to wait for that.
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
        """Pad every input, predict, and remove the padding of the batch."""
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
    """Return the lowest power of two that is not below `size` or `least`, int32."""
    size = tf.maximum(size, least)
    # By comparison, because a logarithm in floating point can round to just beside a power.
    powers = tf.constant([2**exponent for exponent in range(31)], tf.int32)
    return tf.reduce_min(tf.boolean_mask(powers, powers >= size))


TECHNIQUES = {"xla": Technique("xla", "files", "operations that XLA compiles", _build)}
