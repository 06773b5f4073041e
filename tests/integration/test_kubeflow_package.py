"""The compiled package, run step by step in processes of their own by a stand-in for KFP's backend."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.config import Config, load_config
from pipeline.kubeflow.package import compile_package
from tests.conftest import REPOSITORY
from tests.integration.kfp_launcher import Container, Task, run_package, without_network

pytestmark = pytest.mark.run
FIRST = {"look-up", "prepare-data", "train", "evaluate", "optimize"}
CONFIG = ("push.bucket=bucket", "kubeflow.volumes={work: /work}", "train.epochs=2")
EPOCHS = 5
UNREACHABLE = [{"metric": "accuracy", "lower_bound": 0.9999}]


@dataclass(frozen=True)
class Machine:
    """A folder in which steps run as processes, without network."""

    path: Path

    def start(self, container: Container) -> "subprocess.Popen[str]":
        python, *rest = container.command
        assert python == "python"
        return subprocess.Popen(
            without_network([sys.executable, *rest]),
            cwd=self.path,
            env={**os.environ, **container.env, "PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def execute(self, container: Container) -> tuple[int, str]:
        with self.start(container) as process:
            output, _ = process.communicate(timeout=600)
        return process.returncode, output

    def execute_twice(self, container: Container) -> tuple[int, str]:
        """As the backend does with a step that may be retried: training is killed in its third epoch."""
        if "Train" in container.command:
            with self.start(container) as process:
                assert process.stdout is not None
                next(line for line in process.stdout if line.startswith("Trainer: epoch 3 of"))
                process.kill()
        return self.execute(container)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("kubeflow"))


@pytest.fixture(scope="module")
def config(machine: Machine) -> Config:
    kept = f"checkpoints={machine.path / 'checkpoints'}"
    return load_config(REPOSITORY / "configs" / "digits.yaml", [*CONFIG, kept])


@pytest.fixture(scope="module")
def tasks(machine: Machine, config: Config) -> dict[str, Task]:
    package = machine.path / "pipeline.yaml"
    compile_package(config, package)
    arguments = {"epochs": EPOCHS, "thresholds": UNREACHABLE}
    return run_package(
        package, machine.path / "store", machine.execute_twice, arguments, FIRST, in_container=False
    )


def test_the_first_steps_run_and_hand_on_what_tfx_needs(tasks: dict[str, Task]) -> None:
    done = {name for name, task in tasks.items() if task.state == "SUCCEEDED"}
    assert done == {"look-up", "prepare-data", "train"}, [task.log for task in tasks.values()]
    looked = tasks["look-up"].parameters
    assert len(looked["data"]) == 64
    assert looked["latest_release"] == ""
    examples = tasks["prepare-data"].artifacts["ingest_examples"]["metadata"]["tfx_artifact"]
    assert '\\"train\\", \\"eval\\", \\"test\\"' in examples
    assert looked["data"] in examples
    model = Path(tasks["train"].artifacts["trainer_model"]["customPath"])
    assert (model / "Format-Serving" / "saved_model.pb").is_file()


def test_a_runtime_parameter_reaches_the_stage(tasks: dict[str, Task]) -> None:
    assert f"epoch {EPOCHS} of {EPOCHS}" in tasks["train"].log


def test_a_retried_training_goes_on_where_checkpoints_are_kept(tasks: dict[str, Task]) -> None:
    epochs = re.findall(r"Trainer: epoch (\d+) of", tasks["train"].log)
    assert int(epochs[0]) in (3, 4)


def test_the_gates_verdict_is_a_page_and_numbers_in_the_ui(tasks: dict[str, Task]) -> None:
    prepared = tasks["prepare-data"].artifacts
    page = Path(prepared["why"]["customPath"]).read_text()
    assert "<html>" in page
    assert "The data" in page
    assert prepared["metrics"]["metadata"]["data_checks_failed"] == 0


def test_a_refusal_fails_the_step_stops_the_run_and_says_why(tasks: dict[str, Task]) -> None:
    refused = tasks["evaluate"]
    assert (refused.state, refused.code) == ("FAILED", 3)
    assert refused.log.strip().splitlines()[-1].startswith("Evaluator refused: accuracy is 0.")
    assert "REFUSED" in Path(refused.artifacts["why"]["customPath"]).read_text()
    assert tasks["optimize"].state == "NOT_TRIGGERED"


def test_an_image_with_other_code_is_refused(machine: Machine, config: Config) -> None:
    def other(container: Container) -> tuple[int, str]:
        command = [
            "0" * 16 if previous == "--key" else part
            for previous, part in zip(["", *container.command], container.command, strict=False)
        ]
        return machine.execute(
            Container(command, container.image, container.env, container.claims, container.store)
        )

    package = machine.path / "other.yaml"
    compile_package(config, package)
    tasks = run_package(
        package, machine.path / "store", other, only={"look-up", "prepare-data"}, in_container=False
    )
    assert tasks["prepare-data"].code == 1
    assert "this image holds other code" in tasks["prepare-data"].log.splitlines()[-1]
