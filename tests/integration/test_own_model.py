"""Your own data and model: a CSV table, a Keras 3 model with its own preprocessing; and the table poisoned."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, Done, Workspace
from tests.integration.tabular import data

pytestmark = pytest.mark.run
MODEL = Path(__file__).parent / "tabular" / "model.py"


@pytest.fixture(scope="module")
def workspace(new_workspace: Callable[[str], Workspace]) -> Workspace:
    made = new_workspace("tabular")
    data.write(made.path / "table.csv", data.rows())
    (made.path / "model.py").write_text(MODEL.read_text())
    (made.path / "tabular.yaml").write_text(data.CONFIG.format(module="model.py"))
    return made


@pytest.fixture(scope="module")
def first(workspace: Workspace) -> Done:
    return workspace.run("tabular.yaml")


def test_it_is_trained_gated_released_and_answers(workspace: Workspace, first: Done) -> None:
    assert first.code == 0, first.output
    assert (workspace.bucket / "tabular" / "1" / "saved_model.pb").is_file()
    assert first.output.count("✓") >= 6
    explained = workspace.slipway("why", "-c", "tabular.yaml").output
    assert "recall of big" in explained


def test_an_edited_build_model_runs_again_from_the_trainer_on(workspace: Workspace, first: Done) -> None:
    model = workspace.path / "model.py"
    model.write_text(model.read_text().replace('get("units", 8)', 'get("units", 9)'))
    done = workspace.run("tabular.yaml", "serve.examples=0")
    assert "Transform: cached" in done.output
    assert "Trainer: done" in done.output
    assert "Evaluator: done" in done.output


@pytest.mark.parametrize(
    ("poison", "stage", "said"),
    [
        ("category", "DataGate: refused", "purple"),
        ("column", "no column 'colour'", "Correct preprocess.inputs"),
        ("range", "DataGate: refused", "size"),
        ("label", "Ingest: failed", "huge"),
    ],
)
def test_poisoned_data_is_stopped_before_training(
    workspace: Workspace, first: Done, poison: str, stage: str, said: str
) -> None:
    rows, header = data.rows(), list(data.HEADER)
    if poison == "category":
        rows = [[size, "purple" if i % 2 else colour, label] for i, (size, colour, label) in enumerate(rows)]
    elif poison == "column":
        rows, header = [[size, label] for size, _, label in rows], ["size", "label"]
    elif poison == "range":
        rows = data.rows(shift=1000)
    else:
        rows[7][2] = "huge"
    table = workspace.path / "table.csv"
    clean = table.read_text()
    try:
        data.write(table, rows, header)
        done = workspace.run("tabular.yaml", "serve.examples=0")
    finally:
        table.write_text(clean)
    assert done.code == {"column": 2, "label": 1}.get(poison, 3), done.output
    assert stage in done.output
    assert "Trainer: running" not in done.output
    assert said in done.output
    if "refused" in stage:
        assert said in workspace.slipway("why", "-c", "tabular.yaml").output


def test_the_readme_example_runs_as_it_stands(new_workspace: Callable[[str], Workspace]) -> None:
    config, model = re.findall(
        r"```(?:yaml|python)\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL
    )
    made = new_workspace("readme")
    (made.path / "mine.yaml").write_text(config)
    (made.path / "model.py").write_text(model)
    data.write(made.path / "data.csv", data.rows(2000))
    sets = ("train.epochs=60", "train.batch_size=64", "train.learning_rate=0.05", "serve.examples=4")
    done = made.run("mine.yaml", "optimize.techniques=[int8_dynamic]", *sets)
    assert done.code == 0, done.output
    assert (made.bucket / "mine" / "1").is_dir()


def test_skew_against_served_statistics_stops_the_run_and_says_by_how_much(
    workspace: Workspace, first: Done
) -> None:
    import pandas as pd
    import tensorflow_data_validation as tfdv

    served = tfdv.generate_statistics_from_dataframe(
        pd.DataFrame({"size": [1.0] * 50, "colour": ["red"] * 50, "label": ["big", "small"] * 25})
    )
    (workspace.path / "served.pb").write_bytes(served.SerializeToString())
    skew = "schema={serving_statistics: served.pb, skew_comparators: {colour: {infinity_norm: 0.1}}}"
    done = workspace.run("tabular.yaml", skew, "serve.examples=0")
    assert done.code == 3, done.output
    assert re.search(
        r"DataGate: refused .*skew on feature colour is 0\.6\d* and must be at most 0\.1", done.output
    )
    assert "Trainer: running" not in done.output


def test_a_model_whose_output_does_not_fit_is_named(workspace: Workspace, first: Done) -> None:
    wrong = workspace.path / "wrong.py"
    wrong.write_text(MODEL.read_text().replace("Dense(num_classes", "Dense(num_classes + 1"))
    done = workspace.run("tabular.yaml", "model.module=wrong.py", "serve.examples=0")
    assert done.code == 1
    assert "wrong.py: build_model's output has the shape (None, 3)" in done.output
