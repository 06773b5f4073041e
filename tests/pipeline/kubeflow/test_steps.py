"""The division of the graph: no stage is lost, and a container runs what a laptop runs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from tfx.dsl.compiler import compiler
from tfx.orchestration.local import runner_utils

from pipeline import local
from pipeline.config import Config, ConfigError, parse_config
from pipeline.graph import build, make_pipeline
from pipeline.kubeflow import step as entry_point
from pipeline.kubeflow.config import StepConfig
from pipeline.kubeflow.package import CONFIG_VARIABLE, compile_package
from pipeline.kubeflow.steps import LOOKED_UP, PARAMETERS, artifact_name, divide
from tests.conftest import REPOSITORY


def _with_steps(config: Config, **steps: list[str]) -> Config:
    given = {name: StepConfig(stages=tuple(stages)) for name, stages in steps.items()}
    return config.model_copy(update={"kubeflow": config.kubeflow.model_copy(update={"steps": given})})


ALL = ["Ingest", "StatisticsGen", "SchemaGen", "ExampleValidator", "DataGate", "Transform"]
ALL += ["Trainer", "LatestRelease", "Evaluator", "Optimizer", "Canary", "Pusher"]


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ({"a": ALL[:-1]}, "kubeflow.steps: Pusher is in no step; add it to one"),
        ({"a": ALL, "b": ["Trainer"]}, "kubeflow.steps: Trainer is in 'a' and in 'b'"),
        ({"a": [*ALL, "Trainr"]}, r"kubeflow.steps.a: no stage is named Trainr; did you mean Trainer\?"),
        (
            {"a": ALL[6:], "b": ALL[:6]},
            "'a' needs DataGate, which is in the later step 'b'; list the steps in",
        ),
    ],
)
def test_a_division_that_cannot_run_is_told(config: Config, steps: dict[str, list[str]], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        divide(_with_steps(config, **steps))


def test_all_stages_may_share_one_pod_or_have_one_each(config: Config) -> None:
    (alone,) = divide(_with_steps(config, everything=ALL))
    assert (alone.inputs, alone.after) == ({}, ())
    each = divide(_with_steps(config, **{stage: [stage] for stage in ALL}))
    assert [step.stages for step in each] == [(stage,) for stage in ALL]
    by_name = {step.name: step for step in each}
    assert set(by_name["Trainer"].inputs) >= {"transform_transform_graph", "transform_transformed_examples"}
    assert "DataGate" in by_name["Transform"].after


def test_a_stage_left_out_of_the_graph_leaves_its_step_out(config: Config) -> None:
    off = config.optimize.model_copy(update={"enabled": False})
    without = config.model_copy(update={"optimize": off})
    assert "Optimize" not in [step.name for step in divide(without)]


def test_what_changes_a_result_changes_the_key_and_nothing_else_does(config: Config) -> None:
    def keys(changed: Config) -> dict[str, str]:
        return {step.name: step.key for step in divide(changed)}

    before = keys(config)
    slower = config.train.model_copy(update={"learning_rate": 0.01})
    after = keys(config.model_copy(update={"train": slower}))
    assert {name for name in before if before[name] != after[name]} == {"Train", "Release"}
    elsewhere = config.model_copy(update={"pipeline_root": "/somewhere/else"})
    assert {name for name, key in keys(elsewhere).items() if key != before[name]} <= {"Release"}


OTHER = {
    "data_path": "elsewhere",
    "epochs": "7",
    "thresholds": "[{lower_bound: 0.1}]",
    "bucket": "s3://other",
}


@pytest.mark.parametrize(
    ("edited", "steps"),
    [
        ("serving/engine/session_model.py", {"Evaluate", "Optimize", "Release"}),
        ("serving/transport/listener.py", {"Release"}),
        ("serving/release/placement.py", {"Release"}),
        ("components/train/fit.py", {"Train", "Release"}),  # a release records the code it was trained by
        ("components/ingest/rows.py", {"Prepare data"}),
        ("pipeline/run.py", set()),
    ],
)
def test_an_edit_changes_the_keys_of_the_steps_that_run_it(
    config: Config, monkeypatch: pytest.MonkeyPatch, edited: str, steps: set[str]
) -> None:
    before = {step.name: step.key for step in divide(config)}
    read = Path.read_bytes
    monkeypatch.setattr(
        Path, "read_bytes", lambda path: read(path) + (b"# edit" if path == REPOSITORY / edited else b"")
    )
    assert {step.name for step in divide(config) if step.key != before[step.name]} == steps


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_is_told_to_the_stages_whose_properties_it_changes_and_no_others(
    config: Config, name: str
) -> None:
    raw = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    changed = parse_config(raw, "test", [f"{PARAMETERS[name].key}={OTHER[name]}"])
    before, after = ({part.id: part.exec_properties for part in build(one)} for one in (config, changed))
    assert PARAMETERS[name].needed_by == {stage for stage in before if before[stage] != after[stage]}


def test_what_is_looked_up_is_told_to_the_stages_that_look_it_up_themselves(config: Config) -> None:
    """On a laptop a driver of ours looks, before TFX's cache is asked; KFP runs no driver."""
    own = {part.id for part in build(config) if part.DRIVER_CLASS.__module__.startswith("components.")}
    assert {stage for stages in LOOKED_UP.values() for stage in stages} == own


