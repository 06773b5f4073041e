"""The cache keys of the stages, held against what Python itself imports for each."""

import pytest

from components.imports import PACKAGES, our_modules
from pipeline import graph
from pipeline.config import load_config
from tests import warm
from tests.conftest import REPOSITORY

#: The functions that TFX's own stages are given by name.
GIVEN = {"Transform": "components.preprocess.transform", "Trainer": "components.train.run"}


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
    imported = {stage: warm.modules_after_import(module, PACKAGES) for stage, module in stages.items()}
    missing = {stage: set(names) - set(our_modules([stages[stage]])) for stage, names in imported.items()}
    assert not any(missing.values())


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
