"""An edit of our own code runs again what runs it, and nothing else."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, Done, Workspace

pytestmark = pytest.mark.run
QUICK = (
    "train.epochs=3",
    "evaluate.thresholds=[{metric: accuracy, lower_bound: 0.2}]",
    "optimize={techniques: [float16], objective: size, max_drop: 1, max_slice_drop: 1, measured_seconds: 0.05}",
    "canary={loop_seconds: 0.1, p99_ms: 10000, p50_ms: 10000}",
    "serve.examples=0",
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, to be edited."""
    copy = tmp_path_factory.mktemp("sources")
    for package in ("pipeline", "components", "data", "serving"):
        shutil.copytree(
            REPOSITORY / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "schemas")
        )
    shutil.copyfile(REPOSITORY / "run_local.py", copy / "run_local.py")
    return copy


def _run(workspace: Workspace, sources: Path) -> tuple[Done, dict[str, str]]:
    done = workspace.warm(sources / "run_local.py", *workspace.arguments("configs/digits.yaml", *QUICK))
    found = re.findall(r"^(\w+): (done|cached|unchanged|refused|failed) in", done.output, re.MULTILINE)
    return done, dict(found)


def test_an_edit_runs_again_the_stages_that_run_it(
    new_workspace: Callable[[str], Workspace], sources: Path
) -> None:
    workspace = new_workspace("edited")
    first, stages = _run(workspace, sources)
    assert first.code == 0, first.output
    assert set(stages.values()) == {"done"}
    for edited, run_again in (
        ("serving/engine/session_model.py", {"Evaluator", "Optimizer", "Canary", "Pusher"}),
        ("serving/transport/listener.py", {"Canary"}),
        ("serving/release/placement.py", {"Pusher"}),
    ):
        with (sources / edited).open("a") as file:
            file.write("\n# An edit.\n")
        done, stages = _run(workspace, sources)
        assert done.code == 0, done.output
        # The Pusher always looks at the bucket; a verdict given anew is a new input of it.
        again = {name for name, status in stages.items() if status != "cached"} - {"Pusher"}
        assert again == run_again - {"Pusher"}, edited
        if "Pusher" in run_again:
            assert stages["Pusher"] != "cached"