def test_names_of_artifacts() -> None:
    assert artifact_name("StatisticsGen", "statistics") == "statistics_gen_statistics"


def _nodes(pipeline: Any, only: Any, root: str) -> dict[str, Any]:
    """What would run: by node, its executor and its parameters, whatever the pipeline root is."""
    ir = compiler.Compiler().compile(pipeline)
    deployment = runner_utils.extract_local_deployment_config(ir)
    found = {}
    for node in (node.pipeline_node for node in ir.nodes):
        if node.node_info.id in only:
            spec = runner_utils.extract_executor_spec(deployment, node.node_info.id)
            driver = runner_utils.extract_custom_driver_spec(deployment, node.node_info.id)
            parameters = json.dumps(json_format.MessageToDict(node.parameters), sort_keys=True)
            found[node.node_info.id] = (str(spec), str(driver), parameters.replace(root, "ROOT"))
    return found


def test_both_runners_run_the_same_nodes_with_the_same_executors_and_parameters(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package's own command lines are run up to where the stages would start."""
    monkeypatch.chdir(tmp_path)
    ran: dict[str, Any] = {}

    def record(pipeline: Any, progress: Any, result: Any, only: Any, given: Any) -> None:
        root = str(Path(pipeline.pipeline_info.pipeline_root).parent)
        ran.update(_nodes(pipeline, only, root))

    monkeypatch.setattr(local, "run", record)
    package = tmp_path / "package.yaml"
    compile_package(config, package)
    spec = next(yaml.safe_load_all(package.read_text()))
    defaults = {
        name: parameter["defaultValue"]
        for name, parameter in spec["root"]["inputDefinitions"]["parameters"].items()
    }
    for task in spec["root"]["dag"]["tasks"].values():
        component = spec["components"][task["componentRef"]["name"]]
        container = spec["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
        if "--look-up" in container["args"]:
            continue
        (own,) = [env["value"] for env in container["env"] if env["name"] == CONFIG_VARIABLE]
        monkeypatch.setenv(CONFIG_VARIABLE, own)
        executor_input = json.dumps(_executor_input(component["inputDefinitions"], defaults, tmp_path))
        arguments = [executor_input if arg == "{{$}}" else arg for arg in container["args"]]
        assert entry_point.main(arguments) == 0
    local_config = config.model_copy(update={"pipeline_root": str(tmp_path / "artifacts")})
    everything = _nodes(make_pipeline(local_config), ALL, str(tmp_path / "artifacts"))
    assert ran == everything
    assert len(ran) == len(ALL)


def _executor_input(inputs: Mapping[str, Any], defaults: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    artifact = {"uri": "minio://bucket/key", "metadata": {entry_point.TFX_METADATA: "{}"}}
    return {
        "inputs": {
            "parameterValues": {name: defaults.get(name, "") for name in inputs.get("parameters", {})},
            "artifacts": {name: {"artifacts": [artifact]} for name in inputs.get("artifacts", {})},
        },
        "outputs": {"outputFile": str(folder / "output.json")},
    }
