"""A run killed with -9 at every stage in turn: the next one continues, and nothing half-made is in the bucket."""

import os
import signal
import uuid
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import TextIO

import pytest

from serving.release.record import list_versions
from tests import warm
from tests.conftest import REPOSITORY, Workspace

pytestmark = pytest.mark.run
FAST = (
    "optimize.enabled=false",
    "canary.enabled=false",
    "train.epochs=6",
    "evaluate.thresholds=[{lower_bound: 0.3}]",
    "serve.examples=0",
)
STAGES = [
    ("Ingest: running", None),
    ("StatisticsGen: running", "Ingest: done"),
    ("Transform: running", "Ingest: cached"),
    ("Trainer: epoch 3 of 6", "StatisticsGen: cached"),
    ("Evaluator: predicting", "Transform: cached"),
    ("Pusher: running", "Trainer: cached"),
]


def _start(workspace: Workspace) -> tuple[BaseProcess, TextIO]:
    """Start a run, and give what it prints as it prints it."""
    pipe = workspace.path / f".pipe-{uuid.uuid4().hex[:8]}"
    os.mkfifo(pipe)
    arguments = workspace.arguments("configs/digits.yaml", *FAST)
    process = warm.start(REPOSITORY / "run_local.py", arguments, workspace.path, os.environ, pipe)
    return process, pipe.open()


def _kill_at(workspace: Workspace, line: str) -> str:
    """Start a run, kill it at once when it prints a line, and return what it had printed."""
    process, output = _start(workspace)
    assert process.pid is not None
    printed = ""
    with output:
        for text in output:
            printed += text
            if text.startswith(line):
                os.killpg(process.pid, signal.SIGKILL)
                break
    process.join()
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
    done = workspace.run("configs/digits.yaml", *FAST)
    assert done.code == 0, done.output
    assert list_versions(workspace.bucket, "digits") == [1]
    assert "Evaluator: cached" in done.output


def test_two_runs_of_one_model_do_not_meet(new_workspace: Callable[[str], Workspace]) -> None:
    workspace = new_workspace("busy")
    process, output = _start(workspace)
    try:
        with output:
            while not output.readline().startswith("Ingest: running"):
                assert process.is_alive()
            second = workspace.run("configs/digits.yaml", "serve.examples=0")
            assert second.code == 1
            assert f"another run of this model is in progress (process {process.pid})" in second.output
    finally:
        process.kill()
        process.join()
