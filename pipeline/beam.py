"""Where the data stages run: one section of the configuration becomes the arguments of every Beam pipeline."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from components.config import Section
from serving.errors import UserError

Runner = Literal["direct", "flink", "dataflow", "spark"]
OptionValue = bool | int | float | str | list[str]

_SOURCES = Path(__file__).resolve().parent.parent
#: What an sdist is made of.
_PACKED = ("pipeline", "components", "data", "serving")
_PACKED_FILES = ("setup.py", "pyproject.toml", "README.md", "LICENSE")
#: If no image or package is named, TFX packs itself for every stage, 1.3 s each; in this process neither is used.
_NO_PACKAGE = "--sdk_container_image=none"
#: Options with which users choose what workers are sent.
_PACKAGES = {"extra_package", "extra_packages", "setup_file", "requirements_file"}
_BEAM_RUNNERS: dict[Runner, str] = {
    "direct": "FnApiRunner",  # DirectRunner would download a runner of another kind for every pipeline
    "flink": "pipeline.spreading_runner.SpreadingRunner",
    "spark": "pipeline.spreading_runner.SpreadingRunner",
    "dataflow": "DataflowRunner",
}
_REQUIRED: dict[Runner, dict[str, str]] = {
    "direct": {},
    "flink": {"job_endpoint": "host:port of Beam's job server; `slipway flink up` starts one here"},
    "spark": {"job_endpoint": "host:port of Beam's job server for Spark"},
    "dataflow": {
        "project": "the Google Cloud project",
        "region": "such as europe-west4",
        "temp_location": "a folder in a bucket, gs://…",
        "sdk_container_image": "an image with this environment: pip cannot resolve requirements/lock.txt on a worker",
    },
}


class RunnerError(UserError, RuntimeError):
    """The configured runner cannot be used; the message says why and what to do."""


class BeamConfig(Section):
    """Where Ingest, StatisticsGen, Transform and the gates' metrics run: in this process, or on a cluster."""

    runner: Runner = Field("direct", description="`slipway run --runner` overrides it")
    options: dict[Runner, dict[str, OptionValue]] = Field(
        {},
        description="Beam's pipeline options by runner, under Beam's names: `{flink: {job_endpoint: host:8099}}`; "
        "those of other runners are ignored. true sets a flag; false leaves it out",
    )
    args: tuple[str, ...] = Field((), description="more arguments for any runner, as Beam takes them")

    @model_validator(mode="after")
    def _complete(self) -> "BeamConfig":
        given = self.options.get(self.runner, {})
        given_raw = {arg.lstrip("-").partition("=")[0] for arg in self.args}
        missing = {
            k: why for k, why in _REQUIRED[self.runner].items() if not given.get(k) and k not in given_raw
        }
        if missing:
            raise ValueError(
                f"the runner {self.runner} needs "
                + ", ".join(f"options.{self.runner}.{name} ({why})" for name, why in missing.items())
            )
        for name in [name for options in self.options.values() for name in options]:
            if not name.isidentifier():
                raise ValueError(
                    f"options: {name!r} is not an option's name; write job_endpoint, not --job-endpoint"
                )
        return self


def pipeline_args(config: BeamConfig, folder: Path) -> list[str]:
    """Return the arguments that TFX passes to every Beam pipeline.

    Args:
        config: the `beam:` section.
        folder: where the package for remote workers is built, if there are any.

    Raises:
        RunnerError: the package cannot be built.
    """
    options: dict[str, OptionValue] = dict(config.options.get(config.runner, {}))
    if config.runner in ("flink", "spark"):
        options.setdefault("environment_type", "LOOPBACK")
    # TFDV violates Beam's type hints (statistics of a label raise), and checking them takes seconds.
    args = [f"--runner={_BEAM_RUNNERS[config.runner]}", "--no_pipeline_type_check"]
    for name, value in options.items():
        if isinstance(value, bool):
            args += [f"--{name}"] if value else []
        else:
            args += [f"--{name}={item}" for item in (value if isinstance(value, list) else [value])]
    args += config.args
    named = {arg.lstrip("-").partition("=")[0] for arg in args}
    if ships_package(config) and not named & _PACKAGES:
        args.append(f"--extra_package={build_package(folder)}")
    elif not named & (_PACKAGES | {"sdk_container_image"}):
        args.append(_NO_PACKAGE)
    return args


def batch_by_bytes() -> None:
    """Let batches of examples have 20 MiB rather than a number of examples that Beam feels its way to, from 1 on.

    Statistics of a batch cost as much as it has columns, whether it has one example or a thousand: of a wide table,
    small batches take minutes.
    """
    import tfx_bsl.coders.batch_util  # noqa: F401  # defines the flag
    from absl import flags

    flags.FLAGS.set_default("tfxio_use_byte_size_batching", True)


def ships_package(config: BeamConfig) -> bool:
    """Tell whether workers run elsewhere and must be sent this code."""
    if config.runner == "direct":
        return False
    environment = config.options.get(config.runner, {}).get("environment_type", "LOOPBACK")
    return config.runner == "dataflow" or environment != "LOOPBACK"


def build_package(folder: Path) -> str:
    """Build the sdist that Beam ships to workers; returns its path.

    It is built once for all stages, and has no requirements: the workers' environment already holds them.

    Raises:
        RunnerError: Slipway does not run from its sources.
    """
    for name in _PACKED_FILES:
        if not (_SOURCES / name).exists():
            raise RunnerError(f"{_SOURCES} has no {name} to pack for Beam's workers: run from a clone")
    scratch = folder / "sources"
    # Built from a copy: setuptools writes beside what it packs, and the sources may be read-only.
    for package in _PACKED:
        shutil.copytree(
            _SOURCES / package,
            scratch / package,
            ignore=shutil.ignore_patterns("__pycache__"),
            dirs_exist_ok=True,
        )
    for name in _PACKED_FILES:
        shutil.copyfile(_SOURCES / name, scratch / name)
    command = [sys.executable, "setup.py", "-q", "sdist", "--dist-dir", str(folder.absolute())]
    done = subprocess.run(
        command, cwd=scratch, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    shutil.rmtree(scratch)
    found = list(folder.glob("slipway-*.tar.gz"))
    if done.returncode or len(found) != 1:
        raise RunnerError(f"setup.py sdist failed: {done.stderr.strip()[-500:]}")
    return str(found[0].absolute())


def check(config: BeamConfig) -> None:
    """Check that the job server answers, before anything runs.

    Raises:
        RunnerError: it does not.
    """
    endpoint = config.options.get(config.runner, {}).get("job_endpoint")
    if endpoint is None:
        return
    host, _, port = str(endpoint).rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=5):
            return
    except (OSError, ValueError) as error:
        advice = "; slipway flink up starts one here" if config.runner == "flink" else ""
        raise RunnerError(
            f"beam.options.{config.runner}.job_endpoint: {endpoint} does not answer ({error}){advice}"
        ) from error
