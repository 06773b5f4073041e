"""tf.train.Example from values and back. Apart from the rest, because it needs TensorFlow."""

from collections.abc import Mapping

import tensorflow as tf

from components.ingest.rows import Value


def encode(features: Mapping[str, Value]) -> bytes:
    """Serialize single-valued features as a tf.train.Example, with the same bytes for the same content."""
    example = tf.train.Example()
    for name, value in features.items():
        feature = example.features.feature[name]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        elif isinstance(value, int):
            feature.int64_list.value.append(value)
        else:
            feature.float_list.value.append(value)
    return bytes(example.SerializeToString(deterministic=True))


def decode(example: bytes) -> dict[str, list[Value]]:
    """Return the values of a serialized tf.train.Example by feature."""
    found: dict[str, list[Value]] = {}
    for name, feature in tf.train.Example.FromString(example).features.feature.items():
        kind = feature.WhichOneof("kind")
        found[name] = list(getattr(feature, kind).value) if kind else []
    return found
