"""The container's entry point: runs one step's stages of the graph with TFX's own launcher, for KFP's launcher.

`python -P -m pipeline.kubeflow.step --step NAME --key KEY --executor_input JSON`

KFP's launcher puts input artifacts where their URIs say, gives everything else in `executor_input`, and uploads what it
then finds at the output artifacts' URIs, whether the step passed or not. KFP knows nothing about TFX's part of an
artifact (type, split names and the like), so that travels in the artifact's metadata.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from pipeline.config import Config, parse_config
from pipeline.kubeflow.package import CONFIG_VARIABLE
from pipeline.kubeflow.steps import PARAMETERS, Step, divide
from pipeline.progress import Progress
from pipeline.quiet import prepare_tensorflow, quiet
from pipeline.run import EXIT_CODES
from serving.errors import UserError

#: The key of an artifact's metadata that holds TFX's part of it, as JSON of an MLMD artifact.
TFX_METADATA = "tfx_artifact"
_LOG_LINES = 40


class StepError(UserError, RuntimeError):
    """The step cannot run; the message says why and what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Run the step that the command line names; returns the exit code, which is that of `slipway run`."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.kubeflow.step", description=__doc__)
    parser.add_argument("--executor_input", type=json.loads, required=True, help="JSON, from KFP's launcher")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--look-up", action="store_true", help="look at data, schema and bucket; run no stage")
    what.add_argument("--step", help="the step's name in kubeflow.steps")
    parser.add_argument("--key", help="the step's cache key, as the package was compiled with it")
    options = parser.parse_args(arguments)
    prepare_tensorflow()
    compiled = parse_config(json.loads(os.environ[CONFIG_VARIABLE]), CONFIG_VARIABLE)
    told = options.executor_input.get("inputs", {}).get("parameterValues", {})
    config = _told(compiled, told)
    with tempfile.TemporaryDirectory(prefix="slipway-step-") as scratch:
        log = Path(scratch) / "log.txt"
        with quiet(log) as console:
            try:
                if options.look_up:
                    return _look_up(console, config, options.executor_input["outputs"])
                step = _checked(compiled, options.step, options.key)
                return _run(console, config, step, options.executor_input, Path(scratch))
            except Exception as error:
                _tell(console, error, log)
                return EXIT_CODES["failed"]


def _told(compiled: Config, parameters: Mapping[str, Any]) -> Config:
    """Put runtime parameters into the configuration that the package was compiled from."""
    raw = compiled.model_dump(mode="json", by_alias=True, exclude_unset=True)
    overrides = [
        f"{PARAMETERS[name].key}={json.dumps(value)}"
        for name, value in parameters.items()
        if name in PARAMETERS and value not in ("", None)
    ]
    return parse_config(raw, "runtime parameters", overrides)


def _checked(compiled: Config, name: str, key: str) -> Step:
    """Find the step, and make sure that this image's code is what the package was compiled from.

    KFP's cache uses the key: results of other code under the same key would be mistaken for those of the old code.
    """
    step = next((step for step in divide(compiled) if step.name == name), None)
    if step is None or step.key != key:
        raise StepError(
            f"this image holds other code (or another model.py) for the step {name!r} than the package was compiled "
            "from. Build the image again, or compile the package from the image's own revision."
        )
    return step


def _look_up(console: Console, config: Config, outputs: Mapping[str, Any]) -> int:
    """Report what the data, the reviewed schema and the bucket are now: parts of the cache keys of later steps."""
    from components.ingest import files, header
    from components.schema.text import kept_digest
    from serving.release.record import latest_release

    files.ensure(config.data)
    header.check(config.data, {"preprocess.inputs": config.preprocess.inputs})
    release = latest_release(config.push.bucket, config.model_name)
    found = {
        "data": files.fingerprint(config.data),
        "schema": kept_digest(str(config.schema_path), str(config.inferred_schema_path)),
        "latest_release": f"{release.version}:{release.digest}" if release else "",
    }
    for name, value in found.items():
        console.print(f"{name}: {value or 'none'}", soft_wrap=True)
    _write_json(outputs["outputFile"], {"parameterValues": found})
    return 0


