"""Metrics by TensorFlow Model Analysis, from predictions that were made once.

The predictions of all models compared stand side by side in one Arrow file (see `predict`), so TFMA reads them
as features and runs no model: judging N models costs one pass of each over the examples, and one of TFMA.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tensorflow_model_analysis.api import model_eval_lib
from tensorflow_model_analysis.proto import config_pb2

from components.evaluate.config import Metric

#: TFMA's classes of the metrics that read probabilities, by our names.
_OF_PROBABILITIES = {
    "accuracy": "SparseCategoricalAccuracy",
    "loss": "SparseCategoricalCrossentropy",
    "auc": "AUC",
}
#: TFMA's classes of the metrics of the chosen class. They read the one-hot of the most probable class, because TFMA's
#: own threshold of 0.5 would count an answer with a probability of 0.4, the highest of ten, as no answer at all.
_OF_CHOICES = {"precision": "Precision", "recall": "Recall", "f1": "F1Score", "balanced_accuracy": "Recall"}
_OVER_ALL_CLASSES = ("accuracy", "loss")

LABEL = "label_id"
_SLICED = "slice_"
EXAMPLE_COUNT = "example_count"


@dataclass(frozen=True)
class Wanted:
    """A metric to compute, for one class if `class_id` is given, else over all classes."""

    metric: Metric
    class_id: int | None = None

    @property
    def key(self) -> str:
        """The metric's name in TFMA's results."""
        return self.metric if self.class_id is None else f"{self.metric}_of_{self.class_id}"


@dataclass(frozen=True)
class Value:
    """A metric's value on a slice, with the bounds of its 95 % interval once they were computed (see `estimates`)."""

    value: float
    interval: tuple[float, float] | None = None


#: `()` for all examples, else `((feature, value),)`
Slice = tuple[tuple[str, str], ...]
#: slice → model → metric key → value
Results = dict[Slice, dict[str, dict[str, Value]]]


def probabilities_column(model: str) -> str:
    """Name the column of a model's probabilities, float32 [classes] a row."""
    return f"probabilities_{model}"


def choice_column(model: str) -> str:
    """Name the column of the one-hot of a model's most probable class, float32 [classes] a row."""
    return f"choice_{model}"


def slice_column(feature: str) -> str:
    """Name the column of a feature that slices are made of, a text a row; no name of a feature is another column's."""
    return f"{_SLICED}{feature}"


def _metrics_spec(want: Wanted, models: Sequence[str], num_classes: int) -> Any:
    chosen = want.metric in _OF_CHOICES
    spec = config_pb2.MetricsSpec(
        metrics=[
            config_pb2.MetricConfig(
                class_name=(_OF_CHOICES if chosen else _OF_PROBABILITIES)[want.metric],
                config=f'"name": "{want.key}"',
            )
        ],
        model_names=[choice_column(m) if chosen else probabilities_column(m) for m in models],
    )
    if want.class_id is not None:
        spec.binarize.class_ids.values.append(want.class_id)
    elif want.metric not in _OVER_ALL_CLASSES:
        spec.aggregate.macro_average = True
        for class_id in range(num_classes):
            spec.aggregate.class_weights[class_id] = 1.0
    return spec


def eval_config(
    models: Sequence[str], wanted: Iterable[Wanted], slices: Sequence[str], num_classes: int
) -> Any:
    """Make TFMA's configuration: every metric, of every model, on every value of every slice feature."""
    columns = [column(model) for model in models for column in (probabilities_column, choice_column)]
    count = config_pb2.MetricsSpec(
        metrics=[config_pb2.MetricConfig(class_name="ExampleCount", config=f'"name": "{EXAMPLE_COUNT}"')],
        model_names=[probabilities_column(m) for m in models],
    )
    return config_pb2.EvalConfig(
        model_specs=[config_pb2.ModelSpec(name=c, label_key=LABEL, prediction_key=c) for c in columns],
        slicing_specs=[
            config_pb2.SlicingSpec(),
            *(config_pb2.SlicingSpec(feature_keys=[slice_column(s)]) for s in slices),
        ],
        metrics_specs=[count, *(_metrics_spec(w, models, num_classes) for w in dict.fromkeys(wanted))],
    )


def compute(pipeline: Any, predictions: Path, config: Any, output: Path) -> None:
    """Run TFMA on a Beam pipeline over a file of predictions, and write its results to `output`.

    Record batches stream from the Arrow file, so memory does not grow with the number of examples.
    """
    with pipeline as p:
        _ = (
            p
            | beam.Create([str(predictions)], reshuffle=False)
            | beam.FlatMap(record_batches)
            | model_eval_lib.ExtractEvaluateAndWriteResults(eval_config=config, output_path=str(output))
        )


def record_batches(path: str | Path) -> Iterator[pa.RecordBatch]:
    """Read a file of predictions batch by batch."""
    with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as reader:
        for index in range(reader.num_record_batches):
            yield reader.get_batch(index)


def matrix(batch: pa.RecordBatch, column: str) -> npt.NDArray[np.float32]:
    """Return a column with a number for each class, float32 [rows, classes]."""
    values: npt.NDArray[np.float32] = batch.column(column).flatten().to_numpy()
    return values.reshape(batch.num_rows, -1)


def load(output: Path, models: Sequence[str]) -> Results:
    """Read what `compute` wrote."""
    results: Results = {}
    for model in models:
        for column in (probabilities_column(model), choice_column(model)):
            for slice_key, by_output in model_eval_lib.load_eval_result(
                str(output), model_name=column
            ).slicing_metrics:
                values = results.setdefault(_slice(slice_key), {}).setdefault(model, {})
                for by_sub_key in by_output.values():
                    for by_name in by_sub_key.values():
                        # A mean over classes comes as "macro_average: true\n_<name>".
                        values.update(
                            {
                                name.rpartition("\n_")[2]: v
                                for name, raw in by_name.items()
                                if (v := _value(raw))
                            }
                        )
    return results


def _slice(slice_key: Any) -> Slice:
    return tuple(
        (str(name).removeprefix(_SLICED), v.decode() if isinstance(v, bytes) else str(v))
        for name, v in slice_key
    )


def _value(raw: dict[str, Any]) -> Value | None:
    """Read one value; None if TFMA gives none, as for the recall of a class that a slice lacks."""
    value = float(raw.get("doubleValue", math.nan))
    return None if math.isnan(value) else Value(value)
