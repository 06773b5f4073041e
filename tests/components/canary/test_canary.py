"""The canary on a good model, and on everything that must fail it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from components.canary.config import CanaryConfig
from components.canary.gate import Golden, difference, run_canary
from serving.messages.warmup_file import predict_request, write_requests
from serving.release.digest import file_digests, model_digest
from serving.release.record import WARMUP_FILE
from tests.serving.tf_models import write_half_plus

QUICK = CanaryConfig(loop_seconds=0.3, startup_seconds=60)
X = np.arange(8, dtype=np.float32)
GOLDEN = Golden({"x": X}, {"y": X / 2 + 2})


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_half_plus(tmp_path_factory.mktemp("canary") / "model")


def test_a_good_model_passes(model_dir: Path) -> None:
    write_requests(model_dir / WARMUP_FILE, [predict_request("m", {"x": X})])
    verdict = run_canary(model_dir, GOLDEN, QUICK)
    assert verdict.passed, verdict
    assert verdict.digest == model_digest(file_digests(model_dir))
    metrics = {check.metric for check in verdict.checks}
    assert {"startup seconds", "warm-up requests", "REST p99 ms", "gRPC p50 ms"} <= metrics
    assert "REST difference of 'y'" in metrics
    (model_dir / WARMUP_FILE).unlink()


def test_another_answer_fails(model_dir: Path) -> None:
    verdict = run_canary(model_dir, Golden({"x": X}, {"y": X / 2 + 2.1, "z": X}), QUICK)
    assert not verdict.passed
    failed = {check.metric for check in verdict.failures}
    assert failed == {f"{way} difference of '{name}'" for way in ("REST", "gRPC") for name in "yz"}
    assert any("ready" in note for note in verdict.notes), "the server's log is shown"


def test_blank_or_too_few_golden_requests_fail(model_dir: Path) -> None:
    none = run_canary(model_dir, Golden({}, {}, fault="no example has a value for 'x'"), QUICK)
    assert [check.sentence() for check in none.failures] == [
        "golden requests: no example has a value for 'x'"
    ]
    few = run_canary(model_dir, Golden({"x": X}, {"y": X / 2 + 2}, fault="8 of 64 are there"), QUICK)
    assert "8 of 64" in few.failures[0].sentence()


def test_answers_that_are_equal_and_not_numbers_fail(model_dir: Path) -> None:
    nan = X * np.float32("nan")
    verdict = run_canary(model_dir, Golden({"x": nan}, {"y": nan / 2 + 2}), QUICK)
    assert {check.metric for check in verdict.failures} == {
        f"{way} difference of 'y'" for way in ("REST", "gRPC")
    }
    assert "NaN" in verdict.failures[0].sentence()


def test_a_tight_budget_fails(model_dir: Path) -> None:
    tight = QUICK.model_copy(update={"p50_ms": 1e-6})
    verdict = run_canary(model_dir, GOLDEN, tight)
    assert {check.metric for check in verdict.failures} == {"REST p50 ms", "gRPC p50 ms"}


def test_a_model_that_does_not_load_fails(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"no graph")
    verdict = run_canary(tmp_path / "model", GOLDEN, QUICK)
    assert [check.metric for check in verdict.failures] == ["startup"]
    assert "exit code 255" in verdict.failures[0].message
    assert any("Failed to start server" in note for note in verdict.notes)


def test_a_bad_warm_up_request_fails(model_dir: Path) -> None:
    write_requests(model_dir / WARMUP_FILE, [predict_request("m", {"wrong": X})])
    verdict = run_canary(model_dir, GOLDEN, QUICK)
    (model_dir / WARMUP_FILE).unlink()
    assert [check.metric for check in verdict.failures] == ["startup"]
    assert any("warm-up failed" in note for note in verdict.notes)


@pytest.mark.parametrize(
    ("script", "said"),
    [("import time; time.sleep(60)", "not available after 2 s"), ("raise SystemExit(3)", "exit code 3")],
)
def test_a_server_that_hangs_or_crashes_fails(tmp_path: Path, script: str, said: str) -> None:
    binary = tmp_path / "server"
    binary.write_text(f"#!{sys.executable}\n{script}\n")
    binary.chmod(0o755)
    model = tmp_path / "model"
    model.mkdir()
    config = QUICK.model_copy(update={"server": "binary", "binary": str(binary), "startup_seconds": 2.0})
    verdict = run_canary(model, GOLDEN, config)
    assert not verdict.passed
    assert said in verdict.failures[0].message


def test_a_binary_that_is_not_there_fails(tmp_path: Path) -> None:
    config = QUICK.model_copy(update={"server": "binary", "binary": str(tmp_path / "none")})
    verdict = run_canary(tmp_path, GOLDEN, config)
    assert "cannot run" in verdict.failures[0].message


def test_a_container_needs_an_image() -> None:
    with pytest.raises(ValueError, match=r"canary\.image is empty"):
        CanaryConfig(server="container")


@pytest.mark.parametrize(
    ("got", "expected", "far"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([110.0], [100.0], 0.1),
        ([0.25], [0.0], 0.25),
        ([float("nan")], [float("nan")], float("inf")),
        ([float("nan")], [1.0], float("inf")),
        ([float("inf")], [float("inf")], 0.0),
        ([1, 2, 3, 4], [1, 2, 3, 5], 0.25),
        ([], [], 0.0),
    ],
)
def test_difference(got: list[float], expected: list[float], far: float) -> None:
    assert difference(np.array(got), np.array(expected)) == pytest.approx(far)


ENGINE = os.environ.get("SLIPWAY_CONTAINER_ENGINE", "podman")
IMAGE = os.environ.get("SLIPWAY_SERVING_IMAGE", "localhost/slipway-serving:latest")


@pytest.fixture
def image() -> str:
    """Our own server's image, where there is an engine that can run it."""
    if shutil.which(ENGINE) is None:
        pytest.skip(f"there is no {ENGINE} (SLIPWAY_CONTAINER_ENGINE)")
    tried = subprocess.run(
        [ENGINE, "run", "--rm", IMAGE, "--version"], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        said = (tried.stderr.strip().splitlines() or ["no reason given"])[-1]
        pytest.skip(f"{ENGINE} cannot run {IMAGE} (infra/docker/serving.Dockerfile makes it): {said}")
    return IMAGE


@pytest.mark.server
def test_a_container(model_dir: Path, image: str) -> None:
    config = QUICK.model_copy(update={"server": "container", "engine": ENGINE, "image": image})
    verdict = run_canary(model_dir, GOLDEN, config)
    assert verdict.passed, verdict
    wrong = run_canary(model_dir, Golden({"x": X}, {"y": X}), config)
    assert any("difference" in check.metric for check in wrong.failures)
    running = subprocess.run(
        [ENGINE, "ps", "--format={{.Names}}"], capture_output=True, text=True, check=True
    )
    assert "slipway-canary" not in running.stdout, "none is left behind"


@pytest.mark.server
def test_a_container_that_does_not_load_the_model(tmp_path: Path, image: str) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"no graph")
    config = QUICK.model_copy(update={"server": "container", "engine": ENGINE, "image": image})
    verdict = run_canary(tmp_path / "model", GOLDEN, config)
    assert [check.metric for check in verdict.failures] == ["startup"]
    assert "exit code 255" in verdict.failures[0].message
