"""TF_CONFIG as it is read, and refused; a worker whose chief does not come."""

import json
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.train.distribute import Cluster, ClusterError, read_cluster
from components.train.worker import WorkerError, follow, lead
from tests.conftest import REPOSITORY, Workspace

TWO = {"worker": ["one:2222", "two:2222"]}


def _environment(cluster: Any, kind: str, index: Any) -> dict[str, str]:
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


@pytest.mark.parametrize(
    ("cluster", "kind", "index", "expected"),
    [
        (TWO, "worker", 0, Cluster("one:2222", 2, True)),
        (TWO, "worker", 1, Cluster("one:2222", 2, False)),
        ({"chief": ["zero:1"], **TWO}, "chief", 0, Cluster("zero:1", 3, True)),
        ({"chief": ["zero:1"], **TWO}, "worker", 0, Cluster("zero:1", 3, False)),
    ],
)
def test_the_chief_is_the_chief_or_else_worker_0(
    cluster: Any, kind: str, index: int, expected: Cluster
) -> None:
    assert read_cluster(_environment(cluster, kind, index)) == expected


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, r"needs TF_CONFIG in the environment: \{\"cluster\""),
        ({"TF_CONFIG": "{"}, "TF_CONFIG is invalid"),
        ({"TF_CONFIG": "[]"}, "TF_CONFIG is invalid"),
        ({"TF_CONFIG": '{"cluster": {}}'}, "TF_CONFIG is invalid .*'task'"),
        (_environment({"worker": None}, "worker", 0), "TF_CONFIG is invalid"),
        (_environment(TWO, "ps", 0), "task.type is 'ps'"),
        (
            _environment(TWO, "worker", 2),
            r"task.index is 2, but cluster.worker lists \['one:2222', 'two:2222'\]",
        ),
        (_environment(TWO, "worker", -1), "task.index is -1"),
    ],
)
def test_what_cannot_be_used_is_refused_with_an_example_or_the_field(
    environment: dict[str, str], said: str
) -> None:
    with pytest.raises(ClusterError, match=said):
        read_cluster(environment)


def test_a_worker_whose_chief_does_not_come_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        chief = f"127.0.0.1:{probe.getsockname()[1]}"
    monkeypatch.setenv("TF_CONFIG", _environment({"worker": [chief, "x:1"]}, "worker", 1)["TF_CONFIG"])
    with pytest.raises(WorkerError, match=f"the chief at {chief} did not start training within 0 s"):
        follow(tmp_path, patience=0)


def test_the_chief_tells_why_its_training_failed_and_takes_its_order_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", _environment({"worker": ["127.0.0.1:1"]}, "worker", 0)["TF_CONFIG"])
    custom_config = {"checkpoints": str(tmp_path), "train": '{"epochs": 0}', "model": '{"module": "cnn"}'}
    fields = (
        "train_files",
        "eval_files",
        "transform_graph_path",
        "schema_path",
        "model_run_dir",
        "serving_model_dir",
    )
    fn_args = SimpleNamespace(**dict.fromkeys(fields, ""), custom_config=custom_config)
    with pytest.raises(WorkerError, match="exit code 1; its last line: 1 validation error for TrainConfig"):
        lead(fn_args)
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_tf_config_or_at_the_wrong_worker_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path)
    (tmp_path / "c.yaml").write_text((REPOSITORY / "configs" / "digits.yaml").read_text())
    asked = ("-c", "c.yaml", "--set", "train.strategy=multi_worker_mirrored")
    monkeypatch.delenv("TF_CONFIG", raising=False)
    for environment, command, said in (
        ({}, "run", "needs TF_CONFIG in the environment"),
        (_environment(TWO, "worker", 1), "run", "run slipway train-worker here"),
        (_environment(TWO, "worker", 0), "train-worker", "run slipway run here"),
    ):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        done = workspace.slipway(command, *asked)
        assert done.code == 2, done.output
        assert said in done.output
        assert "Traceback" not in done.output
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "artifacts").exists()
