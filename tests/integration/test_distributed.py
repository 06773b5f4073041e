"""Training with a strategy: the same curve as on one device, and one release that the chief made."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from components.names import OVERALL
from serving.client.local import free_ports
from tests.conftest import Workspace

pytestmark = pytest.mark.run
SETS = (
    "train.epochs=3",
    "model.hyperparameters={dropout: 0}",  # each worker draws dropout of its own
    "evaluate.thresholds=[{metric: accuracy, lower_bound: 0.5}]",
    "optimize.enabled=false",
    "canary.enabled=false",
    "serve.examples=0",
)


def _history(workspace: Workspace) -> dict[str, list[float]]:
    (path,) = (workspace.path / "artifacts").glob("digits/Trainer/model_run/*/history.json")
    return dict(json.loads(path.read_text()))


def _accuracy(workspace: Workspace) -> float:
    (path,) = (workspace.path / "artifacts").glob("digits/Evaluator/evaluation/*/metrics.json")
    (value,) = (
        one["value"]
        for one in json.loads(path.read_text())["values"]
        if one["slice"] == OVERALL and one["metric"] == "accuracy"
    )
    return float(value)


@pytest.fixture(scope="module")
def alone(new_workspace: Callable[[str], Workspace]) -> Workspace:
    workspace = new_workspace("alone")
    done = workspace.run("configs/digits.yaml", *SETS)
    assert done.code == 0, done.output
    return workspace


def _same_curve(one: dict[str, list[float]], other: dict[str, list[float]]) -> None:
    assert one.keys() == other.keys()
    for name in ("loss", "val_loss"):
        assert other[name] == pytest.approx(one[name], rel=0.01), name
    for name in ("accuracy", "val_accuracy"):
        assert other[name] == pytest.approx(one[name], abs=0.015), name  # two of 165 examples


def test_two_workers_train_as_one_does_with_the_summed_batch(
    new_workspace: Callable[[str], Workspace], alone: Workspace
) -> None:
    workspace = new_workspace("two")
    hosts = [f"127.0.0.1:{port}" for port in free_ports(2)]

    def environment(index: int) -> dict[str, str]:
        task = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
        return {**os.environ, "TF_CONFIG": json.dumps(task)}

    command = [str(Path(sys.executable).parent / "slipway"), "train-worker", "-c", "configs/digits.yaml"]
    sets = [part for one in (*SETS, "train.strategy=multi_worker_mirrored") for part in ("--set", one)]
    with (workspace.path / "worker.txt").open("wb") as log:
        worker = subprocess.Popen(
            [*command, *sets, "--patience=300"],
            cwd=workspace.path,
            env=environment(1),
            stdout=log,
            stderr=log,
        )
        try:
            chief = workspace.run("configs/digits.yaml", *sets[1::2], env=environment(0))
            code = worker.wait(timeout=60)
        finally:
            worker.kill()
            worker.wait()
    said = (workspace.path / "worker.txt").read_text()
    assert chief.code == 0, chief.output + said
    assert code == 0, said
    assert "epoch 3 of 3" in chief.output
    assert "epoch 3 of 3" in said
    _same_curve(_history(alone), _history(workspace))
    assert _accuracy(workspace) == pytest.approx(_accuracy(alone), abs=0.02)
    releases = [path.name for path in (workspace.bucket / "digits").glob("[0-9]*")]
    assert releases == ["1"]
    assert list((workspace.path / "artifacts" / "digits" / "checkpoints").iterdir()) == []
    assert len(list((workspace.path / "artifacts").glob("digits/Trainer/model_run/*"))) == 1


def test_the_mirrored_strategy_trains_as_no_strategy_does(
    new_workspace: Callable[[str], Workspace], alone: Workspace
) -> None:
    workspace = new_workspace("mirrored")
    done = workspace.run("configs/digits.yaml", *SETS, "train.strategy=mirrored")
    assert done.code == 0, done.output
    _same_curve(_history(alone), _history(workspace))
