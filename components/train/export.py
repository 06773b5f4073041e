"""Export: one SavedModel that takes raw features, whatever the model is made of."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import tensorflow as tf

from components.names import CLASS_ID, CLASS_NAME, EXAMPLES_INPUT, EXAMPLES_SIGNATURE, PROBABILITIES
from components.train.inputs import to_model_inputs
from components.train.signature_names import aliases, restore_names
from serving.engine.signature import DEFAULT_SIGNATURE


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

    Signatures: `serving_default` takes each raw feature as a tensor of [batch] (or [batch, k]), `serve_examples`
    takes `examples`, string [batch] of serialized tf.Example. Both answer `probabilities` float32 [batch, classes],
    `class_id` int64 [batch] and `label` string [batch].

    Args:
        model: a built Keras 3 or tf_keras model, reading a dict of transformed features.
        transform: `tft.TFTransformOutput` of the preprocessing.
        inputs: the raw features that the model reads.
        classes: names in the order of their ids.
        target: the folder to write.
    """
    raw_spec = {name: transform.raw_feature_spec()[name] for name in inputs}
    archive = keras_of(model).export.ExportArchive()
    archive.track(model)
    preprocess = transform.transform_features_layer()
    # The layer is always of tf_keras. Keras 3 saves what is attached to an inner object, tf_keras what is attached to
    # the archive; attached to neither, the layer's tables would be missing from the SavedModel.
    trackable = getattr(archive, "_tf_trackable", archive)
    trackable.preprocess = preprocess

    def answer(raw: dict[str, Any]) -> dict[str, tf.Tensor]:
        probabilities = model(to_model_inputs(preprocess(raw)), training=False)
        class_id = tf.argmax(probabilities, axis=1)
        return {
            PROBABILITIES: tf.cast(probabilities, tf.float32),
            CLASS_ID: class_id,
            CLASS_NAME: tf.gather(tf.constant(list(classes)), class_id),
        }

    add_signatures(archive, raw_spec, answer)
    archive.write_out(str(target))


def add_signatures(
    archive: Any, raw_spec: dict[str, Any], answer: Callable[[dict[str, Any]], dict[str, tf.Tensor]]
) -> None:
    """Add `serving_default` (raw tensors by name) and `serve_examples` (serialized tf.Example) to an ExportArchive.

    What the archive then writes out has inputs by exactly the names of `raw_spec`.

    Args:
        archive: of either Keras.
        raw_spec: how the raw features are parsed.
        answer: from parsed raw features to outputs.
    """

    def serving_default(**raw: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer({name: _as_parsed(raw[names[name]], spec) for name, spec in raw_spec.items()})

    names = aliases(raw_spec)
    tensors = {
        names[name]: tf.TensorSpec(_client_shape(spec), spec.dtype, name=names[name])
        for name, spec in raw_spec.items()
    }
    # Traced with arguments by name; an input signature only lists positions.
    by_name = tf.function(serving_default)
    by_name.get_concrete_function(**tensors)
    archive.add_endpoint(DEFAULT_SIGNATURE, by_name)
    archive.add_endpoint(
        EXAMPLES_SIGNATURE,
        tf.function(lambda examples: answer(tf.io.parse_example(examples, raw_spec))),
        input_signature=[tf.TensorSpec([None], tf.string, name=EXAMPLES_INPUT)],
    )
    write_out = archive.write_out

    def write_exact(filepath: str, *arguments: Any, **options: Any) -> None:
        write_out(filepath, *arguments, **options)
        restore_names(filepath, names, DEFAULT_SIGNATURE)

    archive.write_out = write_exact


def _client_shape(spec: Any) -> list[int | None]:
    """Return the shape that a client sends: a single value needs no inner dimension."""
    if isinstance(spec, tf.io.VarLenFeature) or list(spec.shape) in ([], [1]):
        return [None]
    return [None, *spec.shape]


def _as_parsed(value: tf.Tensor, spec: Any) -> Any:
    """Give a client's tensor the form that parsing a tf.Example gives."""
    if isinstance(spec, tf.io.VarLenFeature):
        return tf.sparse.from_dense(value[:, None]) if value.dtype == tf.string else _sparse(value)
    return tf.reshape(value, [-1, *spec.shape])


def _sparse(value: tf.Tensor) -> tf.SparseTensor:
    """Make [batch] numbers sparse [batch, 1] with every value kept: from_dense would drop the zeros."""
    count = tf.shape(value, out_type=tf.int64)[0]
    indices = tf.stack([tf.range(count), tf.zeros([count], tf.int64)], axis=1)
    return tf.SparseTensor(indices, value, tf.stack([count, tf.constant(1, tf.int64)]))
