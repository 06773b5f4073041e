"""What the Beam stages of a run made, in forms that can be compared: Beam promises no order of rows."""

import json
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow_metadata.proto.v0 import statistics_pb2


def _one(workspace: Path, pattern: str) -> Path:
    (found,) = (workspace / "artifacts" / "digits").glob(pattern)
    return found


def examples(workspace: Path, stage: str) -> dict[str, list[bytes]]:
    """The rows of every split, sorted; each serialized anew, because a map's order in a message is free."""
    return {
        split.name: sorted(
            tf.train.Example.FromString(record).SerializeToString(deterministic=True)
            for record in tf.data.TFRecordDataset(
                sorted(map(str, split.iterdir())), "GZIP"
            ).as_numpy_iterator()
        )
        for split in _one(workspace, stage).glob("Split-*")
    }


def statistics(workspace: Path) -> dict[str, dict[tuple[str, ...], Any]]:
    """The statistics message of every feature, by split."""
    made = {}
    for path in _one(workspace, "StatisticsGen/statistics/*").glob("Split-*/FeatureStats.pb"):
        (data,) = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes()).datasets
        made[path.parent.name] = {tuple(feature.path.step): feature for feature in data.features}
    return made


def vocabulary(workspace: Path) -> list[str]:
    return _one(workspace, "Transform/transform_graph/*/transform_fn/assets/strokes").read_text().splitlines()


def metrics(workspace: Path) -> dict[str, float]:
    """Every metric of every slice by its name, and the cells of the confusion matrices."""
    made = json.loads(_one(workspace, "Evaluator/evaluation/*/metrics.json").read_text())
    named = {f"{one['model']}, {one['slice']}, {one['metric']}": one["value"] for one in made["values"]}
    cells = {
        f"{model}, {row}, {column}": count
        for model, matrix in made["confusion_matrix"].items()
        for row, counts in enumerate(matrix)
        for column, count in enumerate(counts)
    }
    return named | cells


def ingest_report(workspace: Path) -> Any:
    return json.loads(_one(workspace, "Ingest/examples/*/ingest.json").read_text())
