"""Runs on Kubeflow: a package is uploaded as a version of its pipeline, run, and followed to its end."""

import hashlib
import json
import re
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.text import Text

from pipeline.config import Config
from pipeline.kubeflow.client import KubeflowError, explained
from pipeline.kubeflow.package import LOOK_UP, compile_package
from pipeline.progress import Progress, Status
from pipeline.run import EXIT_CODES

#: The status of a stage, by its task's state in the API.
_STATUS: dict[str, Status] = {
    "RUNNING": "running",
    "SUCCEEDED": "done",
    "CACHED": "cached",
    "SKIPPED": "cached",
    "FAILED": "failed",
    "CANCELED": "not run",
}
_ENDED = {"SUCCEEDED", "FAILED", "SKIPPED", "CANCELED"}
_POLL_SECONDS = 2.0
#: The API may say that a run has ended before it says so about the last step.
_LAST_LOOKS = 10
_LOG_LINES = 12
#: What the launcher, Argo and absl write into a step's log: glog's and logfmt's beginnings, and what follows a dump.
_LAUNCHERS_LINE = re.compile(r"[IWEF]\d{4} |time=|WARNING: All log |[{}\[\]]|\s+\"|\s+[{}\[\]]|\s*$")


@dataclass(frozen=True)
class Uploaded:
    """A pipeline on the backend, the version of it that a configuration compiles to, and its steps by task name."""

    pipeline_id: str
    version_id: str
    version_name: str
    new: bool
    steps: dict[str, str]


def upload(client: Any, config: Config) -> Uploaded:
    """Compile a configuration and upload the package as a version of its pipeline, unless it is there already.

    A version is named by the digest of its package, so that the same package is not uploaded twice.

    Raises:
        ConfigError: the configuration cannot run on Kubeflow.
        KubeflowError: the API refuses it.
    """
    import kfp_server_api

    with tempfile.TemporaryDirectory(prefix="slipway-package-") as folder:
        package = Path(folder) / "pipeline.yaml"
        steps = [LOOK_UP, *(step.name for step in compile_package(config, package))]
        tasks = {name.lower().replace(" ", "-"): name for name in steps}
        version_name = f"{config.model_name}-{_digest(package)}"
        with explained():
            pipeline_id = client.get_pipeline_id(config.model_name)
            if pipeline_id is None:
                made = kfp_server_api.V2beta1Pipeline(name=config.model_name, display_name=config.model_name)
                pipeline_id = client._pipelines_api.pipeline_service_create_pipeline(made).pipeline_id
            named = {"predicates": [{"operation": "EQUALS", "key": "name", "stringValue": version_name}]}
            found = client.list_pipeline_versions(pipeline_id, filter=json.dumps(named)).pipeline_versions
            version = (
                found[0]
                if found
                else client.upload_pipeline_version(str(package), version_name, pipeline_id=pipeline_id)
            )
    return Uploaded(pipeline_id, version.pipeline_version_id, version_name, not found, tasks)


def submit(client: Any, config: Config, uploaded: Uploaded, experiment: str) -> Any:
    """Start a run; returns the API's message about it."""
    with explained():
        return client.run_pipeline(
            experiment_id=client.create_experiment(experiment).experiment_id,
            job_name=f"{config.model_name} {datetime.now():%Y-%m-%d %H:%M:%S}",
            pipeline_id=uploaded.pipeline_id,
            version_id=uploaded.version_id,
            pipeline_root=config.kubeflow.pipeline_root,
            service_account=config.kubeflow.service_account,
        )


def follow(client: Any, console: Console, run_id: str, steps: dict[str, str]) -> int:
    """Show a run's steps until it ends, and the log of a failed step; returns the exit code, that of `slipway run`.

    A step's time is that of its two pods, waiting for the node included. A step that took no time ran no pod: its
    result came from the cache.
    """
    progress = Progress.of(console, list(steps.values()))
    looks_left = _LAST_LOOKS
    with progress:
        while True:
            with explained():
                run = client.get_run(run_id)
            details = (run.run_details.task_details if run.run_details else None) or []
            by_name = {detail.display_name: detail for detail in details}
            for task, step in steps.items():
                if task in by_name:
                    _update(progress, step, by_name[task], by_name.get(f"{task}-driver"))
            if run.state in _ENDED:
                looks_left -= 1
                if not looks_left or all(stage.status != "running" for stage in progress.stages):
                    break
            time.sleep(_POLL_SECONDS)
        for stage in progress.stages:
            if stage.status in ("waiting", "running"):
                stage.status = "not run"
    if run.state == "SUCCEEDED":
        return 0
    if run.error is not None and run.error.message:
        console.print(Text(run.error.message, "red"), soft_wrap=True)
    return _tell_why(client, console, run_id, details)


def _update(progress: Progress, name: str, task: Any, driver: Any) -> None:
    """Update a row to what the API says about its task and about the pod that runs before it."""
    stage = next(stage for stage in progress.stages if stage.name == name)
    status = _STATUS.get(task.state or "", "waiting")
    if status in (stage.status, "waiting") or stage.status not in ("waiting", "running"):
        return
    if stage.status == "waiting":
        progress.start(name)
    if status == "running":
        return
    seconds = None
    if task.end_time is not None:
        if status == "done" and task.end_time == task.start_time:
            status = "cached"
        seconds = (task.end_time - (driver or task).start_time).total_seconds()
    progress.finish(stage, status, task.error.message if task.error else "", seconds)


def _tell_why(client: Any, console: Console, run_id: str, details: list[Any]) -> int:
    """Print the last lines that the failed step itself wrote, and return whether it failed or a gate refused."""
    code = EXIT_CODES["failed"]
    pods = [
        child.pod_name
        for detail in details
        if detail.display_name == "executor" and detail.state == "FAILED"
        for child in detail.child_tasks or []
    ]
    for pod in pods:
        try:
            with explained():
                log = client._run_api.api_client.call_api(
                    f"/apis/v1alpha1/runs/{run_id}/nodes/{pod}/log",
                    "GET",
                    response_type="str",
                    auth_settings=["Bearer"],
                    _return_http_data_only=True,
                )
        except KubeflowError as error:
            console.print(Text(f"cannot read the log of {pod}: {error}", "yellow"), soft_wrap=True)
            continue
        for line in [line for line in log.splitlines() if not _LAUNCHERS_LINE.match(line)][-_LOG_LINES:]:
            console.print(Text(f"  {line}", "dim"), soft_wrap=True)
        if f"exit status {EXIT_CODES['refused']}" in log:
            code = EXIT_CODES["refused"]
    return code


def _digest(package: Path) -> str:
    """Digest what a package says; the order of its text changes from one compilation to the next."""
    text = json.dumps(list(yaml.safe_load_all(package.read_text())), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