def _run(console: Console, config: Config, step: Step, executor_input: Any, scratch: Path) -> int:
    from pipeline import local
    from pipeline.graph import make_pipeline
    from pipeline.kubeflow import display

    started = time.monotonic()
    given: dict[str, dict[str, Any]] = {}
    for name, carried in step.inputs.items():
        artifact = _artifact(executor_input["inputs"]["artifacts"][name], name, carried.type)
        given.setdefault(carried.stage, {})[carried.key] = artifact
    pipeline = make_pipeline(config.model_copy(update={"pipeline_root": str(scratch)}))
    progress = Progress.of(console, list(step.stages))
    result = local.Result()
    slots = executor_input["outputs"].get("artifacts", {})
    with progress:
        local.run(pipeline, progress, result, only=step.stages, given=given)
    shown = display.write(result, {name: Path(local_path(_only(slot))) for name, slot in slots.items()})
    written = {name: _described(_only(slots[name]), metadata) for name, metadata in shown.items()}
    for name, carried in step.outputs.items():
        made = result.artifacts.get(carried.stage, {}).get(carried.key)
        if made is not None and name in slots:
            written[name] = _hand_over(made, _only(slots[name]))
    _write_json(executor_input["outputs"]["outputFile"], {"artifacts": written})
    console.print(f"{step.name}: {time.monotonic() - started:.1f} s in its stages", style="dim")
    if result.stopped_by is not None:
        console.print(
            Text(f"{result.stopped_by} {result.verdicts[-1].headline()}", "bold red"), soft_wrap=True
        )
        return EXIT_CODES["refused"]
    if result.pushed is not None:
        console.print(Text(result.pushed.message, "bold"), soft_wrap=True)
        if result.pushed.version is None:
            return EXIT_CODES["withdrawn"]
    return 0


def _artifact(slot: Any, name: str, kind: Any) -> Any:
    """Make TFX's artifact of what KFP gives for an input.

    Raises:
        StepError: there is no artifact, or it was not made by a step of ours.
    """
    from google.protobuf import json_format

    given = slot.get("artifacts", [])
    if not given or TFX_METADATA not in given[0].get("metadata", {}):
        raise StepError(f"the input {name} was not made by a step of this pipeline: it lacks {TFX_METADATA}")
    artifact = kind()
    json_format.Parse(given[0]["metadata"][TFX_METADATA], artifact.mlmd_artifact)
    artifact.uri = local_path(given[0])
    return artifact


def _hand_over(artifact: Any, slot: Any) -> Any:
    """Copy an output to where KFP's launcher uploads it from, and describe it in KFP's terms."""
    from google.protobuf import json_format
    from ml_metadata.proto import metadata_store_pb2

    target = Path(local_path(slot))
    if Path(artifact.uri).is_dir():
        shutil.copytree(artifact.uri, target, dirs_exist_ok=True)
    target.mkdir(parents=True, exist_ok=True)
    if not any(target.iterdir()):
        (target / ".empty").touch()  # an object store keeps no empty folder, but the next step needs one
    ours = artifact.mlmd_artifact
    kept = metadata_store_pb2.Artifact(properties=ours.properties, custom_properties=ours.custom_properties)
    return _described(slot, {TFX_METADATA: json_format.MessageToJson(kept, indent=None)})


def _only(slot: Any) -> Any:
    return slot["artifacts"][0]


def _described(slot: Any, metadata: Mapping[str, Any]) -> Any:
    return {"artifacts": [{"name": slot.get("name", ""), "uri": slot["uri"], "metadata": dict(metadata)}]}


def local_path(slot: Mapping[str, Any]) -> str:
    """Find where KFP's launcher mirrors an artifact: at its customPath, or by its URI (`minio://…`, `s3://…`, `gs://…`)."""
    from kfp import dsl

    return str(slot.get("customPath") or dsl.Artifact(uri=slot["uri"]).path)


def _write_json(path: str, content: Any) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(content))


def _tell(console: Console, error: Exception, log: Path) -> None:
    """Print why a step failed: the end of its log, and then the reason."""
    import traceback

    with log.open("a") as file:
        traceback.print_exception(error, file=file)
    for line in log.read_text(errors="replace").splitlines()[-_LOG_LINES:]:
        console.print(Text(line, "dim"), soft_wrap=True)
    console.print(Text(str(error), "bold red"), soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
