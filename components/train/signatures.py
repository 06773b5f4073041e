"""The two signatures of an exported model: raw features by name, and serialized tf.Examples.

A feature that the schema lets an example lack, or have several values of, is optional: SignatureDef's own `defaults`
hold the mark of a missing value ("", NaN, or the lowest integer). It stands for an input that a request leaves out, and
for the end of a list that is shorter than others of its batch.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import tensorflow as tf

from components.names import EXAMPLES_INPUT, EXAMPLES_SIGNATURE
from components.train.signature_names import aliases, rewrite_inputs
from serving.engine.signature import DEFAULT_SIGNATURE


def raw_specs(transform: Any, inputs: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return how raw features are parsed, and which of them are lists of varying length.

    Args:
        transform: `tft.TFTransformOutput` of the preprocessing.
        inputs: the features.
    """
    spec = transform.raw_feature_spec()
    single = {f.name for f in transform.raw_metadata.schema.feature if f.value_count.max == 1}
    raw_spec = {name: spec[name] for name in inputs}
    return raw_spec, [name for name in inputs if is_optional(raw_spec[name]) and name not in single]


def add_signatures(
    archive: Any,
    raw_spec: Mapping[str, Any],
    answer: Callable[[dict[str, Any]], dict[str, tf.Tensor]],
    lists: Collection[str] = (),
) -> None:
    """Add `serving_default` (raw tensors by name) and `serve_examples` (serialized tf.Example) to an ExportArchive.

    What the archive then writes out has inputs by exactly the names of `raw_spec`.

    Args:
        archive: of either Keras.
        raw_spec: how the raw features are parsed.
        answer: from parsed raw features to outputs.
        lists: the features of varying length that can have several values: [batch, n], not [batch].
    """

    def serving_default(**raw: tf.Tensor) -> dict[str, tf.Tensor]:
        values = _same_batch({name: raw[alias] for name, alias in names.items()}, optional)
        # One constant for all: a wide table would have a thousand of them.
        shapes = {shape: tf.constant([-1, *shape]) for shape in {_inner(spec) for spec in raw_spec.values()}}
        return answer(
            {name: _as_parsed(values[name], spec, shapes[_inner(spec)]) for name, spec in raw_spec.items()}
        )

    names = aliases(raw_spec)
    shapes = {name: [None, None] if name in lists else _shape(spec) for name, spec in raw_spec.items()}
    optional = [name for name, spec in raw_spec.items() if is_optional(spec)]
    # Traced with arguments by name; an input signature only lists positions.
    by_name = tf.function(serving_default)
    by_name.get_concrete_function(
        **{
            names[name]: tf.TensorSpec(shapes[name], spec.dtype, name=names[name])
            for name, spec in raw_spec.items()
        }
    )
    archive.add_endpoint(DEFAULT_SIGNATURE, by_name)
    archive.add_endpoint(
        EXAMPLES_SIGNATURE,
        tf.function(lambda examples: answer(tf.io.parse_example(examples, dict(raw_spec)))),
        input_signature=[tf.TensorSpec([None], tf.string, name=EXAMPLES_INPUT)],
    )
    marks = {name: tf.fill([1] * len(shapes[name]), _missing(raw_spec[name].dtype)) for name in optional}
    defaults = {name: tf.make_tensor_proto(mark.numpy()) for name, mark in marks.items()}
    write_out = archive.write_out

    def write_exact(filepath: str, *arguments: Any, **options: Any) -> None:
        write_out(filepath, *arguments, **options)
        rewrite_inputs(filepath, DEFAULT_SIGNATURE, names, defaults)

    archive.write_out = write_exact


def is_optional(spec: Any) -> bool:
    """Tell whether an example may lack a feature that is parsed so, or have several values of it."""
    return isinstance(spec, tf.io.VarLenFeature)


def _shape(spec: Any) -> list[int | None]:
    """Return the shape that a client sends: a single value needs no inner dimension."""
    if is_optional(spec) or list(spec.shape) in ([], [1]):
        return [None]
    return [None, *spec.shape]


def _missing(dtype: tf.DType) -> tf.Tensor:
    """Return the mark of a missing value."""
    if dtype == tf.string:
        return tf.constant("")
    return tf.constant(float("nan"), dtype) if dtype.is_floating else tf.constant(dtype.min, dtype)


def _same_batch(values: dict[str, tf.Tensor], optional: Collection[str]) -> dict[str, tf.Tensor]:
    """Repeat defaults, which TensorFlow Serving puts in with a batch of 1, for every example of the batch."""
    if not optional:
        return values
    required = [value for name, value in values.items() if name not in optional]
    sizes = [tf.shape(value)[0] for value in required[:1] or list(values.values())]
    batch = tf.reduce_max(tf.stack(sizes))
    return {
        name: tf.broadcast_to(value, tf.concat([[batch], tf.shape(value)[1:]], 0))
        if name in optional
        else value
        for name, value in values.items()
    }


def _inner(spec: Any) -> tuple[int, ...]:
    return () if is_optional(spec) else tuple(spec.shape)


def _as_parsed(value: tf.Tensor, spec: Any, shape: tf.Tensor) -> Any:
    """Give a client's tensor the form that parsing a tf.Example gives; `shape` is that of a dense one."""
    if not is_optional(spec):
        return tf.reshape(value, shape)
    rows = value[:, None] if value.shape.rank == 1 else value
    there = ~tf.math.is_nan(rows) if spec.dtype.is_floating else tf.not_equal(rows, _missing(spec.dtype))
    return tf.ragged.boolean_mask(rows, there).to_sparse()
