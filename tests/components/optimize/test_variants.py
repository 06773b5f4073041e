"""Real variants of small models: built, judged, re-loaded from disk by a fresh process."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.evaluate import metrics
from components.evaluate.answers import read_answers
from components.evaluate.config import EvaluateConfig
from components.names import PREDICTIONS_FILE
from components.optimize import gate, tradeoff
from components.optimize.config import Budgets
from components.optimize.pick import pick as choose
from components.optimize.run import OptimizerInputs, optimize
from components.optimize.table import Row, outcome, read_rows, write_rows
from components.verdict import Verdict
from serving.engine.open import EngineOptions, open_engine
from tests.components.optimize.conftest import Made

# tf_keras, tfmot and the converter warn of each other by the dozen.
pytestmark = [pytest.mark.run, pytest.mark.filterwarnings("ignore")]

EVALUATE: dict[str, Any] = {
    "min_examples": 15,
    "thresholds": [
        {"metric": "accuracy", "lower_bound": 0.8},
        {"metric": "accuracy", "max_drop": 1.0, "slices": ["label"], "overall": False},
    ],
}

SABOTAGE = '''
def build(model, work):
    """Damage the weights of one class: a seven is never seen again."""
    *rest, kernel, bias = model.get_weights()
    kernel[:, 7] = 0.0
    bias[7] = -30.0
    model.set_weights([*rest, kernel, bias])
    return model
'''
NOT_A_NUMBER = '''
def build(model, work):
    """Damage one weight: every answer is NaN, and the class chosen is always the first."""
    *rest, bias = model.get_weights()
    bias[3] = float("nan")
    model.set_weights([*rest, bias])
    return model
'''
CRASH = "import os\n\n\ndef build(model, work):\n    os._exit(9)\n"
WRONG = "def build(model, work):\n    raise KeyError('no such layer')\n"

FRESH = """
import json, sys
import numpy as np, tensorflow as tf
from serving.engine.open import EngineOptions, open_engine
from pathlib import Path
examples, *folders = sys.argv[1:]
for folder in folders:
    engine = open_engine(Path(folder), EngineOptions())
    right = total = 0
    for record in tf.data.TFRecordDataset(examples, "GZIP").as_numpy_iterator():
        label = tf.train.Example.FromString(record).features.feature["label"].bytes_list.value[0]
        answer = engine.run("serve_examples", {"examples": np.array([record], object)})["label"][0]
        right, total = right + (answer == label), total + 1
    print(json.dumps([right / total, sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file())]))
