"""What is wrong with a model that build_model returned, as far as it shows before it is trained."""

from typing import Any

import numpy as np

from components.outputs import output_faults
from components.train.answers import Answers


def loss_fault(model: Any, keras: Any, units: int) -> str | None:
    """Say why the loss that a model is compiled with cannot read class ids; None if it may.

    Only Keras's own losses are known: one that reads other labels would train something else, or fail in words of
    shapes.

    Args:
        model: compiled.
        keras: the Keras that it is made of.
        units: how many numbers it returns for an example.
    """
    loss = model.loss
    if not isinstance(loss, str) and (loss is None or not callable(loss)):
        return None
    try:
        loss = keras.losses.get(loss)
    except ValueError:
        return None
    kind = loss if hasattr(loss, "__name__") else type(loss)
    name = str(kind.__name__)
    if not str(kind.__module__).startswith(("keras.", "tf_keras.")) or name == "LossFunctionWrapper":
        return None
    sparse = "sparse" in name.lower()
    if sparse == (units > 1):
        return None
    fits = "sparse_categorical_crossentropy" if units > 1 else "binary_crossentropy"
    return (
        f"it is compiled with {name}, but labels are class ids, 0, 1, 2, …, and {units} "
        f"unit{'s' * (units > 1)} need{'s' * (units == 1)} {fits}. Slipway trains classifiers, one class for an example"
    )


def untrained_fault(model: Any, batch: Any, answers: Answers) -> str | None:
    """Say why a model's answers would be no probabilities, however it were trained; None if they may be.

    Args:
        model: not trained yet.
        batch: what it reads.
        answers: what it is said to return.
    """
    if answers.logits:
        return None
    values = np.asarray(model(batch, training=False), np.float64)
    if answers.units == 1:
        values = np.concatenate([1 - values, values], axis=1)
    finite = np.isfinite(values).all(axis=1)  # NaN is told by the loss, with its causes
    return output_faults(values[finite]).sentence() or None
