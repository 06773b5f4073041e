"""The package's text, which the backend and people read."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from pipeline.config import Config, ConfigError, load_config
from pipeline.kubeflow import step as entry_point
from pipeline.kubeflow.package import CONFIG_VARIABLE, compile_package
from tests.conftest import REPOSITORY

GOLDEN = Path("tests/pipeline/kubeflow/golden")
COMMAND = f"slipway kubeflow compile --config {GOLDEN / 'config.yaml'} -o {GOLDEN / 'package.yaml'}"


def _read(path: Path) -> Any:
    """A package without what changes with every line of our code (the keys) and with kfp's release."""
    spec, platform = yaml.safe_load_all(path.read_text())
    spec.pop("sdkVersion")
    for executor in spec["deploymentSpec"]["executors"].values():
        arguments = executor["container"]["args"]
        if "--key" in arguments:
            arguments[arguments.index("--key") + 1] = "KEY"
        for variable in executor["container"]["env"]:
            if variable["name"] == CONFIG_VARIABLE:
                variable["value"] = json.loads(variable["value"])
    return spec, platform


def test_the_package_is_the_golden_one(tmp_path: Path) -> None:
    package = tmp_path / "package.yaml"
    compile_package(load_config(REPOSITORY / GOLDEN / "config.yaml"), package)
    assert _read(package) == _read(REPOSITORY / GOLDEN / "package.yaml"), f"if it is meant: {COMMAND}"


def test_the_golden_package_is_what_the_backend_takes() -> None:
    """Unknown fields are errors to the backend, as they are here; a number must not have become a text."""
    spec, platform = yaml.safe_load_all((REPOSITORY / GOLDEN / "package.yaml").read_text())
    parsed = json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    assert parsed.schema_version == "2.1.0"
    json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
    parameters = {
        name: json_format.MessageToDict(p.default_value)
        for name, p in parsed.root.input_definitions.parameters.items()
    }
    assert parameters["epochs"] == 3
    assert parameters["image"] == "registry.example/slipway:1"
    assert parameters["thresholds"] == [{"metric": "accuracy", "lower_bound": 0.94, "max_drop": 0.01}]


def test_nothing_that_only_looks_is_cached_and_no_secret_is_written() -> None:
    text = (REPOSITORY / GOLDEN / "package.yaml").read_text()
    spec, platform = yaml.safe_load_all(text)
    tasks = spec["root"]["dag"]["tasks"]
    assert tasks["look-up"]["cachingOptions"] == {}
    assert all(task["cachingOptions"]["enableCache"] for name, task in tasks.items() if name != "look-up")
    wanted = tasks["prepare-data"]["inputs"]["parameters"]["data"]["taskOutputParameter"]
    assert wanted == {"outputParameterKey": "data", "producerTask": "look-up"}
    train = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-train"]
    assert train["secretAsEnv"][0]["secretName"] == "s3"
    assert train["nodeSelector"] == {"labels": {"pool": "gpu"}}


def test_a_folder_of_the_pod_is_no_bucket(config: Config, tmp_path: Path) -> None:
    local = config.model_copy(update={"push": config.push.model_copy(update={"bucket": "bucket"})})
    with pytest.raises(
        ConfigError, match=r"push.bucket: bucket is a folder, which would be lost with its pod"
    ):
        compile_package(local, tmp_path / "package.yaml")


def test_workers_elsewhere_could_not_see_a_pods_files(tmp_path: Path) -> None:
    overrides = ["beam={runner: flink, options: {flink: {job_endpoint: 'flink:8099'}}}"]
    config = load_config(REPOSITORY / GOLDEN / "config.yaml", overrides)
    with pytest.raises(ConfigError, match=r"beam.runner is flink.*--set beam.runner=direct"):
        compile_package(config, tmp_path / "package.yaml")


def test_a_package_has_a_name_that_kfp_knows(config: Config, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pipeline.json: a package's name must end in \.yaml"):
        compile_package(config, tmp_path / "pipeline.json")


@pytest.mark.run
def test_a_user_compiles_it_and_is_told_what_is_next(tmp_path: Path) -> None:
    package = tmp_path / "deep" / "pipeline.yaml"
    program = [sys.executable, "-m", "pipeline.cli", "kubeflow", "compile"]
    done = subprocess.run(
        [*program, "--config", str(GOLDEN / "config.yaml"), "-o", str(package)],
        cwd=REPOSITORY,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Prepare data: Ingest, StatisticsGen" in done.stdout
    assert re.search(rf"wrote {package}; upload it, or: \S*slipway kubeflow submit -c ", done.stdout)
    assert package.is_file()
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("slot", "path"),
    [
        ({"uri": "minio://mlpipeline/v2/a"}, "/minio/mlpipeline/v2/a"),
        ({"uri": "s3://bucket/a"}, "/s3/bucket/a"),
        ({"uri": "gs://bucket/a"}, "/gcs/bucket/a"),
        ({"uri": "s3://bucket/a", "customPath": "/elsewhere/a"}, "/elsewhere/a"),
    ],
)
def test_where_the_launcher_mirrors_an_artifact(slot: dict[str, str], path: str) -> None:
    assert entry_point.local_path(slot) == path
