"""Which step runs which stages, and what passes between steps: what the compiler and the container agree on."""

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfx.types import standard_artifacts

from components.artifacts import ReleaseArtifact, VerdictArtifact
from pipeline.config import Config, ConfigError
from pipeline.graph import build
from pipeline.kubeflow.config import StepConfig


@dataclass(frozen=True)
class Parameter:
    """A runtime parameter of the package.

    Attributes:
        key: the configuration's key that it overrides.
        kfp_type: its type in KFP.
        needed_by: the stages whose results it changes.
    """

    key: str
    kfp_type: str
    needed_by: frozenset[str]


#: A release records the whole configuration, so the Pusher needs them all.
PARAMETERS = {
    "data_path": Parameter("data.path", "String", frozenset({"Ingest", "Pusher"})),
    "epochs": Parameter("train.epochs", "Integer", frozenset({"Trainer", "Pusher"})),
    # Its slices are columns that the data gate then insists on.
    "thresholds": Parameter(
        "evaluate.thresholds",
        "List",
        frozenset({"SchemaGen", "DataGate", "Evaluator", "Optimizer", "Pusher"}),
    ),
    "bucket": Parameter("push.bucket", "String", frozenset({"LatestRelease", "Pusher"})),
}
#: What the first step sees of the outside world, and the stages whose result depends on it.
LOOKED_UP = {"data": {"Ingest"}, "schema": {"SchemaGen"}, "latest_release": {"LatestRelease", "Pusher"}}
#: Artifacts that people look at afterwards; of the others, a step outputs only what another step reads.
_LOOKED_INTO = (standard_artifacts.ExampleStatistics, standard_artifacts.ModelEvaluation, ReleaseArtifact)
#: Stands for the pipeline root in cache keys, because it is different in every container.
_ROOT = "/slipway"


@dataclass(frozen=True)
class Carried:
    """An artifact that KFP carries between steps: the stage and the key that make it, and its TFX type."""

    stage: str
    key: str
    type: Any


Channels = Mapping[str, Carried]


@dataclass(frozen=True)
class Step:
    """A part of the graph that runs in one pod.

    Attributes:
        name: its display name.
        config: its resources and retries.
        stages: what it runs, in order.
        inputs: what KFP carries to it from other steps.
        outputs: what KFP carries from it.
        after: the steps that must have passed before it.
        parameters: the runtime parameters it is given.
        looked_up: what it is given of the first step's findings.
        key: digest of what TFX's own cache uses (execution properties, code included), so that KFP's cache sees the
            same changes.
        has_verdict: whether one of its stages is a gate.
        has_release: whether one of its stages is the Pusher.
    """

    name: str
    config: StepConfig
    stages: tuple[str, ...]
    inputs: Channels
    outputs: Channels
    after: tuple[str, ...]
    parameters: tuple[str, ...]
    looked_up: tuple[str, ...]
    key: str
    has_verdict: bool
    has_release: bool


def divide(config: Config) -> list[Step]:
    """Divide the graph of a configuration into its steps.

    Raises:
        ConfigError: a stage is in no step, in two, or unknown; or a step would need what a later one makes.
    """
    components = {component.id: component for component in build(_at_root(config))}
    home = _home(config, components)
    steps: list[Step] = []
    wanted = {
        (c.producer_component_id, c.output_key)
        for part in components.values()
        for c in part.inputs.values()
        if home[part.id] != home[c.producer_component_id]
    }
    for name, step in config.kubeflow.steps.items():
        stages = tuple(stage for stage in components if home[stage] == name)
        if not stages:
            continue
        parts = [components[stage] for stage in stages]
        inputs = _inputs(parts, stages)
        upstream = {node.id for part in parts for node in part.upstream_nodes} - set(stages)
        upstream |= {carried.stage for carried in inputs.values()}
        done = {stage for earlier in steps for stage in earlier.stages}
        if late := sorted(upstream - done):
            raise ConfigError(
                f"kubeflow.steps: {name!r} needs {late[0]}, which is in the later step {home[late[0]]!r}; "
                "list the steps in the order of the graph"
            )
        types = {channel.type for part in parts for channel in part.outputs.values()}
        steps.append(
            Step(
                name=name,
                config=step,
                stages=stages,
                inputs=inputs,
                outputs=dict(
                    _carried(channel)
                    for part in parts
                    for channel in part.outputs.values()
                    if (part.id, channel.output_key) in wanted or channel.type in _LOOKED_INTO
                ),
                after=tuple(dict.fromkeys(home[stage] for stage in components if stage in upstream)),
                parameters=tuple(name for name, p in PARAMETERS.items() if p.needed_by & set(stages)),
                looked_up=tuple(p for p, needed_by in LOOKED_UP.items() if needed_by & set(stages)),
                key=_key(parts),
                has_verdict=VerdictArtifact in types,
                has_release=ReleaseArtifact in types,
            )
        )
    return steps


def artifact_name(stage: str, key: str) -> str:
    """Name a stage's output in the package: `Trainer`, `model` → `trainer_model`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", stage).lower() + "_" + key


def _at_root(config: Config) -> Config:
    return config.model_copy(update={"pipeline_root": _ROOT})


def _home(config: Config, components: Mapping[str, Any]) -> dict[str, str]:
    """Find the step of every stage."""
    home: dict[str, str] = {}
    for name, step in config.kubeflow.steps.items():
        for stage in step.stages:
            if stage in home:
                raise ConfigError(f"kubeflow.steps: {stage} is in {home[stage]!r} and in {name!r}")
            home[stage] = name
    optional = {"Optimizer", "Canary"}
    for stage in home.keys() - components.keys() - optional:
        near = difflib.get_close_matches(stage, components, n=1, cutoff=0.3)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(components)}"
        raise ConfigError(f"kubeflow.steps.{home[stage]}: no stage is named {stage}; {hint}")
    if missing := [stage for stage in components if stage not in home]:
        raise ConfigError(f"kubeflow.steps: {', '.join(missing)} is in no step; add it to one")
    return home


def _inputs(parts: list[Any], stages: tuple[str, ...]) -> Channels:
    """Return what the stages of a step read that other steps make."""
    channels = [channel for part in parts for channel in part.inputs.values()]
    return dict(_carried(channel) for channel in channels if channel.producer_component_id not in stages)


def _carried(channel: Any) -> tuple[str, Carried]:
    stage, key = channel.producer_component_id, channel.output_key
    return artifact_name(stage, key), Carried(stage, key, channel.type)


def _key(parts: list[Any]) -> str:
    properties = {part.id: part.exec_properties for part in parts}
    return hashlib.sha256(json.dumps(properties, sort_keys=True, default=str).encode()).hexdigest()[:16]
