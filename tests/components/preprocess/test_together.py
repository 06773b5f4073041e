"""Many columns, one analysis: the numbers are those of tf.Transform's own analysis of each."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform import analyzer_nodes, mappers
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from components.preprocess.together import scaled_together, vectors

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
        "derived": tft.scale_to_z_score(inputs["a"] * 2.0),
        "constant": tft.scale_to_z_score(inputs["constant"]),
    }


NAMES = ("a", "b", "n", "constant", "derived")


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
    # Two numbers each for z-scores, for 0 to 1, and for what is no column.
    assert max(counts) == (6, 2 * len(NAMES))


def test_a_column_is_known_as_it_is_and_as_float32_and_nothing_else_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[tuple[int, ...]] = []

    def scale(x: Any, key: Any = None, elementwise: bool = False, **options: Any) -> Any:
        calls.append(tuple(x.shape))
        return tf.cast(x, tf.float32) * 2.0

    monkeypatch.setattr(mappers, "_scale_to_z_score_internal", scale)

    def both(a: tf.Tensor, n: tf.Tensor) -> list[tf.Tensor]:
        with scaled_together({"a": a, "n": n}):
            return [tft.scale_to_z_score(x) for x in (a, n, tf.cast(n, tf.float32), a + 1.0)]

    scaled = tf.function(both)(tf.constant([1.0, 2.0]), tf.constant([3, 4], tf.int64))
    assert [x.numpy().tolist() for x in scaled] == [[2, 4], [6, 8], [6, 8], [4, 6]]
    assert calls == [(2, 2), (2,)]
    assert mappers._scale_to_z_score_internal is scale


def test_without_the_private_functions_tf_transform_scales_one_by_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(mappers, "_scale_by_min_max_internal")
    kept = mappers._scale_to_z_score_internal
    with scaled_together({name: tf.constant([1.0, 2.0]) for name in "ab"}):
        assert mappers._scale_to_z_score_internal is kept
    assert "lacks ['_scale_by_min_max_internal']: columns are analyzed one by one" in caplog.text


def test_single_values_become_vectors_in_two_operations_for_each_type() -> None:
    columns: dict[str, Any] = {f"c{i}": tf.constant([[float(i)], [i + 0.5]]) for i in range(20)}
    columns |= {"n": tf.constant([[7], [8]], tf.int64), "m": tf.constant([[1], [2]], tf.int64)}
    others = {
        "text": tf.constant([["a"], ["b"]]),
        "pair": tf.constant([[1.0, 2.0], [3.0, 4.0]]),
        "gap": tf.SparseTensor([[0, 0]], [1.0], [2, 1]),
    }
    operations: list[int] = []

    def trace() -> dict[str, Any]:
        given = {**columns, **others}
        constants = {name: tf.identity(value) for name, value in given.items() if name != "gap"}
        before = len(tf.compat.v1.get_default_graph().get_operations())
        made = vectors({**constants, "gap": others["gap"]})
        operations.append(len(tf.compat.v1.get_default_graph().get_operations()) - before)
        assert list(made) == [*constants, "gap"]
        assert all(made[name].shape.as_list() == [2] for name in (*columns, "text"))
        return made

    made = tf.function(trace)()
    for name, value in columns.items():
        np.testing.assert_array_equal(made[name].numpy(), value.numpy()[:, 0], name)
    assert made["text"].numpy().tolist() == [b"a", b"b"]
    assert made["pair"].numpy().tolist() == others["pair"].numpy().tolist()
    assert isinstance(made["gap"], tf.SparseTensor)
    assert operations[0] <= 8, (
        "an axis, a concatenation and a split for floats and integers, and a split for text"
    )
