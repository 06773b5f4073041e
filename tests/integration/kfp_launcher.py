"""A local stand-in for KFP v2's driver and launcher: runs a compiled package on this machine, step by step.

It gives a step what the real backend (2.17) was seen to give, and no more: input artifacts without a type and with
metadata that TFX does not know, the output `executor-logs` that the package does not declare, parameters as JSON
numbers. Between steps it keeps only what the backend keeps: files at the artifacts' URIs, and the metadata written to
`outputFile`. Packages that use anything else (conditions, loops, importers, nested pipelines) are refused, and not
half run.
"""

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

ROOT = "mlpipeline/v2/artifacts"
State = Literal["SUCCEEDED", "FAILED", "NOT_TRIGGERED"]


class PackageError(ValueError):
    """The package is not one that a backend (or this stand-in) takes."""


@dataclass(frozen=True)
class Container:
    """What is to be run: command with arguments, image, environment, claims by mount path, and the store's folder.

    `store` is the folder that stands for the object store; a container has it at `/minio`.
    """

    command: list[str]
    image: str
    env: dict[str, str]
    claims: dict[str, str]
    store: Path


@dataclass
class Task:
    """How a step ended: its state, exit code, output, and what KFP would show of its artifacts and parameters."""

    name: str
    state: State
    code: int | None = None
    log: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, Any] = field(default_factory=dict)
    executor_input: Any = None


