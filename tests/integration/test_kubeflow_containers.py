"""The whole package in containers of the pipeline's image, by our stand-in and by kfp's own local runner.

`make test-containers` builds the image and runs these. `SLIPWAY_CONTAINER_ENGINE` is podman or docker.
"""

import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp import components
from kfp import local as kfp_local

from pipeline.config import Config, load_config
from pipeline.kubeflow.package import CONFIG_VARIABLE, compile_package
from serving.version import version
from tests.conftest import REPOSITORY
from tests.integration.kfp_launcher import Container, Task, run_package
from tests.serving.process import start

ENGINE = os.environ.get("SLIPWAY_CONTAINER_ENGINE") or ("podman" if shutil.which("podman") else "docker")
IMAGE = os.environ.get("SLIPWAY_IMAGE", "")
FLAGS = shlex.split(os.environ.get("SLIPWAY_CONTAINER_FLAGS", ""))
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not shutil.which(ENGINE), reason=f"there is no {ENGINE}"),
    pytest.mark.skipif(not IMAGE, reason="no image: make test-containers builds one and sets SLIPWAY_IMAGE"),
]
USER = "65532:0"


def _engine(*arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [ENGINE, *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert not check or done.returncode == 0, done.stderr
    return done


@dataclass(frozen=True)
class Machine:
    """A folder in which steps run as containers: without network, without capabilities, as a numeric user."""

    path: Path

    @property
    def work(self) -> Path:
        return self.path / "work"

    def execute(self, container: Container) -> tuple[int, str]:
        volumes = [(self.work, place) for place in container.claims] + [(container.store, "/minio")]
        # Not removed by the engine: its exit code is asked for afterwards.
        created = _engine(
            "create",
            "--network=none",
            "--cap-drop=all",
            "--security-opt=no-new-privileges",
            *(f"--volume={folder}:{place}" for folder, place in volumes),
            *(f"--env={name}={value}" for name, value in container.env.items()),
            *FLAGS,
            f"--entrypoint={container.command[0]}",
            container.image,
            *container.command[1:],
        )
        name = created.stdout.strip()
        try:
            started = _engine("start", "--attach", name, check=False)
            state = json.loads(_engine("inspect", "--format={{json .State}}", name).stdout)
            return int(state["ExitCode"]), started.stdout + started.stderr
        finally:
            _engine("rm", "--force", name)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Folders that the image's user may write to."""
    path = tmp_path_factory.mktemp("containers").resolve()
    machine = Machine(path)
    for folder in (machine.work, path / "store"):
        folder.mkdir()
        folder.chmod(0o777)
    for parent in (path, *path.parents[:2]):
        parent.chmod(parent.stat().st_mode | 0o711)
    before = os.umask(0)
    yield machine
    os.umask(before)


@pytest.fixture(scope="module")
def config() -> Config:
    overrides = [
        "push.bucket=/data/bucket",
        "kubeflow.volumes={models: /data}",
        f"kubeflow.image={IMAGE}",
        "train.epochs=6",
        "evaluate.thresholds=[{metric: accuracy, lower_bound: 0.7}]",
    ]
    return load_config(REPOSITORY / "configs" / "digits.yaml", overrides)


def _answer(bucket: Path) -> list[float]:
    """Serve the released model, and ask it."""
    with start("--model_name=digits", f"--model_base_path={bucket / 'digits'}") as server:
        metadata = server.get("/v1/models/digits/metadata").json()["metadata"]["signature_def"][
            "signature_def"
        ]
        assert "serving_default" in metadata
        shape = [
            int(dim["size"])
            for dim in metadata["serving_default"]["inputs"]["image"]["tensor_shape"].get("dim", [])
        ]
        assert shape in ([], [-1])
        image = {"b64": _png()}
        answer = server.post("/v1/models/digits:predict", {"instances": [{"image": image}]}).json()
    (prediction,) = answer["predictions"]
    return list(prediction["probabilities"] if isinstance(prediction, dict) else prediction)


def _png() -> str:
    import base64
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.new("L", (8, 8), 128).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def test_the_image_is_not_root_and_has_no_compiler() -> None:
    (config,) = json.loads(_engine("image", "inspect", IMAGE).stdout)
    assert config["Config"]["User"] == "65532"
    labels = config["Config"]["Labels"]
    commit = labels["org.opencontainers.image.revision"]
    assert len(commit.removesuffix("-dirty")) == 40
    assert f"SLIPWAY_COMMIT={commit}" in config["Config"]["Env"]
    assert labels["org.opencontainers.image.version"] == version()
    found = _engine(
        "run",
        "--rm",
        "--network=none",
        *FLAGS,
        "--entrypoint=sh",
        IMAGE,
        "-c",
        "which gcc g++ cc make; id -u",
    )
    assert found.stdout.split() == ["65532"]


@pytest.fixture(scope="module")
def tasks(machine: Machine, config: Config) -> dict[str, Task]:
    package = machine.path / "pipeline.yaml"
    compile_package(config, package)
    return run_package(package, machine.path / "store", machine.execute)


def test_the_whole_graph_runs_to_a_version_that_serves(tasks: dict[str, Task], machine: Machine) -> None:
    states = {name: (task.state, task.code) for name, task in tasks.items()}
    assert set(states.values()) == {("SUCCEEDED", 0)}, "\n".join(task.log[-2000:] for task in tasks.values())
    assert len(states) == 6
    assert tasks["release"].artifacts["metrics"]["metadata"]["released_version"] == 1
    assert sum(_answer(machine.work / "bucket")) == pytest.approx(1.0, abs=0.01)


def test_a_step_that_ends_otherwise_than_well_fails_the_run(
    tasks: dict[str, Task], machine: Machine, config: Config
) -> None:
    package = machine.path / "refused.yaml"
    compile_package(config, package)
    unreachable = [{"metric": "accuracy", "lower_bound": 0.9999}]
    ended = run_package(
        package, machine.path / "store", machine.execute, {"thresholds": unreachable, "epochs": 1}
    )
    assert (ended["evaluate"].state, ended["evaluate"].code) == ("FAILED", 3)
    assert ended["release"].state == "NOT_TRIGGERED"
    assert sorted(path.name for path in (machine.work / "bucket" / "digits").iterdir()) == [".slipway", "1"]


@pytest.fixture
def docker_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Docker's API, which podman serves too."""
    if ENGINE != "podman":
        yield
        return
    address = f"unix://{tmp_path}/podman.sock"
    service = subprocess.Popen(["podman", "system", "service", "--time=0", address])
    monkeypatch.setenv("DOCKER_HOST", address)
    try:
        for _ in range(100):
            if (tmp_path / "podman.sock").exists():
                break
            time.sleep(0.1)
        yield
    finally:
        service.terminate()
        service.wait(20)


def test_kfps_own_local_runner_runs_it(
    docker_host: None, machine: Machine, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What kfp.local leaves out is done here: environment, image by parameter, command in place of ENTRYPOINT."""
    root = machine.path / "local"
    root.mkdir()
    bucket = root / "bucket"
    local_config = config.model_copy(update={"push": config.push.model_copy(update={"bucket": str(bucket)})})
    package = machine.path / "local.yaml"
    compile_package(local_config, package)
    text = package.read_text()
    spec = next(yaml.safe_load_all(text))
    (own,) = {
        variable["value"]
        for executor in spec["deploymentSpec"]["executors"].values()
        for variable in executor["container"]["env"]
        if variable["name"] == CONFIG_VARIABLE
    }
    package.write_text(_with_image(text))
    kfp_local.init(
        kfp_local.DockerRunner(
            environment={CONFIG_VARIABLE: own}, entrypoint="env", user=USER, network_mode="none"
        ),
        pipeline_root=str(root),
    )
    components.load_component_from_file(str(package))()
    assert (bucket / "digits" / "1" / "assets.extra" / "release.json").is_file(), (
        "an auto-removed container's status may be lost"
    )
    assert sum(_answer(bucket)) == pytest.approx(1.0, abs=0.01)


def _with_image(text: str) -> str:
    documents: list[Any] = list(yaml.safe_load_all(text))
    for executor in documents[0]["deploymentSpec"]["executors"].values():
        executor["container"]["image"] = IMAGE
    return yaml.safe_dump_all(documents)
