"""TFDV's anomalies, skew and drift as checks of a verdict."""

from pathlib import Path
from typing import Any

import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.schema.config import Comparator, SchemaConfig
from components.schema.infer import add_comparators, infer, set_aside
from components.validate.gate import class_checks, column_checks, compare, read_anomalies, unread_note
from components.verdict import Check
from tests.components.validate.conftest import GOOD, statistics_of

READ = {"size": "preprocess.inputs", "colour": "preprocess.inputs", "label": "data.label"}
ERROR, WARNING = anomalies_pb2.AnomalyInfo.ERROR, anomalies_pb2.AnomalyInfo.WARNING


def anomalies(severity: Any, feature: str | None = "size") -> Any:
    """Make anomalies of one kind, of a feature or of the whole data set."""
    found = anomalies_pb2.Anomalies()
    info = found.anomaly_info[feature] if feature else found.dataset_anomaly_info
    info.severity = severity
    info.path.step.extend([feature] if feature else [])
    info.reason.add(short_description="Odd.", description="It is odd.")
    return found


def _checks(schema: Any, statistics: Any, found: Any) -> list[Check]:
    return column_checks(schema, {"train": statistics}, {"train": found}, READ)


@pytest.mark.parametrize(("severity", "status"), [(ERROR, "failed"), (WARNING, "undecided")])
def test_an_error_fails_and_a_warning_is_only_told(
    statistics: Any, schema: Any, severity: Any, status: str
) -> None:
    (check,) = _checks(schema, statistics, anomalies(severity))
    assert (check.status, check.message) == (status, "Odd: It is odd")
    assert check.slice == "column size"


def test_an_anomaly_of_the_whole_data_set_fails_too(statistics: Any, schema: Any) -> None:
    (check,) = _checks(schema, statistics, anomalies(ERROR, feature=None))
    assert (check.status, check.slice) == ("failed", "split train")


def test_without_anomalies_there_is_one_check_that_passed(statistics: Any, schema: Any) -> None:
    (check,) = _checks(schema, statistics, anomalies_pb2.Anomalies())
    assert (check.status, check.message) == ("passed", "every column that is read is as expected")


def test_a_class_that_is_named_and_not_there_fails_before_training() -> None:
    assert class_checks(["a", "b"], {"a": "evaluate.thresholds"}) == []
    (check,) = class_checks(["a", "b"], {"c": "train.class_weights", "b": "evaluate.thresholds"})
    assert check.status == "failed"
    assert check.sentence() == (
        "schema on class c: train.class_weights names the class 'c', which is not among the classes: 'a', 'b'"
    )


def test_a_column_that_is_gone_says_what_is_new_and_who_reads_it(schema: Any) -> None:
    renamed = statistics_of(**{"Size" if k == "size" else k: v for k, v in GOOD.items()})
    (check,) = _checks(schema, renamed, tfdv.validate_statistics(renamed, schema))
    assert check.sentence() == (
        "schema on column size: gone: expected numbers, found a value in none of 40 rows (renamed? new in the data: "
        "'Size'). Put the column back, or take it out of preprocess.inputs"
    )


def test_a_column_of_another_type_names_the_key_that_sets_it(schema: Any) -> None:
    whole = statistics_of(**{**GOOD, "size": [1] * 40})
    (check,) = _checks(schema, whole, tfdv.validate_statistics(whole, schema))
    assert check.sentence() == (
        "schema on column size: expected numbers, found whole numbers in 40 of 40 rows. If a CSV cell only looks like "
        "another type, data.csv.features says what it is"
    )


def test_a_column_that_never_was_is_named_with_those_there_are(statistics: Any, schema: Any) -> None:
    read = {**READ, "shape": "preprocess.inputs"}
    (check,) = column_checks(schema, {"train": statistics}, {"train": anomalies_pb2.Anomalies()}, read)
    assert check.status == "failed"
    assert check.sentence() == (
        "schema on column shape: no row has a value of it, and the schema does not know it: fill it, or take it out "
        "of preprocess.inputs. There are: colour, label, size"
    )


def test_columns_that_no_stage_reads_are_one_line_whatever_changed(schema: Any) -> None:
    """Here: new, gone, another type, another range, another value; and no more than ten names."""
    extra = statistics_of(**{**GOOD, "b": ["x"] * 40, "c": [1] * 40, "d": [1.0] * 40, "e": ["x"] * 40})
    schema = infer([extra], "label", None)
    set_aside(schema, READ)
    new: dict[str, list[Any]] = {
        "b": [1] * 40,
        "c": [10_000] * 40,
        "e": ["y"] * 40,
        **{f"new{i}": [1] * 40 for i in range(20)},
    }
    other = statistics_of(**{**GOOD, **new})
    (check,) = _checks(schema, other, tfdv.validate_statistics(other, schema))
    assert check.status == "passed"
    note = unread_note(schema, {"train": other}, READ)
    assert note.startswith(
        "24 columns that no stage reads changed, which refuses nothing: "
        "'b' (type), 'c' (range), 'd' (gone), 'e' (values), 'new0' (new), "
    )
    assert note.endswith(" and 14 more")
    assert unread_note(schema, {"train": extra}, READ) == ""


def test_what_example_validator_wrote_is_read_back(statistics: Any, schema: Any, tmp_path: Path) -> None:
    purple = statistics_of(**{**GOOD, "colour": ["purple"] * 40})
    bad = tfdv.validate_statistics(purple, schema)
    (tmp_path / "SchemaDiff.pb").write_bytes(bad.SerializeToString())
    (check,) = _checks(schema, purple, read_anomalies(tmp_path / "SchemaDiff.pb"))
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
