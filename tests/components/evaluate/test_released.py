"""The latest release as a model to compare with: when it cannot be, and what is said when it is."""

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.evaluate.config import Waiver
from components.evaluate.released import Released, comparison_check, obstacle, remarks
from serving.engine.signature import Signature, TensorSpec
from serving.release.record import Release

CLASSES = ["benign", "malignant"]
RULE = {"by": "hash", "columns": ["label", "age"], "ratios": {"train": 8, "eval": 1, "test": 1}}
SCHEMA = text_format.Parse(
    'feature { name: "age" type: FLOAT } feature { name: "sex" type: BYTES }'
    'feature { name: "id" type: INT } feature { name: "height" type: FLOAT }',
    schema_pb2.Schema(),
)


class _Engine:
    def __init__(self, **inputs: str) -> None:
        specs = {name: TensorSpec(f"{name}:0", dtype, (None,)) for name, dtype in inputs.items()}
        self.signatures = {"serving_default": Signature(specs, {})}


def released(classes: list[str] | None = None, split: Any = RULE, **inputs: str) -> Released:
    release = Release(
        model_name="m",
        version=3,
        digest="d",
        files={},
        size_bytes=1,
        created="",
        classes=CLASSES if classes is None else classes,
        split=split,
    )
    return Released(release, _Engine(**(inputs or {"age": "DT_FLOAT"})))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (released(age="DT_FLOAT", sex="DT_STRING", id="DT_INT64"), ""),
        (
            released(age="DT_FLOAT", height="DT_FLOAT"),
            "it reads height, of which the data has no value any more",
        ),
        (released(age="DT_INT64"), "the type of what it reads has changed: age (DT_INT64, now DT_FLOAT)"),
        (released(["malignant", "benign", "unsure"]), ""),
        (released(["good", "benign"]), "it knows the classes good, benign, of which the data has benign"),
        (released([]), ""),  # too old to record them: what it answers tells
    ],
)
def test_what_speaks_against_a_comparison_before_it_runs(
    found: Released, reason: str, tmp_path: Path
) -> None:
    examples = tmp_path / "examples.gz"
    with tf.io.TFRecordWriter(str(examples), "GZIP") as writer:
        for text in ('key: "age" value {float_list {value: 3}}', 'key: "id" value {int64_list {value: 1}}'):
            sex = 'feature {key: "sex" value {bytes_list {value: "f"}}}'
            example = text_format.Parse(f"features {{feature {{{text}}} {sex}}}", tf.train.Example())
            writer.write(example.SerializeToString())
    assert obstacle(found, [str(examples)], SCHEMA, CLASSES) == reason


def test_a_release_that_cannot_be_compared_with_is_a_failure_with_its_ways_out() -> None:
    check = comparison_check(released(), "it reads height, which is gone", None)
    assert check.status == "failed"
    assert check.sentence() == (
        "comparison with version 3: it reads height, which is gone. Ways out: mend the data or the configuration, so "
        "that it can run; or, if that is right, release without comparing: "
        "evaluate.baseline_waiver: {version: 3, reason: …}"
    )


def test_a_waiver_counts_for_its_version_alone_and_keeps_its_reason() -> None:
    check = comparison_check(released(), "it reads height", Waiver(version=3, reason="no longer measured"))
    assert check.status == "undecided"
    assert check.message == "it reads height. Waived by evaluate.baseline_waiver, because: no longer measured"
    assert comparison_check(released(), "it reads height", Waiver(version=2, reason="old")).status == "failed"


def test_the_verdict_tells_what_may_make_the_comparison_unfair() -> None:
    assert remarks(released(), CLASSES, RULE) == []
    assert remarks(released(["malignant", "benign"]), CLASSES, RULE) == []
    (classes,) = remarks(released(["benign", "unsure"]), CLASSES, RULE)
    assert "(malignant new; unsure gone): compared on the examples whose class both know" in classes
    (unknown,) = remarks(released(split=None), CLASSES, RULE)
    (other,) = remarks(released(split={**RULE, "columns": ["label"]}), CLASSES, RULE)
    assert "does not record how its data was split" in unknown
    assert "split by another rule" in other
    assert all("which would favour it" in said for said in (unknown, other))
