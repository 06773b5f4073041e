"""The `preprocessing_fn` that TFX's Transform is given: it passes the raw features to the configured one."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from components.causes import root_cause
from components.listing import listed
from components.modules import load_function
from components.preprocess import image, text
from components.preprocess.config import PreprocessConfig
from components.preprocess.missing import fill, indicator
from components.preprocess.together import scaled_together, vectors
from serving.errors import UserError

_BUILT_IN = {"image": image.preprocessing_fn, "text": text.preprocessing_fn}


class InputError(UserError, ValueError):
    """An input is missing in the data, an output has the label's name, or the user's function failed."""


def preprocessing_fn(inputs: dict[str, Any], custom_config: dict[str, str]) -> dict[str, Any]:
    """Preprocess one batch; tf.Transform calls this.

    Args:
        inputs: every raw feature. The configured function gets only `preprocess.inputs`, in the form that is in
            tf.Transform's guide: [batch] where every example has one value, [batch, k] where every one has k, and a
            SparseTensor with all values where some are missing or their number varies. Features of
            `preprocess.missing` are filled.
        custom_config: `config`, JSON of `PreprocessConfig`, and `label`, the label's feature name.

    Returns:
        The model's features, and the label as it is: string [batch].
    """
    config = PreprocessConfig.model_validate_json(custom_config["config"])
    label = custom_config["label"]
    missing = [name for name in config.inputs if name not in inputs]
    if missing:
        raise InputError(
            f"preprocess.inputs names {listed(missing)}, which the data lacks; it has {listed(sorted(inputs))}"
        )
    raw = raw_features(inputs, config)
    if config.module in _BUILT_IN:
        outputs = _BUILT_IN[config.module](raw, config)
    else:
        outputs = _call(load_function(config.module, "preprocessing_fn"), raw, config.module)
    if label in outputs:
        raise InputError(
            f"preprocessing_fn returns a feature {label!r}, which is the label's name; rename it"
        )
    return {**outputs, **vectors({label: inputs[label]})}


def raw_features(inputs: dict[str, Any], config: PreprocessConfig) -> dict[str, Any]:
    """Return what the configured function gets: `preprocess.inputs`, gaps filled where there is a policy.

    Args:
        inputs: every raw feature, as tf.Transform hands it on.
        config: names the features and the policies.

    Raises:
        InputError: an indicator would have the name of an input.
    """
    whole = vectors({name: inputs[name] for name in config.inputs if name not in config.missing})
    raw: dict[str, Any] = {}
    for name in config.inputs:
        policy = config.missing.get(name)
        raw[name] = fill(name, inputs[name], policy) if policy else whole[name]
        if policy and policy.add_indicator:
            added = f"{name}_missing"
            if added in inputs:
                raise InputError(
                    f"preprocess.missing: {name} wants an indicator {added!r}, which is an input"
                )
            raw[added] = indicator(inputs[name])
    return raw


def _call(function: Callable[..., Any], raw: dict[str, Any], module: str) -> dict[str, Any]:
    try:
        with scaled_together(raw):
            outputs: dict[str, Any] = function(raw)
    except Exception as error:
        if isinstance(error, KeyError) and error.args and error.args[0] not in raw:
            raise InputError(
                f"{module}: preprocessing_fn asks for {error.args[0]!r}, and gets what preprocess.inputs names: "
                f"{listed(list(raw))}"
            ) from error
        gaps = [name for name, value in raw.items() if isinstance(value, tf.SparseTensor)]
        text = [repr(name) for name, value in raw.items() if value.dtype == tf.string]
        if not gaps and text:
            raise InputError(
                f"{module}: preprocessing_fn fails: {root_cause(error)[:240]}. Among its inputs, text is: "
                f"{listed(text, 5)} (a column with a cell such as 5% or 1,234 is)"
            ) from error
        if not gaps:
            raise
        named = listed([repr(name) for name in gaps], 5)
        raise InputError(
            f"{module}: preprocessing_fn gets {named} as SparseTensors, because not every example has exactly one "
            f"value, and fails. Where one is missing, set preprocess.missing, such as {{{gaps[0]}: most_frequent}} (a "
            "list for a feature of several values), or handle SparseTensors, with tf.RaggedTensor.from_sparse for one. "
            f"It says: {root_cause(error)}"
        ) from error
    return outputs
