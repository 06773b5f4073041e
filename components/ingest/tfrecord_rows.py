"""TFRecord files of tf.train.Example, checked and passed through."""

from collections.abc import Iterator

import tensorflow as tf

# Not public, but the only reader that works on any file object and verifies the checksums.
from apache_beam.io.tfrecordio import _TFRecordUtil
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from components.ingest.config import DataConfig
from components.ingest.examples import values as values_of
from components.ingest.files import opened
from components.ingest.rows import BadRow, DataError, Row, label_fault
from components.listing import listed


def read(source: str, config: DataConfig) -> Iterator[Row | BadRow]:
    """Yield every record; an int64 label is turned into its decimal string.

    Raises:
        DataError: the file is empty or damaged (after a bad checksum no later record can be found), or it holds
            tf.train.SequenceExamples.
    """
    number = 0
    with opened(source) as file:
        while True:
            try:
                record = _TFRecordUtil.read_record(file)
            except ValueError as error:
                raise DataError(f"{source}: record {number + 1} is damaged or cut off: {error}") from error
            if record is None:
                break
            number += 1
            yield _row(source, number, record, config)
    if not number:
        raise DataError(f"{source}: the file is empty; remove it or fill it")


def _row(source: str, number: int, record: bytes, config: DataConfig) -> Row | BadRow:
    try:
        example = tf.train.Example.FromString(record)
    except DecodeError:
        return BadRow(source, number, "not a tf.train.Example")
    if _is_sequence(example, record):
        raise DataError(
            f"{source}: record {number} is a tf.train.SequenceExample, not read, because its feature_lists would "
            "be lost. Write tf.train.Example; a feature in it may have any number of values."
        )
    features = example.features.feature
    if config.label not in features:
        return BadRow(source, number, f"no feature {config.label!r}; it has {listed(sorted(features))}")
    feature = features[config.label]
    kind = feature.WhichOneof("kind")
    values = list(getattr(feature, kind).value) if kind else []
    if len(values) > 1:
        shown = listed([*map(repr, values)], 3)
        return BadRow(
            source,
            number,
            f"label {config.label!r} has {len(values)} values, {shown}: Slipway learns one class for each example",
        )
    if not values or kind == "float_list":
        return BadRow(
            source,
            number,
            f"label {config.label!r} must be one string or integer, not {listed([*map(repr, values)], 3) or 'none'}",
        )
    if kind == "int64_list":
        label = str(values[0])
        feature.bytes_list.value.append(label.encode())
    else:
        try:
            label = values[0].decode()
        except UnicodeDecodeError:
            return BadRow(source, number, f"label {values[0]!r} is not UTF-8")
    if fault := label_fault(label, config.classes):
        return BadRow(source, number, fault)
    serialized = bytes(example.SerializeToString(deterministic=True))
    return Row(source, number, label, serialized, values_of(example))


def _is_sequence(example: tf.train.Example, record: bytes) -> bool:
    """Tell whether an Example is a SequenceExample in truth: its context is parsed as the features."""
    if not any(field.field_number == 2 for field in UnknownFieldSet(example)):
        return False
    try:
        return bool(tf.train.SequenceExample.FromString(record).feature_lists.feature_list)
    except DecodeError:
        return False
