"""The `preprocessing_fn` that TFX's Transform is given: it passes the raw features to the configured one."""

from typing import Any

import tensorflow as tf

from components.modules import load_function
from components.preprocess import image, text
from components.preprocess.config import PreprocessConfig
from serving.errors import UserError

_BUILT_IN = {"image": image.preprocessing_fn, "text": text.preprocessing_fn}


class InputError(UserError, ValueError):
    """An input is missing in the data, or an output has the label's name."""


def preprocessing_fn(inputs: dict[str, Any], custom_config: dict[str, str]) -> dict[str, Any]:
    """Preprocess one batch; tf.Transform calls this.

    Args:
        inputs: every raw feature. The configured function gets only `preprocess.inputs`, dense: [batch] for single
            values (missing ones as "" or 0), [batch, k] for features of k values.
        custom_config: `config`, JSON of `PreprocessConfig`, and `label`, the label's feature name.

    Returns:
        The model's features, and the label as it is: string [batch].
    """
    config = PreprocessConfig.model_validate_json(custom_config["config"])
    label = custom_config["label"]
    missing = [name for name in config.inputs if name not in inputs]
    if missing:
        raise InputError(f"preprocess.inputs names {missing}, which the data lacks; it has {sorted(inputs)}")
    raw = {name: dense(inputs[name]) for name in config.inputs}
    if config.module in _BUILT_IN:
        outputs = _BUILT_IN[config.module](raw, config)
    else:
        outputs = load_function(config.module, "preprocessing_fn")(raw)
    if label in outputs:
        raise InputError(
            f"preprocessing_fn returns a feature {label!r}, which is the label's name; rename it"
        )
    return {**outputs, label: dense(inputs[label])}


def dense(value: Any) -> tf.Tensor:
    """Make a raw feature dense: [batch] if an example has at most one value, else [batch, k]."""
    if isinstance(value, tf.SparseTensor):
        first = tf.sparse.slice(value, [0, 0], [tf.cast(value.dense_shape[0], tf.int64), 1])
        default = "" if value.dtype == tf.string else 0
        padded = tf.sparse.SparseTensor(first.indices, first.values, [value.dense_shape[0], 1])
        return tf.sparse.to_dense(padded, default_value=default)[:, 0]
    return value[:, 0] if value.shape.rank == 2 and value.shape[1] == 1 else value
