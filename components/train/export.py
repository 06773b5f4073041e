"""Export: one SavedModel that takes raw features, whatever the model is made of."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import tensorflow as tf

from components.names import CLASS_ID, CLASS_NAME, PROBABILITIES
from components.train.inputs import to_model_inputs
from components.train.signatures import add_signatures, raw_specs


def keras_of(model: Any) -> Any:
    """Return the Keras that a model is made of: the modules of Keras 3 or of tf_keras.

    Raises:
        TypeError: it is not a Keras model.
    """
    for base in type(model).__mro__:
        package = base.__module__.partition(".")[0]
        if package in ("keras", "tf_keras"):
            return import_module(package)
    raise TypeError(f"build_model returned {type(model).__name__}, which is not a Keras model")


def export(
    model: Any, transform: Any, inputs: Sequence[str], classes: Sequence[str], target: str | Path
) -> None:
    """Write a SavedModel with the preprocessing inside.

    Signatures: `serving_default` takes each raw feature as a tensor of [batch], or [batch, k] if it has k values;
    `serve_examples` takes `examples`, string [batch] of serialized tf.Example. Both answer `probabilities` float32
    [batch, classes], `class_id` int64 [batch] and `label` string [batch].

    Args:
        model: a built Keras 3 or tf_keras model, reading a dict of transformed features.
        transform: `tft.TFTransformOutput` of the preprocessing.
        inputs: the raw features that the model reads.
        classes: names in the order of their ids.
        target: the folder to write.
    """
    raw_spec, lists = raw_specs(transform, inputs)
    archive = keras_of(model).export.ExportArchive()
    archive.track(model)
    preprocess = features_layer(transform, archive)

    def answer(raw: dict[str, Any]) -> dict[str, tf.Tensor]:
        probabilities = model(to_model_inputs(preprocess(raw)), training=False)
        class_id = tf.argmax(probabilities, axis=1)
        return {
            PROBABILITIES: tf.cast(probabilities, tf.float32),
            CLASS_ID: class_id,
            CLASS_NAME: tf.gather(tf.constant(list(classes)), class_id),
        }

    add_signatures(archive, raw_spec, answer, lists)
    archive.write_out(str(target))


def features_layer(transform: Any, archive: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Load the preprocessing, and let an ExportArchive save its tables.

    Args:
        transform: `tft.TFTransformOutput`.
        archive: of either Keras.
    """
    layer = transform.transform_features_layer()
    # The layer is always of tf_keras. Keras 3 saves what is attached to an inner object, tf_keras what is attached to
    # the archive; attached to neither, the layer's tables would be missing from the SavedModel. What holds them is
    # attached, if tf.Transform has it: with the layer itself, tf_keras saves functions to call it, a second's work for
    # a wide table.
    trackable = getattr(archive, "_tf_trackable", archive)
    trackable.preprocess = getattr(layer, "_saved_model_loader_tracked_dict", layer)
    # A graph is only called, so that there is no Python to convert to one.
    called: Callable[[dict[str, Any]], dict[str, Any]] = tf.autograph.experimental.do_not_convert(layer)
    return called
