"""Many columns, one analysis: the numbers are those of tf.Transform's own analysis of each."""

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform import analyzer_nodes
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from components.preprocess.together import scaled_together

SPEC = {
    "a": tf.io.FixedLenFeature([], tf.float32),
    "b": tf.io.FixedLenFeature([], tf.float32),
    "n": tf.io.FixedLenFeature([], tf.int64),
    "constant": tf.io.FixedLenFeature([], tf.float32),
    "gap": tf.io.VarLenFeature(tf.float32),
    "text": tf.io.FixedLenFeature([], tf.string),
}
ROWS = [
    {
        "a": i * 0.37 - 1,
        "b": float(i % 5) * 100,
        "n": i * i,
        "constant": 5.0,
        "gap": [1.0] * (i % 2),
        "text": "x",
    }
    for i in range(40)
]


def _scaled(inputs: dict[str, Any]) -> dict[str, Any]:
    return {
        "a": tft.scale_to_z_score(inputs["a"]),
        "b": tft.scale_to_0_1(inputs["b"]),
        "n": tft.scale_to_z_score(inputs["n"]),
        "cast": tft.scale_to_z_score(tf.cast(inputs["n"], tf.float32)),
        "whole": tft.scale_to_0_1(inputs["n"]),
        "derived": tft.scale_to_z_score(inputs["a"] * 2.0),
        "range": tft.scale_by_min_max(inputs["a"], -1.0, 1.0),
        "constant": tft.scale_to_z_score(inputs["constant"]),
    }


NAMES = ("a", "b", "n", "cast", "whole", "derived", "range", "constant")


def _analyses(inputs: dict[str, Any]) -> int:
    graph = inputs["a"].graph
    return len(graph.get_collection(analyzer_nodes.TENSOR_REPLACEMENTS))


def test_columns_are_scaled_as_one_by_one_with_fewer_analyses(tmp_path: Path) -> None:
    counts: list[tuple[int, int]] = []

    def both(inputs: dict[str, Any]) -> dict[str, Any]:
        before = _analyses(inputs)
        with scaled_together(inputs):
            outputs = _scaled(inputs)
        between = _analyses(inputs)
        alone = _scaled(inputs)
        counts.append((between - before, _analyses(inputs) - between))
        return {**{f"together_{name}": value for name, value in outputs.items()}, **alone}

    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(SPEC))
    with tft_beam.Context(temp_dir=str(tmp_path)):
        (rows, _), _ = (ROWS, metadata) | tft_beam.AnalyzeAndTransformDataset(both)
    assert len(rows) == len(ROWS)
    for row in rows:
        for name in NAMES:
            assert row[f"together_{name}"] == pytest.approx(row[name], rel=1e-5, abs=1e-6), name
    # Two numbers each for z-scores, for 0 to 1, for -1 to 1, and for what is no column.
    assert max(counts) == (8, 2 * len(NAMES))
