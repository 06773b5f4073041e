"""The `beam:` section: what reaches Beam, what workers are sent, and what is refused."""

import socket
import tarfile
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from pipeline.beam import BeamConfig, RunnerError, check, pipeline_args
from pipeline.config import ConfigError, load_config, parse_config
from serving.client.local import free_port
from tests.conftest import REPOSITORY, Workspace

FLINK: dict[str, Any] = {"runner": "flink", "options": {"flink": {"job_endpoint": "host:8099"}}}


def _config(**section: Any) -> BeamConfig:
    return BeamConfig.model_validate(section)


def _with(**options: Any) -> BeamConfig:
    return _config(runner="flink", options={"flink": {"job_endpoint": "host:8099", **options}})


def test_the_default_runs_in_this_process_and_fetches_no_runner(tmp_path: Path) -> None:
    args = pipeline_args(BeamConfig(), tmp_path)
    assert args[0] == "--runner=FnApiRunner"
    assert not any("job_endpoint" in arg or "environment_type" in arg for arg in args)
    assert not list(tmp_path.iterdir())


def test_the_options_of_the_chosen_runner_reach_beam_and_those_of_others_do_not(tmp_path: Path) -> None:
    options = {
        "flink": {"job_endpoint": "host:8099", "parallelism": 4, "fasterCopy": True, "streaming": False},
        "spark": {"job_endpoint": "spark:8099"},
    }
    config = _config(runner="flink", options=options, args=["--experiments=one"])
    args = pipeline_args(config, tmp_path)
    assert args[0] == "--runner=pipeline.spreading_runner.SpreadingRunner"
    assert {"--job_endpoint=host:8099", "--parallelism=4", "--fasterCopy", "--experiments=one"} <= set(args)
    assert "--environment_type=LOOPBACK" in args
    assert not any("spark" in arg or "streaming" in arg for arg in args)


def test_an_option_with_several_values_is_given_several_times(tmp_path: Path) -> None:
    args = pipeline_args(_with(experiments=["one", "two"]), tmp_path)
    assert [arg for arg in args if "experiments" in arg] == ["--experiments=one", "--experiments=two"]


def test_workers_elsewhere_are_sent_this_code_once_for_all_stages(tmp_path: Path) -> None:
    args = pipeline_args(_with(environment_type="EXTERNAL", environment_config="host:50000"), tmp_path)
    (package,) = [arg.partition("=")[2] for arg in args if arg.startswith("--extra_package")]
    with tarfile.open(package) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "setup.py",
        "pyproject.toml",
        "components/ingest/write.py",
        "components/evaluate/metrics.py",
    } <= names
    assert "serving/messages/descriptors.binpb" in names
    assert [path.name for path in tmp_path.iterdir()] == [Path(package).name]
    assert pipeline_args(_with(environment_type="EXTERNAL"), tmp_path)[-1].endswith(package)


