"""TFMA's numbers against the definitions, computed by hand with numpy."""

from pathlib import Path

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from components.evaluate import metrics
from components.evaluate.metrics import LABEL, Wanted, choice_column, probabilities_column
from components.evaluate.predict import confusion_matrix

CLASSES, ROWS = 3, 300
MODELS = ("candidate", "baseline")
WANTED = [
    Wanted("accuracy"),
    Wanted("recall", 1),
    Wanted("precision", 1),
    Wanted("balanced_accuracy"),
    Wanted("loss"),
]


@pytest.fixture(scope="module")
def predictions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels, two models' probabilities (many of them below 0.5 for the class chosen) and one slice feature."""
    random = np.random.default_rng(7)
    labels = random.integers(0, CLASSES, ROWS)
    columns = {LABEL: pa.array([[int(label)] for label in labels], pa.list_(pa.int64()))}
    for strength, model in zip((0.4, 0.2), MODELS, strict=True):
        raw = random.random((ROWS, CLASSES)) + strength * np.eye(CLASSES)[labels]
        probabilities = (raw / raw.sum(1, keepdims=True)).astype(np.float32)
        columns[probabilities_column(model)] = pa.array(list(probabilities), pa.list_(pa.float32()))
        choice = np.eye(CLASSES, dtype=np.float32)[probabilities.argmax(1)]
        columns[choice_column(model)] = pa.array(list(choice), pa.list_(pa.float32()))
    columns["side"] = pa.array([[b"left" if i % 3 else b"right"] for i in range(ROWS)], pa.list_(pa.binary()))
    path = tmp_path_factory.mktemp("metrics") / "predictions.arrow"
    table = pa.table(columns)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=64)
    return path


def _pipeline() -> beam.Pipeline:
    return beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner", "--no_pipeline_type_check"]))


def _expected(path: Path, model: str, rows: npt.NDArray[np.int64]) -> dict[str, float]:
    with pa.OSFile(str(path)) as file:
        table = pa.ipc.open_file(file).read_all()
    labels = np.array(table[LABEL].to_pylist())[rows, 0]
    probabilities = np.array(table[probabilities_column(model)].to_pylist())[rows]
    chosen = probabilities.argmax(1)
    recalls = [(chosen[labels == c] == c).mean() for c in range(CLASSES)]
    return {
        "accuracy": (chosen == labels).mean(),
        "recall_of_1": recalls[1],
        "precision_of_1": (labels[chosen == 1] == 1).mean(),
        "balanced_accuracy": np.mean(recalls),
        "loss": -np.log(probabilities[np.arange(len(labels)), labels]).mean(),
    }


def test_every_metric_is_what_its_definition_says_on_every_slice(predictions: Path, tmp_path: Path) -> None:
    config = metrics.eval_config(MODELS, WANTED, ["side"], CLASSES, intervals=False)
    metrics.compute(_pipeline(), predictions, config, tmp_path)
    results = metrics.load(tmp_path, MODELS)
    index = np.arange(ROWS)
    slices = {
        (): index,
        (("side", "left"),): index[index % 3 != 0],
        (("side", "right"),): index[index % 3 == 0],
    }
    assert set(results) == set(slices)
    for where, rows in slices.items():
        for model in MODELS:
            found = {name: value.value for name, value in results[where][model].items()}
            assert found.pop("example_count") == len(rows)
            assert found == pytest.approx(_expected(predictions, model, rows), abs=1e-5)


def test_intervals_hold_the_value(predictions: Path, tmp_path: Path) -> None:
    config = metrics.eval_config(MODELS[:1], [Wanted("accuracy")], [], CLASSES, intervals=True)
    metrics.compute(_pipeline(), predictions, config, tmp_path)
    value = metrics.load(tmp_path, MODELS[:1])[()]["candidate"]["accuracy"]
    assert value.interval is not None
    low, high = value.interval
    assert low < value.value < high
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(value.value * (1 - value.value) / ROWS), rel=0.5)


def test_the_confusion_matrix_counts_every_example(predictions: Path) -> None:
    matrix = confusion_matrix(predictions, "candidate", CLASSES)
    expected = _expected(predictions, "candidate", np.arange(ROWS))
    assert matrix.sum() == ROWS
    assert matrix.trace() / ROWS == pytest.approx(expected["accuracy"])
    assert matrix[1, 1] / matrix[1].sum() == pytest.approx(expected["recall_of_1"])
