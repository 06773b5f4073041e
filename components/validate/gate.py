"""From TFDV's anomalies to a verdict in words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.listing import listed
from components.schema.diff import Difference, columns_of, differences, validate
from components.schema.infer import with_all_columns
from components.verdict import Check

_TOTAL = "schema"


def column_checks(
    schema: Any, statistics: Mapping[str, Any], anomalies: Mapping[str, Any], read: Mapping[str, str]
) -> list[Check]:
    """Turn the anomalies of all splits into a check for each column that a stage reads.

    An error fails, a warning is only reported. Without any, one check passed.

    Args:
        schema: of the run.
        statistics: of each split.
        anomalies: as ExampleValidator found them in each split.
        read: the columns that some stage reads, each with what names it.
    """
    found = differences(schema, statistics, anomalies)
    new = [difference.column for difference in found if difference.kinds == ("new",)]
    checks = [_check(one, read[one.column], new) for one in found if one.column in read]
    there = {feature.name for feature in schema.feature}.union(*map(columns_of, statistics.values()))
    checks += [_absent(column, read[column], sorted(there)) for column in read if column not in there]
    for split, content in sorted(anomalies.items()):
        if content.HasField("dataset_anomaly_info"):
            checks.append(_whole_split(split, content.dataset_anomaly_info))
    return checks or [
        Check(metric=_TOTAL, status="passed", message="every column that is read is as expected")
    ]


def class_checks(classes: Sequence[str], named: Mapping[str, str]) -> list[Check]:
    """Fail for each class that the configuration names and the data lacks, before a model is trained for it.

    Args:
        classes: of the schema.
        named: classes, each with what names it.
    """
    return [
        Check(
            metric=_TOTAL,
            slice=f"class {name}",
            status="failed",
            message=f"{key} names the class {name!r}, which is not among the classes: {listed([*map(repr, classes)])}",
        )
        for name, key in named.items()
        if name not in classes
    ]


def unread_note(schema: Any, statistics: Mapping[str, Any], read: Mapping[str, str]) -> str:
    """Say in one line which columns that no stage reads differ from the schema; "" if none does."""
    unread = {feature.name for feature in schema.feature}.union(*map(columns_of, statistics.values())) - set(
        read
    )
    if not unread:
        return ""
    whole = with_all_columns(schema)
    found = [
        f"{one.column!r} ({', '.join(one.kinds)})"
        for one in differences(whole, statistics, validate(whole, statistics))
        if one.column not in read
    ]
    if not found:
        return ""
    what = "1 column" if len(found) == 1 else f"{len(found)} columns"
    return f"{what} that no stage reads changed, which refuses nothing: {listed(found)}"


def _check(difference: Difference, reader: str, new: Sequence[str]) -> Check:
    message = difference.text
    if "gone" in difference.kinds:
        renamed = f" (renamed? new in the data: {listed([repr(name) for name in new])})" if new else ""
        message += f"{renamed}. Put the column back, or take it out of {reader}"
    elif "type" in difference.kinds:
        message += ". If a CSV cell only looks like another type, data.csv.features says what it is"
    return Check(
        metric=_TOTAL,
        slice=f"column {difference.column}",
        status="failed" if difference.error else "undecided",
        message=message,
    )


def _absent(column: str, reader: str, there: Sequence[str]) -> Check:
    return Check(
        metric=_TOTAL,
        slice=f"column {column}",
        status="failed",
        message=f"no row has a value of it, and the schema does not know it: fill it, or take it out of {reader}. "
        f"There are: {listed(there)}",
    )


def _whole_split(split: str, info: Any) -> Check:
    reasons = [
        f"{reason.short_description.rstrip('.')}: {reason.description.rstrip('.')}" for reason in info.reason
    ]
    return Check(
        metric=_TOTAL,
        slice=f"split {split}",
        status="failed" if info.severity == anomalies_pb2.AnomalyInfo.ERROR else "undecided",
        message="; ".join(reasons),
    )


def read_anomalies(path: Path) -> Any:
    """Read an Anomalies message, as ExampleValidator writes it."""
    return anomalies_pb2.Anomalies.FromString(path.read_bytes())


def compare(statistics: Any, schema: Any, sources: Mapping[str, Any]) -> list[Check]:
    """Compare training statistics with served (`skew`) and earlier (`drift`) ones by the schema's comparators.

    Args:
        statistics: of the training split.
        schema: with its comparators.
        sources: `serving_statistics` and `previous_statistics`, each if there is one.
    """
    if not sources:
        return []
    anomalies = tfdv.validate_statistics(statistics, schema, **sources)
    found = []
    for skew in anomalies.drift_skew_info:
        name = ".".join(skew.path.step)
        for kind, measurements in (("skew", skew.skew_measurements), ("drift", skew.drift_measurements)):
            for measured in measurements:
                found.append(
                    Check(
                        metric=kind,
                        slice=f"feature {name}",
                        status="passed" if measured.value <= measured.threshold else "failed",
                        value=measured.value,
                        direction="at most",
                        bound=measured.threshold,
                    )
                )
    return found
