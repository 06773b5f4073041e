"""The runner of stages in this process: like TFX's LocalDagRunner, but it shows progress and stops at a refusal.

On a laptop it runs the whole graph; in a container, the stages of one step, given what earlier steps made.
"""

import datetime
import fcntl
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import execution_publish_utils, launcher, runtime_parameter_utils
from tfx.orchestration.portable.mlmd import context_lib, execution_lib

from components.artifacts import ReleaseArtifact, VerdictArtifact
from components.causes import root_cause
from components.push.outcome import PushOutcome, read_outcome
from components.verdict import Verdict, read_verdict
from pipeline.progress import Progress, Status
from serving.errors import UserError


class BusyError(UserError, RuntimeError):
    """Another run of the same model is in progress."""


class StageFailedError(RuntimeError):
    """A stage raised an exception, which is the cause."""

    def __init__(self, stage: str, cause: BaseException) -> None:
        super().__init__(f"{stage}: {root_cause(cause)}")
        self.stage = stage


@dataclass
class Result:
    """What a run did.

    Attributes:
        artifacts: the output artifacts, by stage and key.
        verdicts: of the gates, in their order.
        pushed: the outcome of the push; None if there was none.
        stopped_by: the stage that refused; None if none did.
    """

    artifacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    pushed: PushOutcome | None = None
    stopped_by: str | None = None

    @property
    def outputs(self) -> dict[str, dict[str, str]]:
        """The folders of the output artifacts, by stage and key."""
        return {
            stage: {key: artifact.uri for key, artifact in artifacts.items()}
            for stage, artifacts in self.artifacts.items()
        }


@contextmanager
def only_run(root: Path) -> Iterator[None]:
    """Lock the model's folder for this process; the system unlocks it when the process ends, however it ends.

    Raises:
        BusyError: another process has locked it.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".run.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise BusyError(
                f"another run of this model is in progress (process {lock.read().strip() or 'unknown'}); wait for it"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def stage_names(pipeline: Any) -> list[str]:
    """List the stages of a TFX pipeline in the order in which they run."""
    return [component.id for component in pipeline.components]


def run(
    pipeline: Any,
    progress: Progress,
    result: Result,
    only: Collection[str] | None = None,
    given: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Run a TFX pipeline in this process, one stage after the other, filling in `result` as it goes.

    Args:
        pipeline: made by `pipeline.graph.make_pipeline`.
        progress: told about every stage.
        result: filled in.
        only: the stages to run; all of them if None.
        given: artifacts by stage and key, made by stages that are not run here.

    Raises:
        StageFailedError: a stage raised; the results of earlier stages are kept, and the next run continues there.
    """
    ir = compiler.Compiler().compile(pipeline)
    run_id = datetime.datetime.now().isoformat()
    runtime_parameter_utils.substitute_runtime_parameter(
        ir, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
    )
    deployment = runner_utils.extract_local_deployment_config(ir)
    which = deployment.metadata_connection_config.WhichOneof("connection_config")
    connection = getattr(deployment.metadata_connection_config, which)
    for node in ir.nodes:
        node_id = node.pipeline_node.node_info.id
        if given and node_id in given:
            _publish(connection, node.pipeline_node, given[node_id])
        if only is not None and node_id not in only:
            continue
        stage = progress.start(node_id)
        try:
            info = launcher.Launcher(
                pipeline_node=node.pipeline_node,
                mlmd_connection=metadata.Metadata(connection),
                pipeline_info=ir.pipeline_info,
                pipeline_runtime_spec=ir.runtime_spec,
                executor_spec=runner_utils.extract_executor_spec(deployment, node_id),
                custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node_id),
            ).launch()
        except Exception as error:
            progress.finish(stage, "failed", root_cause(error))
            _mark_rest(progress)
            raise StageFailedError(node_id, error) from error
        cached, outputs = _published(connection, info.execution_id)
        result.artifacts[node_id] = {key: artifacts[0] for key, artifacts in outputs.items() if artifacts}
        status, message = _outcome(outputs, result)
        if status == "done" and cached:
            status = "cached"
        progress.finish(stage, status, message or stage.message)
        if status == "refused":
            result.stopped_by = node_id
            break
    _mark_rest(progress)


def _outcome(outputs: Any, result: Result) -> tuple[Status, str]:
    """Read a stage's outcome from its artifacts: a verdict, or the outcome of a push."""
    status: Status = "done"
    message = ""
    for artifact in (artifact for artifacts in outputs.values() for artifact in artifacts):
        if artifact.type_name == VerdictArtifact.TYPE_NAME:
            verdict = read_verdict(artifact.uri)
            result.verdicts.append(verdict)
            status, message = "done" if verdict.passed else "refused", verdict.headline()
        elif artifact.type_name == ReleaseArtifact.TYPE_NAME:
            result.pushed = read_outcome(artifact.uri)
            message = result.pushed.message
            if not result.pushed.written:
                status = "unchanged" if result.pushed.version else "refused"
    return status, message


def _mark_rest(progress: Progress) -> None:
    for stage in progress.stages:
        if stage.status == "waiting":
            stage.status = "not run"


def _publish(connection: Any, node: Any, artifacts: Mapping[str, Any]) -> None:
    """Record in the metadata what a stage made elsewhere, so that TFX finds it as an input of the next stage."""
    with metadata.Metadata(connection) as handle:
        contexts = context_lib.prepare_contexts(handle, node.contexts)
        execution = execution_publish_utils.register_execution(handle, node.node_info.type, contexts)
        execution_publish_utils.publish_succeeded_execution(
            handle, execution.id, contexts, {key: [artifact] for key, artifact in artifacts.items()}
        )


def _published(connection: Any, execution_id: int) -> tuple[bool, Any]:
    """Read from the metadata whether an execution was cached, and its output artifacts by key."""
    with metadata.Metadata(connection) as handle:
        (execution,) = handle.store.get_executions_by_id([execution_id])
        cached = execution.last_known_state == metadata_store_pb2.Execution.CACHED
        return cached, execution_lib.get_output_artifacts(handle, execution_id)
