"""What every test shares: the environment, and pipeline runs as a user starts them."""

import logging
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

REPOSITORY = Path(__file__).resolve().parent.parent


#: Names of modules of ours and Python's, which scripts in a user's folder have too. No command may run those.
USERS_OWN = ("pipeline", "components", "serving", "data", "test", "types")


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    output: str


@dataclass(frozen=True)
class Workspace:
    """A folder of its own for samples, artifacts, runs and bucket, and the commands run in it."""

    path: Path

    @property
    def bucket(self) -> Path:
        return self.path / "bucket"

    def run_command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(REPOSITORY / "run_local.py"), *arguments]

    def run(self, config: str | Path, *overrides: str, env: dict[str, str] | None = None) -> Done:
        """`python run_local.py --config … --set …`"""
        sets = [part for override in overrides for part in ("--set", override)]
        return self.command([*self.run_command("--config", str(config)), *sets], env)

    def slipway(self, *arguments: str) -> Done:
        return self.command([str(Path(sys.executable).parent / "slipway"), *arguments])

    def command(self, command: list[str], env: dict[str, str] | None = None) -> Done:
        done = subprocess.run(
            command,
            cwd=self.path,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        return Done(done.returncode, done.stdout)


@pytest.fixture(scope="session")
def new_workspace(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Workspace]:
    """Make workspaces that see the repository's configurations, and hold a user's own scripts by awkward names."""

    def make(name: str) -> Workspace:
        path = tmp_path_factory.mktemp(name)
        for stem in USERS_OWN:
            (path / f"{stem}.py").write_text(f'raise RuntimeError("{stem}.py of the user was run")\n')
        (path / "configs").symlink_to(REPOSITORY / "configs")
        return Workspace(path)

    return make


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """S3, as moto serves it on a free port; the environment points every client to it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def s3_url(s3_endpoint: str) -> str:
    """A folder in a bucket of its own."""
    name = f"models-{uuid.uuid4().hex[:12]}"
    boto3.client("s3", endpoint_url=s3_endpoint).create_bucket(Bucket=name)
    return f"s3://{name}/released"