"""


def by_name(rows: list[Row]) -> dict[str, Row]:
    return {row.name: row for row in rows}


@pytest.fixture(scope="module")
def done(
    images: Made, tmp_path_factory: pytest.TempPathFactory
) -> tuple[OptimizerInputs, list[Row], Verdict, Path | None]:
    folder = tmp_path_factory.mktemp("optimized")
    modules = {}
    sources = {"sabotage": SABOTAGE, "not_a_number": NOT_A_NUMBER, "crash": CRASH, "wrong": WRONG}
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
        modules[name] = str(folder / f"{name}.py")
    inputs = images.inputs(
        folder,
        EVALUATE,
        techniques=[
            "float16",
            "crash+int8",
            "int8_dynamic",
            "int8",
            "frozen",
            "xla",
            "wrong",
            "tensorrt",
            "pruned+int8",
            "clustered",
            "qat",
            "distilled",
            "sabotage+int8_dynamic",
            "not_a_number+frozen",
        ],
        modules=modules,
        objective="size",
        max_drop=0.15,
        max_slice_drop=0.4,
        fine_tune={"epochs": 1},
        distilled={"epochs": 4},
        pruned={"sparsity": 0.5, "pattern": "2:4"},
        measured_seconds=0.05,
    )
    return (inputs, *optimize(inputs))


def test_every_row_is_real(done: Any, images: Made) -> None:
    inputs, rows, _, _ = done
    built = [row for row in rows if not row.skipped and row.name != "not_a_number+frozen"]
    assert {row.name for row in built} == {
        *("float", "float16", "int8_dynamic", "int8", "frozen", "xla"),
        *("pruned+int8", "clustered", "qat", "distilled", "sabotage+int8_dynamic"),
    }
    folders = [
        images.parent.saved_model if row.name == "float" else inputs.variants / row.name for row in built
    ]
    fresh = subprocess.run(
        [sys.executable, "-c", FRESH, images.judged, *map(str, folders)],
        capture_output=True,
        text=True,
        check=True,
    )
    for row, line in zip(built, fresh.stdout.splitlines()[-len(built) :], strict=True):
        accuracy, size = json.loads(line)
        assert accuracy == pytest.approx(row.quality["accuracy"], abs=1e-6), row.name
        assert row.measured is not None
        assert size == row.measured.bytes, row.name


def test_what_cannot_be_built_is_skipped_in_words(done: Any) -> None:
    skipped = {row.name: row.skipped.partition(" (/")[0] for row in done[1] if row.skipped}
    assert skipped == {
        "crash+int8": "the process that built it ended with code 9: it printed no error",
        "wrong": "KeyError: 'no such layer'",
        "tensorrt": "no GPU that TensorFlow can use on this machine",
    }
    assert "tensorrt was skipped: no GPU" in " ".join(done[2].notes)


def test_every_variant_takes_raw_features(done: Any, images: Made) -> None:
    inputs, rows, _, _ = done
    records = list(tf.data.TFRecordDataset(images.judged, "GZIP").take(5).as_numpy_iterator())
    features = [tf.train.Example.FromString(record).features.feature for record in records]
    raw = np.array([feature["image"].bytes_list.value[0] for feature in features], object)
    for row in rows:
        if row.skipped or row.name in ("float", "not_a_number+frozen"):
            continue
        engine = open_engine(inputs.variants / row.name, EngineOptions())
        one = engine.run("serving_default", {"image": raw})
        two = engine.run("serve_examples", {"examples": np.array(records, object)})
        assert one["probabilities"].shape == (5, 10), row.name
        assert one["label"].tolist() == [str(i).encode() for i in one["class_id"]], row.name
        np.testing.assert_allclose(one["probabilities"], two["probabilities"], atol=1e-5, err_msg=row.name)
        engine.close()


def test_a_variant_that_answers_nan_is_refused_whatever_it_chooses(done: Any) -> None:
    _, rows, verdict, _ = done
    bad = by_name(rows)["not_a_number+frozen"]
    assert not bad.passed
    assert bad.agreement == 0
    assert "300 of 300 rows are not probabilities: 300 NaN or infinite" in outcome(bad)
    assert any("not_a_number+frozen" in check.metric and check.status == "failed" for check in verdict.checks)
    assert all(row.checks[0].status == "passed" for row in rows if row.checks and row.name != bad.name)


def test_a_damaged_class_is_refused_by_its_slice(done: Any) -> None:
    inputs, rows, _, _ = done
    bad = by_name(rows)["sabotage+int8_dynamic"]
    assert bad.quality["accuracy"] > 0.8, "the bound on all examples is met"
    failures = [(check.slice, check.value) for check in bad.checks if check.status == "failed"]
    assert ("label = 7", 0.0) in failures
    assert {where for where, _ in failures} == {"label = 7"}
    assert "accuracy on label = 7 is 0 and must be at least" in outcome(bad)

    # Without the slices it would have passed, and been the pick where it is the only variant.
    blind = EvaluateConfig.model_validate({"thresholds": [{"metric": "accuracy", "lower_bound": 0.8}]})
    sound = [row.name for row in rows if not row.skipped]
    results, classes = metrics.load(inputs.folder, sound), inputs.parent.classes
    answers = read_answers(inputs.folder / PREDICTIONS_FILE, sound, len(classes), ["label"])
    found = gate.quality_checks(bad.name, blind, inputs.config, classes, results, answers)
    unseen = bad.model_copy(update={"passed": all(check.status == "passed" for check in found)})
    assert unseen.passed
    float_row = by_name(rows)["float"]
    for evaluate, row, expected in ((blind, unseen, bad.name), (inputs.evaluate, bad, "float")):
        name, _ = choose([float_row, row], evaluate, inputs.config, lambda one, other: False) or ("", "")
        assert name == expected


@pytest.mark.parametrize(("sliced", "pick"), [(False, "sabotage+int8_dynamic"), (True, "float")])
def test_the_slice_changes_what_is_picked(images: Made, tmp_path: Path, sliced: bool, pick: str) -> None:
    (tmp_path / "sabotage.py").write_text(SABOTAGE)
    evaluate = EVALUATE if sliced else {"thresholds": EVALUATE["thresholds"][:1]}
    inputs = images.inputs(
        tmp_path,
        evaluate,
        techniques=["sabotage+int8_dynamic"],
        modules={"sabotage": str(tmp_path / "sabotage.py")},
        objective="size",
        max_drop=0.15,
        max_slice_drop=0.4,
        measured_seconds=0.02,
    )
    rows, verdict, _ = optimize(inputs)
    assert [row.name for row in rows if row.picked] == [pick]
    assert verdict.digest == by_name(rows)[pick].digest


@pytest.mark.parametrize(("on_failure", "passed"), [("float", True), ("stop", False)])
def test_a_run_whose_budget_nothing_meets(
    images: Made, tmp_path: Path, on_failure: str, passed: bool
) -> None:
    inputs = images.inputs(
        tmp_path,
        EVALUATE,
        techniques=["float16"],
        budgets={"max_bytes": 1},
        on_failure=on_failure,
        measured_seconds=0.02,
    )
    rows, verdict, folder = optimize(inputs)
    assert verdict.passed is passed
    assert verdict.summary.startswith("WARNING: no variant passed")
    assert folder == (Path(images.parent.saved_model) if passed else None)
    assert all("bytes" in outcome(row) for row in rows if not row.picked)


def test_the_smallest_that_passed_is_picked(done: Any) -> None:
    _, rows, verdict, folder = done
    (picked,) = [row for row in rows if row.picked]
    sizes = {row.name: row.measured.bytes for row in rows if row.passed and row.measured}
    assert sizes[picked.name] <= 1.05 * min(sizes.values())
    assert folder is not None
    assert folder.name == picked.name
    assert verdict.passed
    assert verdict.digest == picked.digest != verdict.baseline_digest
    assert any(check.metric.startswith("sabotage+int8_dynamic: accuracy") for check in verdict.checks)


def test_optimized_variants_are_smaller_and_faster(done: Any) -> None:
    rows = by_name(done[1])
    parent, variant = rows["float"].measured, rows["int8_dynamic"].measured
    assert parent is not None
    assert variant is not None
    assert parent.bytes > 3 * variant.bytes
    assert parent.p50_us > variant.p50_us
    assert rows["float16"].agreement > 0.99
    assert rows["float16"].largest_difference < 0.01


def test_the_table_and_the_picture(done: Any, tmp_path: Path) -> None:
    rows = done[1]
    write_rows(rows, tmp_path)
    assert list(read_rows(tmp_path)) == rows
    page = tradeoff.write(rows, Budgets(max_p50_us=100, max_bytes=10_000), "digits", tmp_path).read_text()
    assert "<script src=" not in page
    assert all(f">{row.name}</td>" in page for row in rows)
    assert "Pareto front" in page


def test_keras_3_models_are_converted_and_the_rest_is_skipped(images: Made, tmp_path: Path) -> None:
    import keras
    import tensorflow_transform as tft

    from components.train.export import export
    from components.train.inputs import dataset

    image = keras.Input([8, 8, 1], name="image")
    x = keras.layers.Flatten()(image)
    x = keras.layers.Dense(32, activation="relu")(x)
    model = keras.Model({"image": image}, keras.layers.Dense(10, activation="softmax")(x))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    transform = tft.TFTransformOutput(images.parent.transform)
    spec = transform.transformed_feature_spec()
    data = dataset(images.parent.train_files, spec, "label", images.parent.classes, 32, (1000, 1))
    model.fit(data, epochs=15, verbose=0)
    export(model, transform, ["image"], images.parent.classes, tmp_path / "saved_model")
    model.save(str(tmp_path / "model.keras"))
    parent = images.parent.model_copy(
        update={"saved_model": str(tmp_path / "saved_model"), "keras_model": str(tmp_path / "model.keras")}
    )
    made = Made(parent, images.preprocess, images.judged)
    techniques = ["float16", "int8", "frozen", "pruned", "clustered", "qat", "distilled"]
    inputs = made.inputs(
        tmp_path / "out", EVALUATE, techniques=techniques, measured_seconds=0.02, max_slice_drop=0.2
    )
    rows = by_name(optimize(inputs)[0])
    assert rows["float"].quality["accuracy"] > 0.85
    for name in ("float16", "int8", "frozen"):
        assert rows[name].agreement > 0.97, rows[name]
    for name in ("pruned", "clustered", "qat", "distilled"):
        assert "needs a tf_keras model" in str(rows[name].skipped)


def test_an_lstm(texts: Made, tmp_path: Path) -> None:
    evaluate = {"thresholds": [{"metric": "accuracy", "lower_bound": 0.5, "slices": ["label"]}]}
    techniques = ["litert", "int8_dynamic", "int8", "xla", "qat", "pruned", "distilled+float16"]
    inputs = texts.inputs(
        tmp_path,
        evaluate,
        techniques=techniques,
        fine_tune={"epochs": 1},
        distilled={"epochs": 2},
        measured_seconds=0.05,
        max_drop=1,
        max_slice_drop=1,
    )
    rows = by_name(optimize(inputs)[0])
    assert rows["qat"].skipped == "quantization-aware training does not know Embedding, LSTM layers"
    assert {name for name, row in rows.items() if row.skipped} == {"qat"}
    for name in ("litert", "xla"):
        assert rows[name].agreement == 1.0
        assert rows[name].largest_difference < 1e-4
    parent, variant = rows["float"].measured, rows["litert"].measured
    assert parent is not None
    assert variant is not None
    assert parent.p50_us > 3 * variant.p50_us

    # A batch of texts of differing lengths is answered as each text alone is, the empty one too.
    engine = open_engine(inputs.variants / "litert", EngineOptions())
    batch = np.array(
        [b"", b"the plot was good", b"bad", b"the food was not bad at all, it was great"], object
    )
    together = engine.run("serving_default", {"text": batch})["probabilities"]
    alone = [engine.run("serving_default", {"text": batch[i : i + 1]})["probabilities"] for i in range(4)]
    np.testing.assert_array_equal(together, np.concatenate(alone))
    with open_engine_of(texts.parent.saved_model) as float_model:
        its = float_model.run("serving_default", {"text": batch})["probabilities"]
    np.testing.assert_allclose(together, its, atol=1e-5)


def open_engine_of(folder: str) -> Any:
    from serving.engine.saved_model import load

    return load(folder)
