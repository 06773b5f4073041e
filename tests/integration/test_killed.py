"""A run killed with -9 at every stage in turn: the next one continues, and nothing half-made is in the bucket."""

import os
import signal
import subprocess
from collections.abc import Callable

import pytest

from serving.release.record import list_versions
from tests.conftest import Workspace

pytestmark = pytest.mark.long
FAST = [
    "--set",
    "optimize.enabled=false",
    "--set",
    "canary.enabled=false",
    "--set",
    "train.epochs=6",
    "--set",
    "evaluate.thresholds=[{lower_bound: 0.3}]",
    "--set",
    "serve.examples=0",
]
STAGES = [
    ("Ingest: running", None),
    ("StatisticsGen: running", "Ingest: done"),
    ("Transform: running", "Ingest: cached"),
    ("Trainer: epoch 3 of 6", "StatisticsGen: cached"),
    ("Evaluator: predicting", "Transform: cached"),
    ("Pusher: running", "Trainer: cached"),
]


def _kill_at(workspace: Workspace, line: str) -> str:
    """Start a run, kill it at once when it prints a line, and return what it had printed."""
    command = workspace.run_command("--config", "configs/digits.yaml", *FAST)
    process = subprocess.Popen(
        command,
        cwd=workspace.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    printed = ""
    for text in process.stdout:
        printed += text
        if text.startswith(line):
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.stdout.close()
    process.wait()
    return printed


def test_every_stage_can_be_killed(new_workspace: Callable[[str], Workspace]) -> None:
    workspace = new_workspace("killed")
    for line, continues in STAGES:
        printed = _kill_at(workspace, line)
        assert line in printed, printed
        assert list_versions(workspace.bucket, "digits") == []
        if continues:
            assert continues in printed
        if line.startswith("Evaluator"):
            # The trainer went on after the epochs that the killed run had saved.
            assert "Trainer: epoch 1 of 6" not in printed
            assert "Trainer: epoch 6 of 6" in printed
    done = workspace.run("configs/digits.yaml", *FAST[1::2])
    assert done.code == 0, done.output
    assert list_versions(workspace.bucket, "digits") == [1]
    assert "Evaluator: cached" in done.output


def test_two_runs_of_one_model_do_not_meet(new_workspace: Callable[[str], Workspace]) -> None:
    workspace = new_workspace("busy")
    command = workspace.run_command("--config", "configs/digits.yaml", *FAST)
    process = subprocess.Popen(
        command, cwd=workspace.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("Ingest: running"):
            assert process.poll() is None
        second = workspace.run("configs/digits.yaml", "serve.examples=0")
        assert second.code == 1
        assert f"another run of this model is going on (process {process.pid})" in second.output
    finally:
        process.kill()
        process.communicate()
