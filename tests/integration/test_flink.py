"""The digits on a real Flink: in the job server, and on a cluster of two JVMs with a pool of workers."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest

from pipeline.flink.class_path import FlinkError, fetch
from serving.client.local import free_port, free_ports
from tests.conftest import Workspace
from tests.integration.flink import artifacts

pytestmark = pytest.mark.run
MODEL = Path(__file__).parent / "flink" / "model.py"
OVERRIDES = (
    "preprocess={module: model.py, inputs: [image, stroke_weight]}",
    "model={module: model.py}",
    # All rows in one step, so that the model does not depend on their order, which Beam leaves open.
    "train={epochs: 20, batch_size: 2000, learning_rate: 0.01}",
    "evaluate.thresholds=[{metric: accuracy, lower_bound: 0.1, slices: [stroke_weight]}]",
    "optimize.enabled=false",
    "canary.enabled=false",
    "serve.examples=0",
)


def _run(workspace: Workspace, *overrides: str) -> Workspace:
    (workspace.path / "model.py").write_text(MODEL.read_text())
    done = workspace.run("configs/digits.yaml", *OVERRIDES, *overrides)
    assert done.code == 0, done.output
    return workspace


@contextmanager
def _flink(workspace: Workspace, *options: str) -> Iterator[str]:
    """`slipway flink up … down`; yields the job endpoint."""
    job, rest, rpc = free_ports(3)
    ports = (f"--job-port={job}", f"--rest-port={rest}", f"--rpc-port={rpc}")
    started = workspace.slipway("flink", "up", *ports, *options)
    assert started.code == 0, started.output
    try:
        yield f"localhost:{job}"
    finally:
        ended = workspace.slipway("flink", "down")
    assert ended.output.startswith("ended: job server"), ended.output


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _worker_pool(folder: Path) -> Iterator[str]:
    """Beam's own pool, as the sidecar of infra/kubernetes/flink runs it; yields where it listens."""
    port = free_port()
    folder.mkdir()
    command = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"]
    # The pool starts `python`: it must be that of the environment.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (folder / "log.txt").open("wb") as log:
        pool = subprocess.Popen(command, cwd=folder, env={**os.environ, "PATH": path}, stdout=log, stderr=log)
        try:
            deadline = monotonic() + 60
            while not _listens(port) and monotonic() < deadline:
                sleep(0.2)
            yield f"localhost:{port}"
        finally:
            pool.terminate()
            pool.wait(timeout=30)


@pytest.fixture(scope="module")
def _jars() -> None:
    try:
        fetch()
    except FlinkError as error:
        pytest.skip(f"no Flink here: {error}")


@pytest.fixture(scope="module")
def direct(new_workspace: Callable[[str], Workspace], _jars: None) -> Path:
    return _run(new_workspace("direct")).path


@pytest.fixture(scope="module")
def embedded(new_workspace: Callable[[str], Workspace], _jars: None) -> Path:
    workspace = new_workspace("embedded")
    with _flink(workspace) as endpoint:
        return _run(workspace, "beam.runner=flink", f"beam.options.flink.job_endpoint={endpoint}").path


@pytest.fixture(scope="module")
def standalone(new_workspace: Callable[[str], Workspace], _jars: None) -> Path:
    if "SLIPWAY_FLINK" not in os.environ:
        pytest.skip("the class path goes along with every job, 4 to 6 minutes in all: make test-flink")
    workspace = new_workspace("standalone")
    with _flink(workspace, "--standalone") as endpoint, _worker_pool(workspace.path / "pool") as pool:
        workers = f"environment_type: EXTERNAL, environment_config: '{pool}'"
        options = f"beam.options.flink={{job_endpoint: '{endpoint}', {workers}}}"
        return _run(workspace, "beam.runner=flink", options).path


@pytest.mark.parametrize("cluster", ["embedded", "standalone"])
def test_the_beam_stages_make_on_flink_what_they_make_in_process(
    request: pytest.FixtureRequest, direct: Path, cluster: str
) -> None:
    flink: Path = request.getfixturevalue(cluster)
    assert len(artifacts.examples(direct, "Ingest/examples/*")["Split-train"]) == 1275
    for stage in ("Ingest/examples/*", "Transform/transformed_examples/*"):
        assert artifacts.examples(flink, stage) == artifacts.examples(direct, stage), stage
    shards = list(flink.glob("artifacts/digits/Transform/transformed_examples/*/Split-train/*.gz"))
    assert len(shards) == 2, "one for each of flink up's partitions"
    assert artifacts.ingest_report(flink) == artifacts.ingest_report(direct)
    assert artifacts.statistics(flink) == artifacts.statistics(direct)
    assert len(artifacts.vocabulary(direct)) == 3
    assert sorted(artifacts.vocabulary(flink)) == sorted(artifacts.vocabulary(direct))
    assert artifacts.metrics(flink) == pytest.approx(artifacts.metrics(direct), rel=1e-4)
    assert (flink / "bucket" / "digits" / "1" / "saved_model.pb").is_file()


def test_workers_of_the_pool_did_the_work_and_were_sent_this_code(standalone: Path) -> None:
    assert list((standalone / "artifacts" / "digits" / "beam").glob("slipway-*.tar.gz"))
    assert "sdk_worker" in (standalone / "pool" / "log.txt").read_text()
