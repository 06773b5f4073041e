from pathlib import Path
from typing import Any

import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2

from components.schema.config import Comparator, SchemaConfig
from components.schema.diff import validate
from components.schema.infer import (
    add_comparators,
    in_order,
    infer,
    make_optional,
    read_statistics,
)
from components.schema.text import SchemaError, classes_of, read_schema, write_schema
from components.validate.gate import column_checks
from tests.components.schema.conftest import GOOD, statistics_of


def _errors(schema: Any, **columns: list[Any]) -> str:
    found = {"train": statistics_of(**columns)}
    read = dict.fromkeys(("size", "count", "colour", "label"), "preprocess.inputs")
    checks = column_checks(schema, found, validate(schema, found), read)
    return "; ".join(check.sentence() for check in checks if check.status == "failed")


def test_whole_numbers_are_ordered_as_numbers() -> None:
    assert in_order(["10", "9", "-1", "1"]) == ["-1", "1", "9", "10"]
    assert in_order(["10", "9", "b"]) == ["10", "9", "b"]


def test_an_optional_feature_keeps_the_number_of_its_values() -> None:
    schema = schema_pb2.Schema()
    schema.feature.add(name="pair").shape.dim.add(size=2)
    schema.feature.add(name="other").shape.dim.add(size=1)
    make_optional(schema, ["pair"])
    pair, other = schema.feature
    assert not pair.HasField("shape")
    assert (pair.value_count.min, pair.value_count.max) == (2, 2)
    assert other.HasField("shape")


def test_classes_are_those_observed_sorted_or_those_configured_in_their_order(statistics: Any) -> None:
    assert classes_of(infer([statistics], "label", None), "label") == ["a", "b"]
    assert classes_of(infer([statistics], "label", ["b", "a", "c"]), "label") == ["b", "a", "c"]


def test_ordinary_new_values_are_no_anomaly(schema: Any) -> None:
    assert _errors(schema, **GOOD) == ""
    assert _errors(schema, **{**GOOD, "size": [14.9] * 8, "count": [6] * 8}) == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": [300.0] * 8}, "column size"),
        ({"count": [99] * 8}, "column count"),
        ({"colour": ["purple"] * 8}, "purple"),
        ({"label": ["z"] * 8}, "column label"),
    ],
)
def test_a_shift_or_a_new_category_fails_in_words(
    schema: Any, change: dict[str, list[Any]], said: str
) -> None:
    assert said in _errors(schema, **{**GOOD, **change})


def test_a_missing_column_fails_in_words(schema: Any) -> None:
    assert "column colour" in _errors(schema, **{k: v for k, v in GOOD.items() if k != "colour"})


def test_a_label_that_is_not_there_or_is_no_class_is_refused(statistics: Any) -> None:
    with pytest.raises(
        SchemaError, match=r"no string feature 'answer' to take classes from: check data\.label"
    ):
        infer([statistics], "answer", None)
    many = statistics_of(label=[f"text {i}" for i in range(2000)])
    with pytest.raises(SchemaError, match=r"list them in data\.classes"):
        infer([many], "label", None)


def test_a_schema_survives_its_text_and_a_damaged_one_is_named(schema: Any, tmp_path: Path) -> None:
    write_schema(schema, tmp_path / "schema.pbtxt")
    assert read_schema(tmp_path / "schema.pbtxt") == schema
    (tmp_path / "bad.pbtxt").write_text("feature {")
    with pytest.raises(SchemaError, match=r"bad\.pbtxt: not a schema in text format: "):
        read_schema(tmp_path / "bad.pbtxt")


def test_statistics_are_read_in_every_form_that_tfdv_writes(statistics: Any, tmp_path: Path) -> None:
    (tmp_path / "binary.pb").write_bytes(statistics.SerializeToString())
    tfdv.write_stats_text(statistics, str(tmp_path / "text.pbtxt"))
    for name in ("binary.pb", "text.pbtxt"):
        assert read_statistics(str(tmp_path / name)) == statistics
    for content in (b"", b"garbage here", b"\xff\xfe\x00"):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(SchemaError, match="bad: holds no statistics"):
            read_statistics(str(tmp_path / "bad"))
    with pytest.raises(SchemaError, match=r"'absent' does not exist: check schema\.serving_statistics"):
        read_statistics("absent")


def test_comparators_need_statistics_and_known_features(schema: Any) -> None:
    with pytest.raises(
        ValueError, match="skew_comparators compare with nothing: give serving_statistics too"
    ):
        SchemaConfig(skew_comparators={"colour": Comparator(infinity_norm=0.1)})
    with pytest.raises(ValueError, match="exactly one of"):
        Comparator()
    config = SchemaConfig(
        drift_comparators={"shade": Comparator(infinity_norm=0.1)}, previous_statistics="given"
    )
    with pytest.raises(SchemaError, match=r"schema\.drift_comparators: there is no feature 'shade'"):
        add_comparators(schema, config)
