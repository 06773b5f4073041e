"""Inference of a schema from statistics, and what the configuration adds to it."""

import contextlib
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import schema_pb2

from components.listing import listed
from components.names import SPLIT_PREFIX
from components.schema.config import Comparator, SchemaConfig
from components.schema.text import SchemaError

#: The most classes that are inferred; more must be listed in the configuration.
MAX_INFERRED_CLASSES = 1000


def load_statistics(artifact: str | Path, split: str) -> Any:
    """Read the DatasetFeatureStatisticsList of a split of an ExampleStatistics artifact."""
    return tfdv.load_stats_binary(str(Path(artifact) / f"{SPLIT_PREFIX}{split}" / "FeatureStats.pb"))


def all_statistics(artifact: str | Path, splits: Sequence[str]) -> list[Any]:
    """Read the statistics of all splits, those of the training split first."""
    return [load_statistics(artifact, split) for split in sorted(splits, key=lambda split: split != "train")]


def infer(statistics: Sequence[Any], label: str, classes: Sequence[str] | None) -> Any:
    """Infer a schema from the statistics of all splits, the first being the training split.

    To what TFDV infers (types, presence, shapes, domains of strings) this adds the classes of the label and a
    range for each number: the observed one, widened by half its width on both sides, so that a shifted or
    rescaled column is an anomaly and ordinary new values are not.

    Raises:
        SchemaError: the label is missing, or has too many values to be classes.
    """
    schema = tfdv.infer_schema(statistics[0], infer_feature_shape=True, max_string_domain_size=100)
    for other in statistics[1:]:
        schema = tfdv.update_schema(schema, other, infer_feature_shape=True, max_string_domain_size=100)
    numbers = _numeric(statistics)
    for feature in schema.feature:
        if feature.type in (schema_pb2.INT, schema_pb2.FLOAT) and feature.name in numbers:
            _set_range(feature, numbers[feature.name])
    set_classes(schema, label, classes or _observed_classes(statistics, label))
    return schema


def _numeric(statistics: Sequence[Any]) -> dict[str, list[Any]]:
    """Return the numbers' statistics in each split, by column."""
    found: dict[str, list[Any]] = {}
    for split in statistics:
        for feature in split.datasets[0].features:
            if feature.HasField("num_stats"):
                found.setdefault(".".join(feature.path.step), []).append(feature.num_stats)
    return found


def _set_range(feature: Any, numbers: Sequence[Any]) -> None:
    low, high = min(n.min for n in numbers), max(n.max for n in numbers)
    margin = (high - low) / 2 or abs(high) or 1.0
    if feature.type == schema_pb2.INT:
        feature.int_domain.min, feature.int_domain.max = int(low - margin), int(high + margin)
    else:
        feature.float_domain.min, feature.float_domain.max = low - margin, high + margin


def _observed_classes(statistics: Sequence[Any], label: str) -> list[str]:
    found: set[str] = set()
    for split in statistics:
        for feature in split.datasets[0].features:
            if list(feature.path.step) == [label]:
                strings = feature.string_stats
                found.update(bucket.label for bucket in strings.rank_histogram.buckets)
                if strings.unique > min(len(strings.rank_histogram.buckets), MAX_INFERRED_CLASSES):
                    raise SchemaError(
                        f"the label {label!r} has {strings.unique} different values; if these are classes, list them "
                        "in data.classes"
                    )
    if not found:
        raise SchemaError(f"the data has no string feature {label!r} to take classes from: check data.label")
    return in_order(found)


def in_order(classes: Collection[str]) -> list[str]:
    """Sort names, whole numbers by their value: 10 comes after 9."""
    if all(re.fullmatch(r"[+-]?[0-9]+", name) for name in classes):
        return sorted(classes, key=lambda name: (int(name), name))
    return sorted(classes)


def set_classes(schema: Any, label: str, classes: Sequence[str]) -> None:
    """Make the label a required string whose domain is exactly the classes, in this order."""
    feature = next((f for f in schema.feature if f.name == label), None)
    if feature is None:
        raise SchemaError(f"the data has no feature {label!r}: check data.label")
    feature.type = schema_pb2.BYTES
    feature.ClearField("domain")
    feature.string_domain.name = label
    del feature.string_domain.value[:]
    feature.string_domain.value.extend(classes)
    kept = [domain for domain in schema.string_domain if domain.name != label]
    del schema.string_domain[:]
    schema.string_domain.extend(kept)


def add_comparators(schema: Any, config: SchemaConfig) -> None:
    """Write the configured skew and drift comparators into the schema.

    Raises:
        SchemaError: a comparator names a feature that the schema does not have.
    """
    features = {feature.name: feature for feature in schema.feature}
    for kind, comparators in (("skew", config.skew_comparators), ("drift", config.drift_comparators)):
        for name, comparator in comparators.items():
            if name not in features:
                raise SchemaError(
                    f"schema.{kind}_comparators: there is no feature {name!r}; there are {listed(list(features))}"
                )
            _set_comparator(getattr(features[name], f"{kind}_comparator"), comparator)


def make_optional(schema: Any, names: Sequence[str]) -> None:
    """Let examples lack some features, though every example so far had them: a request may leave them out."""
    for feature in schema.feature:
        if feature.name not in names:
            continue
        if feature.HasField("shape"):
            (size,) = [dim.size for dim in feature.shape.dim] or [1]
            feature.ClearField("shape")
            feature.value_count.min = feature.value_count.max = size
        feature.presence.min_fraction = 0.0


def set_aside(schema: Any, read: Collection[str]) -> None:
    """Mark the columns that no stage reads as DISABLED, which TFDV and tf.Transform pass over.

    A later delivery may change, drop or rename them.
    """
    for feature in schema.feature:
        if feature.name not in read and feature.lifecycle_stage == schema_pb2.UNKNOWN_STAGE:
            feature.lifecycle_stage = schema_pb2.DISABLED


def with_all_columns(schema: Any) -> Any:
    """Return a copy without the marks of `set_aside`."""
    whole = schema_pb2.Schema()
    whole.CopyFrom(schema)
    for feature in whole.feature:
        if feature.lifecycle_stage == schema_pb2.DISABLED:
            feature.ClearField("lifecycle_stage")
    return whole


def _set_comparator(target: Any, comparator: Comparator) -> None:
    if comparator.infinity_norm is not None:
        target.infinity_norm.threshold = comparator.infinity_norm
    if comparator.jensen_shannon_divergence is not None:
        target.jensen_shannon_divergence.threshold = comparator.jensen_shannon_divergence


def read_statistics(path: str) -> Any:
    """Read a statistics file: as StatisticsGen writes it, as TFDV's text, or as its TFRecord.

    Raises:
        SchemaError: there is no such file, or it holds no statistics.
    """
    if not Path(path).is_file():
        raise SchemaError(
            f"statistics file {path!r} does not exist: check schema.serving_statistics and previous_statistics"
        )
    for read in (tfdv.load_stats_binary, tfdv.load_statistics):
        # Each reader fails in its own way on the others' files.
        with contextlib.suppress(DecodeError, text_format.ParseError, UnicodeDecodeError):
            if (loaded := read(path)).datasets:
                return loaded
    raise SchemaError(
        f"{path}: holds no statistics; it must be a FeatureStats.pb of StatisticsGen, or TFDV's text or TFRecord"
    )
