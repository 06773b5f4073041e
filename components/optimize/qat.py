"""Quantization-aware training: the model is trained further with int8's rounding in it. Not for LSTM."""

from typing import Any

from components.optimize.fine_tune import copy_of, fine_tune, need_tf_keras
from components.optimize.technique import InapplicableError, Technique, Work


def _build(model: Any, work: Work) -> Any:
    need_tf_keras("qat", work)
    import tensorflow_model_optimization as tfmot

    unknown = sorted({type(layer).__name__ for layer in model.layers if isinstance(layer, _unknown())})
    if unknown:
        raise InapplicableError(f"quantization-aware training does not know {', '.join(unknown)} layers")
    try:
        aware = tfmot.quantization.keras.quantize_model(copy_of(model))
    except (RuntimeError, ValueError) as error:
        raise InapplicableError(
            f"quantization-aware training does not know this model: {str(error)[:200]}"
        ) from error
    fine_tune(aware, work)
    return aware


def _unknown() -> tuple[Any, ...]:
    import tf_keras

    return (tf_keras.layers.Embedding, tf_keras.layers.RNN, tf_keras.layers.Bidirectional)


TECHNIQUES = {
    "qat": Technique("qat", "model", "a functional tf_keras model without LSTM", _build, finish="int8")
}
