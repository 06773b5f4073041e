"""From TFDV's anomalies to a verdict in words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.names import OVERALL
from components.verdict import Check

_TOTAL = "schema"


def anomaly_checks(split: str, anomalies: Any) -> list[Check]:
    """Turn one split's anomalies into checks: an error fails, a warning is only reported.

    A split without anomalies is one check that passed.
    """
    found = [_check(split, name, info) for name, info in sorted(anomalies.anomaly_info.items())]
    if anomalies.HasField("dataset_anomaly_info"):
        found.append(_check(split, OVERALL, anomalies.dataset_anomaly_info))
    return found or [Check(metric=_TOTAL, slice=f"split {split}", status="passed", message="no anomalies")]


def _check(split: str, feature: str, info: Any) -> Check:
    reasons = [
        f"{reason.short_description.rstrip('.')}: {reason.description.rstrip('.')}" for reason in info.reason
    ]
    return Check(
        metric=_TOTAL,
        slice=f"feature {feature} of split {split}" if feature != OVERALL else f"split {split}",
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