@pytest.mark.parametrize("option", ["extra_package", "setup_file", "requirements_file"])
def test_what_the_user_sends_workers_is_left_alone(tmp_path: Path, option: str) -> None:
    args = pipeline_args(_with(environment_type="EXTERNAL", **{option: "mine"}), tmp_path)
    assert f"--{option}=mine" in args
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"runner": "flink"}, "the runner flink needs options.flink.job_endpoint (host:port"),
        ({"runner": "spark", "options": FLINK["options"]}, "needs options.spark.job_endpoint"),
        (
            {"runner": "dataflow"},
            "options.dataflow.project (the Google Cloud project), options.dataflow.region",
        ),
        ({"options": {"flink": {"--job-endpoint": "x"}}}, "write job_endpoint, not --job-endpoint"),
        ({"runner": "beam"}, "'direct', 'flink', 'dataflow' or 'spark'"),
        ({"options": {"storm": {}}}, "'direct', 'flink', 'dataflow' or 'spark'"),
    ],
)
def test_what_a_runner_needs_is_asked_for_by_name(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as error:
        BeamConfig.model_validate(section)
    assert said in str(error.value)


def test_an_endpoint_among_the_plain_arguments_counts(tmp_path: Path) -> None:
    args = pipeline_args(_config(runner="flink", args=["--job_endpoint=host:1"]), tmp_path)
    assert "--job_endpoint=host:1" in args


def test_the_old_key_is_refused_with_the_new_one_named() -> None:
    raw = yaml.safe_load((REPOSITORY / "configs" / "digits.yaml").read_text())
    with pytest.raises(ConfigError, match=r"c\.yaml: beam_pipeline_args: unknown key"):
        parse_config({**raw, "beam_pipeline_args": []}, "c.yaml")


def test_a_job_server_that_does_not_answer_ends_the_run_before_it_begins(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    endpoint = f"localhost:{free_port()}"
    text = (REPOSITORY / "configs" / "digits.yaml").read_text()
    (tmp_path / "c.yaml").write_text(text)
    asked = ("--set", f"beam.options.flink.job_endpoint={endpoint}")
    done = workspace.slipway("run", "-c", "c.yaml", "--runner", "flink", *asked)
    assert done.code == 2, done.output
    assert f"beam.options.flink.job_endpoint: {endpoint} does not answer" in done.output
    assert "slipway flink up" in done.output
    assert not (tmp_path / "runs").exists()
    unknown = workspace.slipway("run", "-c", "c.yaml", "--runner", "flint")
    assert unknown.code == 2
    assert "beam.runner" in unknown.output
    assert "Traceback" not in done.output + unknown.output


def _answer_once(server: socket.socket) -> None:
    server.accept()[0].close()
    server.close()


@pytest.mark.run
def test_a_job_server_that_is_lost_during_the_run_is_named(tmp_path: Path) -> None:
    text = (REPOSITORY / "configs" / "digits.yaml").read_text()
    (tmp_path / "c.yaml").write_text(text)
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"127.0.0.1:{server.getsockname()[1]}"
        Thread(target=_answer_once, args=(server,)).start()
        options = f"beam.options.flink={{job_endpoint: '{endpoint}', job_server_timeout: 3}}"
        done = Workspace(tmp_path).run("c.yaml", "beam.runner=flink", options)
    assert done.code == 1, done.output
    lost = f"Ingest: the Beam runner was lost: beam.options.flink.job_endpoint: {endpoint} does not answer"
    assert lost in " ".join(done.output.split())


def test_a_job_server_that_answers_is_left_to_beam() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"127.0.0.1:{server.getsockname()[1]}"
        check(_config(runner="flink", options={"flink": {"job_endpoint": endpoint}}))
    with pytest.raises(RunnerError, match=r"beam\.options\.spark\.job_endpoint: nonsense does not answer"):
        check(_config(runner="spark", options={"spark": {"job_endpoint": "nonsense"}}))


def test_every_beam_stage_gets_the_runner_ours_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tfx.dsl.compiler import compiler
    from tfx.orchestration.local import runner_utils

    from pipeline.graph import make_pipeline

    monkeypatch.chdir(tmp_path)
    config = load_config(
        REPOSITORY / "configs" / "digits.yaml",
        ["beam.runner=flink", "beam.options.flink={job_endpoint: 'host:8099', parallelism: 3}"],
    )
    compiled = compiler.Compiler().compile(make_pipeline(config))
    deployment = runner_utils.extract_local_deployment_config(compiled)
    flags = {
        name: set(spec.beam_executable_spec.beam_pipeline_args)
        for name, spec in deployment.executor_specs.items()
        if spec.HasField("beam_executable_spec")
    }
    assert flags.keys() == {"Ingest", "StatisticsGen", "Transform", "Evaluator", "Optimizer"}
    for given in flags.values():
        assert {
            "--runner=pipeline.spreading_runner.SpreadingRunner",
            "--job_endpoint=host:8099",
            "--parallelism=3",
        } <= given