@dataclass(frozen=True)
class Package:
    """A package, parsed by the messages that the backend parses it by."""

    spec: Any
    kubernetes: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Package":
        """Parse a package strictly: an unknown field is an error."""
        documents = list(yaml.safe_load_all(path.read_text()))
        try:
            spec = json_format.ParseDict(documents[0], pipeline_spec_pb2.PipelineSpec())
            executors = {}
            for document in documents[1:]:
                json_format.ParseDict(document, pipeline_spec_pb2.PlatformSpec())
                found = document["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
                for label, config in found.items():
                    message = kubernetes_executor_config_pb2.KubernetesExecutorConfig()
                    executors[label] = json_format.ParseDict(config, message)
        except json_format.ParseError as error:
            raise PackageError(f"{path}: {error}") from error
        return cls(spec, executors)

    def tasks(self) -> Iterator[tuple[str, Any]]:
        """Yield the tasks in an order in which each comes after those that it depends on."""
        waiting = dict(self.spec.root.dag.tasks)
        done: set[str] = set()
        while waiting:
            ready = [name for name, task in waiting.items() if set(task.dependent_tasks) <= done]
            if not ready:
                raise PackageError(f"these tasks wait for each other: {', '.join(sorted(waiting))}")
            for name in sorted(ready):
                done.add(name)
                yield name, waiting.pop(name)


def run_package(
    path: Path,
    folder: Path,
    execute: Callable[[Container], tuple[int, str]],
    arguments: Mapping[str, Any] | None = None,
    only: set[str] | None = None,
    in_container: bool = True,
) -> dict[str, Task]:
    """Run a package; returns its tasks by name.

    Arguments:
        path: the package.
        folder: stands for the object store.
        execute: runs a container; returns exit code and output.
        arguments: runtime parameters; the package's defaults otherwise.
        only: stop after these tasks.
        in_container: whether the steps see `folder` at /minio; else each artifact's customPath names its place.
    """
    package = Package.read(path)
    values = _arguments(package, arguments or {})
    ended: dict[str, Task] = {}
    for name, task in package.tasks():
        if only is not None and name not in only:
            continue
        if any(ended[other].state != "SUCCEEDED" for other in task.dependent_tasks):
            ended[name] = Task(name, "NOT_TRIGGERED")
            continue
        ended[name] = _run_task(package, name, task, values, ended, folder, execute, in_container)
    return ended


def _arguments(package: Package, given: Mapping[str, Any]) -> dict[str, Any]:
    declared = package.spec.root.input_definitions.parameters
    if unknown := set(given) - set(declared):
        raise PackageError(f"the package has no parameter {sorted(unknown)}; there are: {sorted(declared)}")
    values = dict(given)
    for name, parameter in declared.items():
        if name not in values:
            if not parameter.HasField("default_value"):
                raise PackageError(f"the parameter {name} has no default; give it")
            values[name] = json_format.MessageToDict(parameter.default_value)
    return values


def _run_task(
    package: Package,
    name: str,
    task: Any,
    values: Mapping[str, Any],
    ended: Mapping[str, Task],
    folder: Path,
    execute: Callable[[Container], tuple[int, str]],
    in_container: bool,
) -> Task:
    for feature in ("trigger_policy", "parameter_iterator", "artifact_iterator"):
        if task.HasField(feature):
            raise PackageError(f"{name}: this stand-in does not know {feature}")
    component = package.spec.components[task.component_ref.name]
    if component.WhichOneof("implementation") != "executor_label":
        raise PackageError(f"{name}: this stand-in runs containers only")
    executor = json_format.MessageToDict(package.spec.deployment_spec)["executors"][component.executor_label]
    inputs = _inputs(task, values, ended)
    place = f"{ROOT}/{package.spec.pipeline_info.name}/{name}/{uuid.uuid4()}"
    outputs = _outputs(component, place, folder, in_container)
    executor_input = {"inputs": inputs, "outputs": outputs}
    _check_declared(name, component, inputs)
    container = executor["container"]
    text = json.dumps(executor_input)
    fill = {"{{$}}": text}
    for key, value in inputs["parameterValues"].items():
        fill[f"{{{{$.inputs.parameters['{key}']}}}}"] = str(value)
    command = [_fill(part, fill) for part in [*container["command"], *container.get("args", [])]]
    platform = package.kubernetes.get(component.executor_label)
    claims = {m.mount_path: m.constant for m in platform.pvc_mount} if platform else {}
    code, log = execute(
        Container(
            command=command,
            image=_fill(container["image"], fill),
            env={item["name"]: item["value"] for item in container.get("env", [])},
            claims=claims,
            store=folder,
        )
    )
    written = _host_path(outputs["outputFile"], folder)
    output = json.loads(written.read_text()) if code == 0 and written.is_file() else {}
    if code == 0:
        _check_written(name, component, output)
    return Task(
        name=name,
        state="SUCCEEDED" if code == 0 else "FAILED",
        code=code,
        log=log,
        parameters=output.get("parameterValues", {}),
        artifacts=_kept(outputs, output, folder),
        executor_input=executor_input,
    )


def _inputs(task: Any, values: Mapping[str, Any], ended: Mapping[str, Task]) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for name, source in task.inputs.parameters.items():
        kind = source.WhichOneof("kind")
        if kind == "component_input_parameter":
            parameters[name] = values[source.component_input_parameter]
        elif kind == "task_output_parameter":
            made = ended[source.task_output_parameter.producer_task].parameters
            parameters[name] = made[source.task_output_parameter.output_parameter_key]
        elif kind == "runtime_value":
            parameters[name] = json_format.MessageToDict(source.runtime_value.constant)
        else:
            raise PackageError(f"the parameter {name} comes from {kind}, which this stand-in does not know")
    for name, value in parameters.items():
        if isinstance(value, str):
            filled = {
                f"{{{{$.inputs.parameters['{key}']}}}}": str(other) for key, other in parameters.items()
            }
            parameters[name] = _fill(value, filled)
    artifacts: dict[str, Any] = {}
    for name, source in task.inputs.artifacts.items():
        output = source.task_output_artifact
        artifacts[name] = {"artifacts": [ended[output.producer_task].artifacts[output.output_artifact_key]]}
    return {"artifacts": artifacts, "parameterValues": parameters}


def _outputs(component: Any, place: str, folder: Path, in_container: bool) -> dict[str, Any]:
    declared = component.output_definitions
    root = "/minio" if in_container else str(folder)
    names = {name: json_format.MessageToDict(a.artifact_type) for name, a in declared.artifacts.items()}
    artifacts = {}
    for name, kind in {**names, "executor-logs": {"schemaTitle": "system.Artifact"}}.items():
        slot = {"name": name, "type": kind, "uri": f"minio://{place}/{name}", "metadata": {}}
        if not in_container:
            slot["customPath"] = f"{folder}/{place}/{name}"
        artifacts[name] = {"artifacts": [slot]}
    (folder / place).mkdir(parents=True, exist_ok=True)
    return {
        "artifacts": artifacts,
        "parameters": {name: {"outputFile": f"/tmp/kfp/outputs/{name}"} for name in declared.parameters},
        "outputFile": f"{root}/{place}/output_metadata.json",
    }


def _kept(outputs: Mapping[str, Any], output: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Keep what the backend keeps of the outputs: those with files, and the metadata that the step wrote."""
    kept = {}
    for number, (name, slot) in enumerate(outputs["artifacts"].items()):
        (made,) = slot["artifacts"]
        written = output.get("artifacts", {}).get(name, {}).get("artifacts", [{}])[0]
        if not written and not (folder / made["uri"].removeprefix("minio://")).exists():
            continue
        kept[name] = {
            "name": str(number + 1),
            "type": {"instanceSchema": ""},
            "uri": made["uri"],
            "metadata": {
                **written.get("metadata", {}),
                "display_name": name,
                "store_session_info": json.dumps({"Provider": "minio", "Params": {"fromEnv": "false"}}),
            },
        }
        if "customPath" in made:
            kept[name]["customPath"] = made["customPath"]
    return kept


def _check_declared(name: str, component: Any, inputs: Mapping[str, Any]) -> None:
    missing = set(component.input_definitions.parameters) - set(inputs["parameterValues"])
    missing |= set(component.input_definitions.artifacts) - set(inputs["artifacts"])
    if missing:
        raise PackageError(f"{name}: nothing is given for {sorted(missing)}")


def _check_written(name: str, component: Any, output: Mapping[str, Any]) -> None:
    unknown = set(output.get("artifacts", {})) - set(component.output_definitions.artifacts)
    missing = set(component.output_definitions.parameters) - set(output.get("parameterValues", {}))
    if unknown or missing:
        raise PackageError(f"{name}: wrote undeclared {sorted(unknown)}, and left out {sorted(missing)}")


def _host_path(path: str, folder: Path) -> Path:
    return folder / path.removeprefix("/minio/") if path.startswith("/minio/") else Path(path)


def _fill(text: str, values: Mapping[str, str]) -> str:
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    if "{{$" in text and not text.startswith("{"):
        raise PackageError(f"unknown placeholder in {text!r}")
    return text


def without_network(command: list[str]) -> list[str]:
    """Wrap a command so that it runs without network, where this machine's kernel lets us."""
    wrapper = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"]
    try:
        able = subprocess.run([*wrapper, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        able = False
    return [*wrapper, *command] if able else command
