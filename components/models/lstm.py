"""A recurrent network for text: embedding, LSTM, probabilities."""

from typing import Any

import tf_keras as keras


def build_model(features: dict[str, Any], num_classes: int, hyperparameters: dict[str, Any]) -> Any:
    """Build the network for two classes or more.

    Args:
        features: one feature of word ids; name → spec of int64 [words], 0 after the end of a text (masked).
        num_classes: the length of the output, float32 [batch, num_classes], probabilities.
        hyperparameters: `vocabulary_size` (ids are below this; preprocessing provides it), `embedding` (32), `units`
            (32), `dropout` (0.3, of the embedding and before the output), `bidirectional` (false).

    Raises:
        ValueError: there is not exactly one sequence feature.
    """
    if len(features) != 1 or len((spec := next(iter(features.values()))).shape) != 1:
        raise ValueError(f"the LSTM reads one feature of word ids, not {features}")
    if "vocabulary_size" not in hyperparameters:
        raise ValueError(
            "the LSTM needs to know the vocabulary_size: use the text preprocessing, or give it in "
            "model.hyperparameters"
        )
    (name,) = features
    dropout = hyperparameters.get("dropout", 0.3)
    inputs = keras.Input(spec.shape, name=name, dtype=spec.dtype)
    x = keras.layers.Embedding(
        hyperparameters["vocabulary_size"], hyperparameters.get("embedding", 32), mask_zero=True
    )(inputs)
    x = keras.layers.SpatialDropout1D(dropout)(x)
    recurrent = keras.layers.LSTM(hyperparameters.get("units", 32))
    x = keras.layers.Bidirectional(recurrent)(x) if hyperparameters.get("bidirectional") else recurrent(x)
    x = keras.layers.Dropout(dropout)(x)
    outputs = keras.layers.Dense(num_classes, activation="softmax", name="probabilities")(x)
    return keras.Model({name: inputs}, outputs, name="lstm")
