"""What the data has that the schema has not, and the reverse, in words: TFDV decides, this says it by column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from components.listing import listed

Kind = Literal["new", "gone", "type", "values", "range", "gaps", "other"]
_Stats = statistics_pb2.FeatureNameStatistics
_FOUND = {
    _Stats.INT: schema_pb2.INT,
    _Stats.FLOAT: schema_pb2.FLOAT,
    _Stats.STRING: schema_pb2.BYTES,
    _Stats.BYTES: schema_pb2.BYTES,
}
_WORDS = {schema_pb2.INT: "whole numbers", schema_pb2.FLOAT: "numbers", schema_pb2.BYTES: "text"}


@dataclass(frozen=True)
class Difference:
    """One column in which data and schema differ.

    Attributes:
        column: its name.
        kinds: what differs, in one word each.
        text: what was expected, what was found, in how many rows.
        error: whether TFDV calls it an error; else it is a warning.
    """

    column: str
    kinds: tuple[Kind, ...]
    text: str
    error: bool


def validate(schema: Any, statistics: Mapping[str, Any]) -> dict[str, Any]:
    """Find TFDV's anomalies of each split, of which `statistics` has a DatasetFeatureStatisticsList."""
    return {split: tfdv.validate_statistics(content, schema) for split, content in statistics.items()}


def differences(schema: Any, statistics: Mapping[str, Any], anomalies: Mapping[str, Any]) -> list[Difference]:
    """Say for each column with an anomaly, over all splits, how it differs from the schema.

    Args:
        schema: what was expected.
        statistics: of each split.
        anomalies: what TFDV found in each split.
    """
    found: dict[str, dict[str, Any]] = {}
    for split, content in anomalies.items():
        for key, info in content.anomaly_info.items():
            name = ".".join(info.path.step) if info.HasField("path") else key
            found.setdefault(name, {})[split] = info
    columns = {split: columns_of(content) for split, content in statistics.items()}
    features = {feature.name: feature for feature in schema.feature}
    total = len(statistics)
    return [
        _difference(schema, features.get(name), name, by_split, columns, statistics, total)
        for name, by_split in sorted(found.items())
    ]


