"""TFMA's numbers against the definitions, computed by hand with numpy; ours, with their noise, against TFMA's."""

from pathlib import Path

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from components.evaluate import metrics
from components.evaluate.answers import Answers, confusion_matrix, read_answers
from components.evaluate.estimates import compare, interval, with_intervals
from components.evaluate.metrics import LABEL, Wanted, choice_column, probabilities_column, slice_column

CLASSES, ROWS = 3, 300
MODELS = ("candidate", "baseline")
#: What slices are made of may be called as one of our own columns.
SIDE = LABEL
WANTED = [
    Wanted("accuracy"),
    Wanted("recall", 1),
    Wanted("precision", 1),
    Wanted("balanced_accuracy"),
    Wanted("loss"),
]
#: Those that are not worked out by hand here.
OTHERS = [
    Wanted("f1"),
    Wanted("f1", 2),
    Wanted("auc"),
    Wanted("auc", 0),
    Wanted("precision"),
    Wanted("recall"),
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
    columns[slice_column(SIDE)] = pa.array(
        [[b"left" if i % 3 else b"right"] for i in range(ROWS)], pa.list_(pa.binary())
    )
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


@pytest.fixture(scope="module")
def results(predictions: Path, tmp_path_factory: pytest.TempPathFactory) -> metrics.Results:
    output = tmp_path_factory.mktemp("tfma")
    config = metrics.eval_config(MODELS, [*WANTED, *OTHERS], [SIDE], CLASSES)
    metrics.compute(_pipeline(), predictions, config, output)
    return metrics.load(output, MODELS)


@pytest.fixture(scope="module")
def answers(predictions: Path) -> Answers:
    return read_answers(predictions, MODELS, CLASSES, [SIDE])


def test_every_metric_is_what_its_definition_says_on_every_slice(
    predictions: Path, results: metrics.Results
) -> None:
    index = np.arange(ROWS)
    slices = {
        (): index,
        ((SIDE, "left"),): index[index % 3 != 0],
        ((SIDE, "right"),): index[index % 3 == 0],
    }
    assert set(results) == set(slices)
    for where, rows in slices.items():
        for model in MODELS:
            expected = _expected(predictions, model, rows)
            assert results[where][model]["example_count"].value == len(rows)
            assert {key: results[where][model][key].value for key in expected} == pytest.approx(
                expected, abs=1e-5
            )


@pytest.mark.parametrize("want", [*WANTED, *OTHERS], ids=lambda want: want.key)
def test_a_comparison_has_the_values_of_tfma(
    want: Wanted, results: metrics.Results, answers: Answers
) -> None:
    for where, by_model in results.items():
        found = compare(want, answers, *MODELS, answers.rows(where))
        assert found is not None
        one, other = (by_model[model][want.key].value for model in MODELS)
        # TFMA's AUC is a sum over 200 thresholds.
        assert (found.value, found.baseline) == pytest.approx(
            (one, other), abs=5e-3 if want.metric == "auc" else 1e-5
        )
        assert found.drop == pytest.approx(
            (found.value - found.baseline) * (1 if want.metric == "loss" else -1), abs=1e-9
        )
        low, high = interval(want, answers, MODELS[0], answers.rows(where)) or (1.0, 0.0)
        assert low < one < high


@pytest.mark.parametrize(
    "want",
    [Wanted("accuracy"), Wanted("precision", 1), Wanted("f1"), Wanted("auc", 0), Wanted("loss")],
    ids=lambda want: want.key,
)
def test_errors_are_those_of_a_bootstrap(want: Wanted, answers: Answers) -> None:
    """Every formula against plain resampling of whole examples; 15 % is what 400 resamples leave open."""
    random = np.random.default_rng(3)
    every, drops, values = np.ones(ROWS, bool), [], []
    for _ in range(400):
        sample = random.integers(0, ROWS, ROWS)
        again = Answers(
            classes=answers.classes,
            labels=answers.labels[sample],
            chosen={model: ids[sample] for model, ids in answers.chosen.items()},
            given={model: numbers[sample] for model, numbers in answers.given.items()},
            slices={},
            scores=lambda model, class_id, sample=sample: answers.scores(model, class_id)[sample],  # type: ignore[misc]
        )
        found = compare(want, again, *MODELS, every)
        assert found is not None
        drops.append(found.drop)
        values.append(found.value)
    compared = compare(want, answers, *MODELS, every)
    assert compared is not None
    low, high = interval(want, answers, MODELS[0], every) or (0.0, 0.0)
    assert high - low == pytest.approx(2 * 1.96 * np.std(values), rel=0.15)
    if compared.changed is None:
        assert compared.error == pytest.approx(np.std(drops), rel=0.15)


def test_wilson_intervals_are_those_of_his_formula(results: metrics.Results, answers: Answers) -> None:
    value = with_intervals(results, WANTED, answers)[()]["candidate"]["accuracy"]
    hits, z = round(value.value * ROWS), 1.959964
    centre = (hits + z**2 / 2) / (ROWS + z**2)
    half = z / (ROWS + z**2) * np.sqrt(hits * (ROWS - hits) / ROWS + z**2 / 4)
    assert value.interval == pytest.approx((centre - half, centre + half), abs=1e-6)


def test_classes_that_only_one_model_knows_are_left_out_of_means(answers: Answers) -> None:
    known = [0, 2]
    rows = np.isin(answers.labels, known)
    found = compare(Wanted("balanced_accuracy"), answers, *MODELS, rows, known)
    labels, chosen = answers.labels, answers.chosen["candidate"]
    assert found is not None
    assert found.value == pytest.approx(np.mean([(chosen[labels == c] == c).mean() for c in known]))
    assert compare(Wanted("recall", 1), answers, *MODELS, rows, known) is None
    assert compare(Wanted("accuracy"), answers, *MODELS, np.zeros(ROWS, bool)) is None


def test_the_confusion_matrix_counts_every_example(predictions: Path, answers: Answers) -> None:
    matrix = confusion_matrix(answers, "candidate")
    expected = _expected(predictions, "candidate", np.arange(ROWS))
    assert matrix.sum() == ROWS
    assert matrix.trace() / ROWS == pytest.approx(expected["accuracy"])
    assert matrix[1, 1] / matrix[1].sum() == pytest.approx(expected["recall_of_1"])
