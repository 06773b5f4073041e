"""tf.train.Example from values and back. Apart from the rest, because it needs TensorFlow."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from components.ingest.rows import Row, Value


def row(source: str, number: int, label: str, features: Mapping[str, Value], converted: str = "") -> Row:
    """Make a row of single-valued features; its example has the same bytes for the same content."""
    example = tf.train.Example()
    for name, value in features.items():
        feature = example.features.feature[name]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        elif isinstance(value, int):
            feature.int64_list.value.append(value)
        else:
            feature.float_list.value.append(value)
    serialized = bytes(example.SerializeToString(deterministic=True))
    return Row(
        source, number, label, serialized, {name: (value,) for name, value in features.items()}, converted
    )


def values(example: tf.train.Example) -> dict[str, Sequence[Value]]:
    """Return the values of a tf.train.Example by feature."""
    found: dict[str, Sequence[Value]] = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        found[name] = getattr(feature, kind).value if kind else ()
    return found
