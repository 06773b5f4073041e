"""The compiler: a configuration becomes a package (PipelineSpec 2.1.0) that the open-source KFP backend runs.

Its containers hold no stage's code or parameters, only the configuration: they build the same graph and run their part
of it. TFX's own Kubeflow runner is not used, because that backend does not run its packages unchanged.
"""

from pathlib import Path
from typing import Any

import yaml
from kfp import compiler, components, dsl, kubernetes

from pipeline.config import Config, ConfigError
from pipeline.kubeflow import display
from pipeline.kubeflow.steps import LOOKED_UP, PARAMETERS, Channels, Step, divide

#: The environment variable that holds the configuration. KFP's cache ignores it; the steps' keys stand for it.
CONFIG_VARIABLE = "SLIPWAY_CONFIG"
LOOK_UP = "Look up"
#: -P: a folder `data` in the working directory is the user's, not our package.
ENTRY_POINT = ("python", "-P", "-m", "pipeline.kubeflow.step")
_KFP_TYPES = {"Examples": "Dataset", "Model": "Model"}
_SUFFIXES = (".yaml", ".yml")


def compile_package(config: Config, path: str | Path) -> list[Step]:
    """Write the package of a configuration, and return its steps.

    With volumes, secrets or node selectors it has a second YAML document, KFP's platform specification.

    Raises:
        ConfigError: the configuration cannot run on Kubeflow.
    """
    if not str(path).endswith(_SUFFIXES):
        raise ConfigError(f"{path}: a package's name must end in .yaml, from which KFP knows its format")
    if "://" not in config.push.bucket and not config.kubeflow.volumes:
        raise ConfigError(
            f"push.bucket: {config.push.bucket} is a folder, which would be lost with its pod. Name a bucket "
            "(s3://… or gs://…), or mount a volume with kubeflow.volumes and name a folder on it"
        )
    if config.beam.runner != "direct":
        raise ConfigError(
            f"beam.runner is {config.beam.runner}, but its workers cannot read the files in a step's pod. Use "
            "--set beam.runner=direct, and give the step with the data stages more CPU in kubeflow.steps"
        )
    steps = divide(config)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    compiler.Compiler().compile(_pipeline(config, steps), str(path))
    return steps


def _pipeline(config: Config, steps: list[Step]) -> Any:
    outputs = {name: step for step in steps for name in step.outputs}

    def graph(data_path: str, epochs: int, thresholds: list[Any], bucket: str, image: str) -> None:
        told = {"data_path": data_path, "epochs": epochs, "thresholds": thresholds, "bucket": bucket}
        looked = _look_up_component(config)(data_path=data_path, bucket=bucket)
        _configure(looked, config, image, LOOK_UP)
        looked.set_caching_options(False)
        tasks = {LOOK_UP: looked}
        for step in steps:
            arguments: dict[str, Any] = {
                name: tasks[outputs[name].name].outputs[name] for name in step.inputs
            }
            arguments |= {name: told[name] for name in step.parameters}
            arguments |= {name: looked.outputs[name] for name in step.looked_up}
            task = _step_component(step, config)(**arguments)
            _configure(task, config, image, step.name)
            _give_resources(task, step)
            task.set_caching_options(config.kubeflow.enable_caching)
            for earlier in step.after:
                task.after(tasks[earlier])
            tasks[step.name] = task

    thresholds = [t.model_dump(mode="json", exclude_unset=True) for t in config.evaluate.thresholds]
    graph.__annotations__["thresholds"] = list
    graph.__defaults__ = (
        config.data.path or "",
        config.train.epochs,
        thresholds,
        config.push.bucket,
        config.kubeflow.image,
    )
    return dsl.pipeline(
        name=config.model_name.lower().replace("_", "-"),
        display_name=config.model_name,
        description=f"{config.model_name}: from {config.data.path or 'its data'} to a gated version in "
        f"{config.push.bucket}",
    )(graph)


def _look_up_component(config: Config) -> Any:
    inputs = {name: PARAMETERS[name].kfp_type for name in ("data_path", "bucket")}
    return _component(LOOK_UP, config, inputs, dict.fromkeys(LOOKED_UP, "String"), ["--look-up"])


def _step_component(step: Step, config: Config) -> Any:
    inputs = _types(step.inputs)
    inputs |= {name: PARAMETERS[name].kfp_type for name in step.parameters}
    inputs |= dict.fromkeys(step.looked_up, "String")
    outputs = _types(step.outputs) | display.outputs(step)
    return _component(step.name, config, inputs, outputs, ["--step", step.name, "--key", step.key])


def _types(channels: Channels) -> dict[str, str]:
    return {name: _KFP_TYPES.get(carried.type.TYPE_NAME, "Artifact") for name, carried in channels.items()}


def _component(
    name: str, config: Config, inputs: dict[str, str], outputs: dict[str, str], arguments: list[str]
) -> Any:
    container = {
        "image": config.kubeflow.image,
        "command": list(ENTRY_POINT),
        "args": [*arguments, "--executor_input", {"executorInput": None}],
    }
    return components.load_component_from_text(
        yaml.safe_dump(
            {
                "name": name,
                "inputs": [{"name": key, "type": kind} for key, kind in inputs.items()],
                "outputs": [{"name": key, "type": kind} for key, kind in outputs.items()],
                "implementation": {"container": container},
            }
        )
    )


def _configure(task: Any, config: Config, image: Any, name: str) -> None:
    settings = config.kubeflow
    task.set_display_name(name)
    task.set_container_image(image)
    own = config.model_dump_json(by_alias=True, exclude_unset=True)
    for variable, value in {**settings.env, CONFIG_VARIABLE: own}.items():
        task.set_env_variable(variable, value)
    kubernetes.set_image_pull_policy(task, settings.image_pull_policy)
    for secret, keys in settings.secrets.items():
        kubernetes.use_secret_as_env(task, secret, keys)
    for claim, mount_path in settings.volumes.items():
        kubernetes.mount_pvc(task, claim, mount_path)


def _give_resources(task: Any, step: Step) -> None:
    config = step.config
    for quantity, give in (
        (config.cpu_request, task.set_cpu_request),
        (config.cpu_limit, task.set_cpu_limit),
        (config.memory_request, task.set_memory_request),
        (config.memory_limit, task.set_memory_limit),
    ):
        if quantity is not None:
            give(quantity)
    if config.accelerator_type is not None:
        task.set_accelerator_type(config.accelerator_type).set_accelerator_limit(config.accelerator_limit)
    for label, value in config.node_selector.items():
        kubernetes.add_node_selector(task, label, value)
    if config.retries:
        task.set_retry(config.retries, backoff_duration="30s")
