"""The cache keys of the stages, held against what Python itself imports for each."""

import json
import subprocess
import sys

import pytest

from components.imports import PACKAGES, our_modules
from pipeline import graph
from pipeline.config import load_config
from tests.conftest import REPOSITORY

#: The functions that TFX's own stages are given by name.
GIVEN = {"Transform": "components.preprocess.transform", "Trainer": "components.train.run"}

# A fresh process for each stage would spend seconds on TensorFlow and TFX. Here one imports those, and nothing of ours,
# and forks.
FRESH = f"""
import json, os, sys
import tensorflow, tensorflow_data_validation, tensorflow_model_analysis, tensorflow_transform, tfx.components
assert not [name for name in sys.modules if name.partition(".")[0] in {PACKAGES!r}]
for stage, module in json.loads(sys.argv[1]).items():
    if os.fork() == 0:
        __import__(module)
        ours = [name for name in sys.modules if name.partition(".")[0] in {PACKAGES!r}]
        os.write(1, (json.dumps([stage, ours]) + "\\n").encode())
        os._exit(0)
    assert os.wait()[1] == 0, module
"""


@pytest.fixture(scope="module")
def stages() -> dict[str, str]:
    """The module that each stage with a key of ours runs."""
    components = graph.build(load_config(REPOSITORY / "configs" / "digits.yaml"))
    own = {
        part.id: type(part).__module__
        for part in components
        if "code_digest" in part.exec_properties and type(part).__module__.startswith("components.")
    }
    return {**own, **GIVEN}


def test_every_stage_of_ours_has_a_key(stages: dict[str, str]) -> None:
    assert set(stages) == {
        "Ingest",
        "SchemaGen",
        "DataGate",
        "Transform",
        "Trainer",
        "LatestRelease",
        "Evaluator",
        "Optimizer",
        "Canary",
        "Pusher",
    }


def test_the_key_of_a_stage_holds_every_module_that_python_imports_for_it(stages: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FRESH, json.dumps(stages)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))
    assert imported.keys() == stages.keys()
    missing = {stage: set(names) - set(our_modules([stages[stage]])) for stage, names in imported.items()}
    assert missing == dict.fromkeys(stages, set())


@pytest.mark.parametrize(
    ("edited", "run_again"),
    [
        ("serving.engine.session_model", {"Evaluator", "Optimizer", "Canary", "Pusher"}),
        ("serving.transport.http2.connection", {"Canary"}),
        ("serving.inference.batching", {"Canary"}),
        ("serving.manager.plan", {"Canary"}),
        ("serving.release.placement", {"Pusher"}),
        ("serving.release.push", {"Pusher"}),
        ("components.evaluate.gate", {"Evaluator", "Optimizer"}),
        ("components.optimize.pruned", {"Optimizer"}),
        ("components.optimize.measure", {"Optimizer"}),
        ("components.train.worker", {"Trainer"}),
        ("components.models.cnn", {"Trainer"}),
        ("components.preprocess.image", {"Transform"}),
        ("components.ingest.csv_rows", {"Ingest"}),
        ("components.canary.gate", {"Canary"}),
        ("pipeline.run", set()),
    ],
)
def test_an_edit_runs_those_stages_again_that_run_it(
    stages: dict[str, str], edited: str, run_again: set[str]
) -> None:
    assert {stage for stage, module in stages.items() if edited in our_modules([module])} == run_again