def unused(schema: Any, statistics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List the columns of which the schema lists text values that the data has not, with these values in words."""
    seen: dict[str, set[str]] = {}
    for content in statistics.values():
        for name, column in columns_of(content).items():
            labels = (bucket.label for bucket in column.string_stats.rank_histogram.buckets)
            seen.setdefault(name, set()).update(labels)
    found = []
    for feature in schema.feature:
        domain = domain_of(schema, feature) if feature.type == schema_pb2.BYTES else None
        absent = [value for value in domain or () if value not in seen.get(feature.name, set())]
        if absent and seen.get(feature.name):
            found.append((feature.name, f"the schema has {listed(absent)}, the data has not"))
    return found


def columns_of(statistics: Any) -> dict[str, Any]:
    """Return the statistics of one split's columns by name."""
    return {".".join(column.path.step): column for column in statistics.datasets[0].features}


def domain_of(schema: Any, feature: Any) -> list[str] | None:
    """List the values that a text column may have; None if it may have any."""
    if feature.HasField("string_domain"):
        return list(feature.string_domain.value)
    return next((list(d.value) for d in schema.string_domain if d.name == feature.domain), None)


def range_of(feature: Any) -> tuple[float, float] | None:
    """Return the least and the greatest number that a column may have; None if it may have any."""
    kind = feature.WhichOneof("domain_info")
    if kind not in ("int_domain", "float_domain"):
        return None
    domain = getattr(feature, kind)
    low = domain.min if domain.HasField("min") else float("-inf")
    return low, domain.max if domain.HasField("max") else float("inf")


def type_words(kind: int) -> str:
    """Say a type of the schema in words."""
    return _WORDS.get(kind, "values")


def found_type(column: Any) -> int | None:
    """Return the schema's type of a column, from its statistics."""
    return _FOUND.get(column.type)


def _difference(
    schema: Any,
    feature: Any,
    name: str,
    by_split: Mapping[str, Any],
    columns: Mapping[str, Mapping[str, Any]],
    statistics: Mapping[str, Any],
    total: int,
) -> Difference:
    here = [columns[split][name] for split in by_split if name in columns.get(split, {})]
    rows = sum(int(statistics[split].datasets[0].num_examples) for split in by_split if split in statistics)
    said = _said(schema, feature, [column for column in here if _values(column)], rows)
    if not said:
        reasons = dict.fromkeys(
            f"{reason.short_description.rstrip('.')}: {reason.description.strip().rstrip('.')}"
            for info in by_split.values()
            for reason in info.reason
        )
        said = [("other", "; ".join(reasons))]
    where = "" if len(by_split) == total else f" (split {', '.join(sorted(by_split))})"
    return Difference(
        name,
        tuple(kind for kind, _ in said),
        "; ".join(text for _, text in said) + where,
        any(info.severity == anomalies_pb2.AnomalyInfo.ERROR for info in by_split.values()),
    )


def _said(schema: Any, feature: Any, columns: Sequence[Any], rows: int) -> list[tuple[Kind, str]]:
    """Compare what is known of a column with its statistics in the splits where TFDV found something."""
    filled = sum(_values(column) for column in columns)
    if feature is None:
        kinds = dict.fromkeys(type_words(found_type(column) or 0) for column in columns) or ["no values"]
        return [
            (
                "new",
                f"new: the schema does not have it; found {' and '.join(kinds)} in {filled} of {rows} rows",
            )
        ]
    if not columns:
        return [("gone", f"gone: expected {type_words(feature.type)}, found a value in none of {rows} rows")]
    if other := [column for column in columns if found_type(column) != feature.type]:
        kinds = dict.fromkeys(type_words(found_type(column) or 0) for column in other)
        count = sum(_values(column) for column in other)
        return [
            (
                "type",
                f"expected {type_words(feature.type)}, found {' and '.join(kinds)} in {count} of {rows} rows",
            )
        ]
    return [
        *_values_said(schema, feature, columns, rows),
        *_range_said(feature, columns, rows),
        *_gaps_said(feature, columns, rows),
    ]


def _values_said(schema: Any, feature: Any, columns: Sequence[Any], rows: int) -> list[tuple[Kind, str]]:
    domain = domain_of(schema, feature) if feature.type == schema_pb2.BYTES else None
    if domain is None:
        return []
    known = set(domain)
    counts: dict[str, int] = {}
    for column in columns:
        for bucket in column.string_stats.rank_histogram.buckets:
            if bucket.label not in known:
                counts[bucket.label] = counts.get(bucket.label, 0) + int(bucket.sample_count)
    if not counts:
        return []
    return [
        (
            "values",
            f"expected {listed(domain)}; found {listed(list(counts))} too, in {sum(counts.values())} of {rows} rows",
        )
    ]


def _range_said(feature: Any, columns: Sequence[Any], rows: int) -> list[tuple[Kind, str]]:
    limits = range_of(feature)
    numbers = [column.num_stats for column in columns]
    if limits is None or all(limits[0] <= n.min and n.max <= limits[1] for n in numbers):
        return []
    count = min(rows, max(1, round(sum(_outside(n, *limits) for n in numbers))))
    low, high = min(n.min for n in numbers), max(n.max for n in numbers)
    found = f"found {low:g} to {high:g}: outside in about {count} of {rows} rows"
    return [("range", f"expected {limits[0]:g} to {limits[1]:g}, {found}")]


def _outside(numbers: Any, low: float, high: float) -> float:
    """Estimate how many values are outside a range.

    Of a bucket that is partly outside, its share. Of the two histograms, equal widths count too many where values are
    crowded, and quantiles where a few are far off: the smaller count is the better one.
    """
    return min((_outside_in(histogram, low, high) for histogram in numbers.histograms), default=0.0)


def _outside_in(histogram: Any, low: float, high: float) -> float:
    total = 0.0
    for bucket in histogram.buckets:
        width = bucket.high_value - bucket.low_value
        inside = min(bucket.high_value, high) - max(bucket.low_value, low)
        share = max(0.0, min(1.0, inside / width)) if width > 0 else float(low <= bucket.low_value <= high)
        total += bucket.sample_count * (1 - share)
    return total


def _gaps_said(feature: Any, columns: Sequence[Any], rows: int) -> list[tuple[Kind, str]]:
    filled = sum(_values(column) for column in columns)
    wanted = feature.presence.min_fraction
    if not wanted or filled >= wanted * rows:
        return []
    share = "every row" if wanted == 1 else f"{wanted:.0%} of the rows"
    return [("gaps", f"expected a value in {share}, found none in {rows - filled} of {rows} rows")]


def _values(column: Any) -> int:
    """Count the rows that have a value."""
    kind = column.WhichOneof("stats")
    return int(getattr(column, kind).common_stats.num_non_missing) if kind else 0
