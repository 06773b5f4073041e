"""TFDV's anomalies, skew and drift as checks of a verdict."""

from pathlib import Path
from typing import Any

import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.schema.config import Comparator, SchemaConfig
from components.schema.infer import add_comparators
from components.validate.gate import anomaly_checks, compare, read_anomalies
from tests.components.validate.conftest import GOOD, statistics_of

ERROR, WARNING = anomalies_pb2.AnomalyInfo.ERROR, anomalies_pb2.AnomalyInfo.WARNING


def anomalies(severity: Any, feature: str | None = "size") -> Any:
    """Make anomalies of one kind, of a feature or of the whole data set."""
    found = anomalies_pb2.Anomalies()
    info = found.anomaly_info[feature] if feature else found.dataset_anomaly_info
    info.severity = severity
    info.reason.add(short_description="Odd.", description="It is odd.")
    return found


@pytest.mark.parametrize(("severity", "status"), [(ERROR, "failed"), (WARNING, "undecided")])
def test_an_error_fails_and_a_warning_is_only_told(severity: Any, status: str) -> None:
    (check,) = anomaly_checks("train", anomalies(severity))
    assert (check.status, check.message) == (status, "Odd: It is odd")
    assert check.slice == "feature size of split train"


def test_an_anomaly_of_the_whole_data_set_fails_too() -> None:
    (check,) = anomaly_checks("eval", anomalies(ERROR, feature=None))
    assert (check.status, check.slice) == ("failed", "split eval")


def test_a_split_without_anomalies_is_one_check_that_passed() -> None:
    (check,) = anomaly_checks("train", anomalies_pb2.Anomalies())
    assert (check.status, check.slice, check.message) == ("passed", "split train", "no anomalies")


def test_what_example_validator_wrote_is_read_back(statistics: Any, schema: Any, tmp_path: Path) -> None:
    bad = tfdv.validate_statistics(statistics_of(**{**GOOD, "colour": ["purple"] * 40}), schema)
    (tmp_path / "SchemaDiff.pb").write_bytes(bad.SerializeToString())
    (check,) = anomaly_checks("train", read_anomalies(tmp_path / "SchemaDiff.pb"))
    assert check.status == "failed"
    assert "purple" in check.sentence()


@pytest.mark.parametrize(
    ("kind", "source"), [("skew", "serving_statistics"), ("drift", "previous_statistics")]
)
def test_skew_and_drift_past_their_threshold_fail_with_their_measure(
    statistics: Any, schema: Any, kind: str, source: str
) -> None:
    comparators = {f"{kind}_comparators": {"colour": Comparator(infinity_norm=0.1)}, source: "given"}
    add_comparators(schema, SchemaConfig.model_validate(comparators))
    red = statistics_of(**{**GOOD, "colour": ["red"] * 40})
    (check,) = compare(statistics, schema, {source: red})
    assert (check.status, check.metric, check.slice) == ("failed", kind, "feature colour")
    assert (check.direction, check.bound) == ("at most", 0.1)
    assert check.value == pytest.approx(0.5)
    assert [check.status for check in compare(statistics, schema, {source: statistics})] == ["passed"]


def test_without_other_statistics_nothing_is_compared(statistics: Any, schema: Any) -> None:
    assert compare(statistics, schema, {}) == []
