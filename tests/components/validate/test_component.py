"""The data gate as TFX runs it: artifacts in, a verdict out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import tensorflow_data_validation as tfdv
from tfx.types import artifact_utils, standard_artifacts

from components.artifacts import VerdictArtifact
from components.schema.config import Comparator, SchemaConfig
from components.schema.infer import add_comparators
from components.schema.text import SchemaError, write_schema
from components.validate.component import DataGate
from components.verdict import Verdict, read_verdict
from tests.components.validate.conftest import GOOD, statistics_of
from tests.components.validate.test_gate import READ


def judged(
    folder: Path,
    splits: dict[str, Any],
    schema: Any,
    config: SchemaConfig | None = None,
    named: Sequence[str] = (),
) -> Verdict:
    """Write the artifacts that the gate reads, run it, and read its verdict."""
    statistics, anomalies = standard_artifacts.ExampleStatistics(), standard_artifacts.ExampleAnomalies()
    written, verdict = standard_artifacts.Schema(), VerdictArtifact()
    artifacts = {"statistics": statistics, "schema": written, "anomalies": anomalies, "verdict": verdict}
    for name, artifact in artifacts.items():
        artifact.uri = str(folder / name)
    config = config or SchemaConfig()
    add_comparators(schema, config)
    write_schema(schema, folder / "schema" / "schema.pbtxt")
    for split, content in splits.items():
        for name, file, message in (
            ("statistics", "FeatureStats.pb", content),
            ("anomalies", "SchemaDiff.pb", tfdv.validate_statistics(content, schema)),
        ):
            path = folder / name / f"Split-{split}" / file
            path.parent.mkdir(parents=True)
            path.write_bytes(message.SerializeToString())
    statistics.split_names = anomalies.split_names = artifact_utils.encode_split_names(sorted(splits))
    inputs = {name: [artifact] for name, artifact in artifacts.items() if name != "verdict"}
    properties = {"schema_config": config.model_dump_json(), "read": json.dumps(READ), "code_digest": ""}
    properties["named_classes"] = json.dumps(dict.fromkeys(named, "evaluate.thresholds"))
    DataGate.EXECUTOR_SPEC.executor_class().Do(inputs, {"verdict": [verdict]}, properties)
    return read_verdict(verdict.uri)


def test_good_data_passes(statistics: Any, schema: Any, tmp_path: Path) -> None:
    verdict = judged(tmp_path, {"train": statistics, "eval": statistics}, schema)
    assert verdict.passed
    assert verdict.gate == "data"
    assert verdict.headline() == "passed: 1 of 1 checks"


def test_a_class_that_the_configuration_names_must_be_there(
    statistics: Any, schema: Any, tmp_path: Path
) -> None:
    verdict = judged(tmp_path, {"train": statistics}, schema, named=["elsewhere"])
    assert [check.slice for check in verdict.failures] == ["class elsewhere"]


def test_an_anomaly_in_any_split_refuses_the_data_and_names_the_feature(
    statistics: Any, schema: Any, tmp_path: Path
) -> None:
    shifted = statistics_of(**{**GOOD, "size": [500.0] * 40})
    verdict = judged(tmp_path, {"train": statistics, "eval": shifted}, schema)
    assert not verdict.passed
    assert [check.slice for check in verdict.failures] == ["column size"]
    assert verdict.headline() == (
        "refused: schema on column size: expected -5 to 15, found 500 to 500: outside in about 40 of 40 rows "
        "(split eval)"
    )


def test_a_change_where_no_stage_reads_is_told_and_passes(
    statistics: Any, schema: Any, tmp_path: Path
) -> None:
    note = "1 column that no stage reads changed, which refuses nothing: 'added' (new)"
    more = {**GOOD, "added": [1] * 40}
    good = judged(tmp_path / "good", {"train": statistics_of(**more)}, schema)
    assert good.headline() == f"passed: 1 of 1 checks; {note}"
    bad = judged(tmp_path / "bad", {"train": statistics_of(**{**more, "size": [500.0] * 40})}, schema)
    assert not bad.passed
    assert bad.notes == (note,)


def test_skew_against_what_was_served_refuses_the_data(statistics: Any, schema: Any, tmp_path: Path) -> None:
    served = statistics_of(**{**GOOD, "colour": ["red"] * 40})
    (tmp_path / "served.pb").write_bytes(served.SerializeToString())
    config = SchemaConfig(
        skew_comparators={"colour": Comparator(infinity_norm=0.1)},
        serving_statistics=str(tmp_path / "served.pb"),
    )
    verdict = judged(tmp_path, {"train": statistics}, schema, config)
    assert [(check.metric, check.slice) for check in verdict.failures] == [("skew", "feature colour")]


def test_statistics_to_compare_with_that_are_missing_are_named(
    statistics: Any, schema: Any, tmp_path: Path
) -> None:
    config = SchemaConfig(
        drift_comparators={"colour": Comparator(infinity_norm=0.1)},
        previous_statistics=str(tmp_path / "gone.pb"),
    )
    with pytest.raises(SchemaError, match=r"gone\.pb' does not exist: check schema\.serving_statistics"):
        judged(tmp_path, {"train": statistics}, schema, config)


def test_the_digest_names_the_data_that_was_judged(statistics: Any, schema: Any, tmp_path: Path) -> None:
    other = statistics_of(**{**GOOD, "size": [1.0, 9.0] * 20})
    digests = [
        judged(tmp_path / str(number), {"train": content}, schema).digest
        for number, content in enumerate((statistics, statistics, other))
    ]
    assert digests[0] == digests[1] != digests[2]
