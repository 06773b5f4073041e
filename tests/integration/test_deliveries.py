"""Breast cancer in deliveries, one after the other: a column more, one less, a new class, another order of classes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.summary import read_summary
from serving.release.record import read_release
from tests.conftest import Done, Workspace
from tests.integration.tables import data

pytestmark = pytest.mark.tables
INPUTS = ["mean radius", "mean texture", "mean area", "worst texture", "worst concave points"]


@pytest.fixture(scope="module")
def workspace(new_workspace: Callable[[str], Workspace]) -> Workspace:
    made = new_workspace("deliveries")
    (made.path / "model.py").write_text((Path(__file__).parent / "tables" / "model.py").read_text())
    frame = data.cancer()
    frame.drop(columns="worst area").to_csv(made.path / "first.csv", index=False)
    frame.to_csv(made.path / "more.csv", index=False)
    frame.drop(columns="mean radius").to_csv(made.path / "less.csv", index=False)
    unsure = frame.drop(columns="mean radius")
    unsure.loc[unsure.index[::15], "class"] = "unsure"
    unsure.to_csv(made.path / "unsure.csv", index=False)
    config = {
        "model_name": "cancer",
        "data": {"format": "csv", "path": "first.csv", "label": "class"},
        "preprocess": {"module": "model.py", "inputs": INPUTS},
        "model": {"module": "model.py"},
        "train": {"epochs": 12, "learning_rate": 0.01},
        "evaluate": {
            "thresholds": [
                {"metric": "accuracy", "lower_bound": 0.7, "max_drop": 0.05},
                {"metric": "recall", "class_name": "malignant", "lower_bound": 0.6, "max_drop": 0.1},
            ]
        },
        "optimize": {"enabled": False},
        "canary": {"enabled": False},
        "push": {"bucket": "bucket"},
        "serve": {"examples": 0},
    }
    (made.path / "cancer.yaml").write_text(json.dumps(config))
    return made


def run(workspace: Workspace, *sets: str) -> tuple[Done, Any]:
    """Run, and return the verdict of Gate 1 too, None if it was not reached."""
    done = workspace.run("cancer.yaml", *sets)
    verdicts = read_summary(str(workspace.path / "runs"), None, "cancer").verdicts
    return done, next((verdict for verdict in verdicts if verdict.gate == "evaluate"), None)


@pytest.fixture(scope="module")
def first(workspace: Workspace) -> Done:
    done, verdict = run(workspace)
    assert verdict.baseline_version is None
    return done


def test_the_first_delivery_is_released_with_what_a_later_one_is_compared_by(
    workspace: Workspace, first: Done
) -> None:
    assert first.code == 0, first.output
    release = read_release(workspace.bucket, "cancer", 1)
    assert release.classes == ["benign", "malignant"]
    assert release.inputs == dict.fromkeys(INPUTS, "DT_FLOAT")
    assert release.split is not None
    assert release.split["columns"] == ["class", *sorted(INPUTS)]


def test_a_column_more_that_nobody_reads_is_only_told(workspace: Workspace, first: Done) -> None:
    done, verdict = run(workspace, "data.path=more.csv")
    assert done.code == 0, done.output
    assert "worst area" in done.output
    # The same rows are in the same splits, so the model is as good as the first, but for rounding.
    assert verdict.baseline_version == 1
    assert [check.value for check in verdict.checks] == pytest.approx(
        [value for check in verdict.checks for value in [check.baseline_value or check.value]], abs=0.02
    )
    assert "another rule" not in " ".join(verdict.notes)


LESS = ("data.path=less.csv", f"preprocess.inputs={json.dumps(INPUTS[1:])}")


def test_a_column_less_that_is_read_is_told_before_anything_runs(workspace: Workspace, first: Done) -> None:
    done = workspace.run("cancer.yaml", "data.path=less.csv")
    assert done.code == 2, done.output
    assert "mean radius" in done.output
    assert "preprocess.inputs" in done.output


def test_a_release_that_needs_a_column_that_is_gone_is_compared_with_only_by_waiver(
    workspace: Workspace, first: Done
) -> None:
    done, verdict = run(workspace, *LESS)
    assert done.code == 3, done.output
    assert (
        "comparison with version 2: it reads mean radius, of which the data has no value any more"
        in done.output
    )
    assert not verdict.passed
    waiver = 'evaluate.baseline_waiver={version: 2, reason: "the sensor is gone"}'
    done, verdict = run(workspace, *LESS, waiver)
    assert done.code == 0, done.output
    assert "released as version 3" in done.output
    assert verdict.baseline_version is None
    for what in ("3", ""):
        assert "the sensor is gone" in workspace.slipway("why", "-c", "cancer.yaml", *what.split()).output


def test_a_new_class_is_taken_by_a_command_and_compared_where_both_models_know_it(
    workspace: Workspace, first: Done
) -> None:
    new = ("data.path=unsure.csv", LESS[1])
    done, verdict = run(workspace, *new)
    assert done.code == 3, done.output
    assert verdict is None, "nothing was trained"
    assert "unsure" in done.output
    assert "slipway schema" in done.output
    sets = [part for one in new for part in ("--set", one)]
    assert "unsure" in workspace.slipway("schema", "--diff", "-c", "cancer.yaml", *sets).output
    updated = workspace.slipway("schema", "--update", "-c", "cancer.yaml", *sets)
    assert updated.code == 0, updated.output
    done, verdict = run(workspace, *new)
    assert done.code in (0, 3), done.output
    assert verdict.baseline_version == 3
    assert "the classes are others than those of version 3 (unsure new)" in " ".join(verdict.notes)
    compared = [check for check in verdict.checks if check.baseline_value is not None]
    whole = next(check.examples for check in verdict.checks if check.metric == "accuracy")
    assert 0 < compared[0].examples < whole
    assert all(check.baseline_value > 0.7 for check in compared)


def test_classes_in_another_order_are_the_same_classes(workspace: Workspace, first: Done) -> None:
    """The released model is as good as before, whatever the order in which the new one knows its classes."""
    folder = workspace.path / "artifacts" / "cancer"
    (folder / "inferred_schema.pbtxt").unlink()
    done, verdict = run(workspace, *LESS, "data.classes=[malignant, benign]", "train.seed=7")
    assert done.code == 0, done.output
    compared = [check for check in verdict.checks if check.baseline_value is not None]
    assert compared
    assert all(check.baseline_value > 0.7 for check in compared), done.output
