"""What every test shares: the environment, and pipeline runs as a user starts them."""

import logging
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from xdist.scheduler import LoadScopeScheduling

from tests import warm

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# There are as many of xdist's workers as cores: threads of each would only wait for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
# xdist adds an empty entry, which stands for the working folder of every child process.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))

#: What every run is told first: shorter measurements.
_QUICK = ("optimize.measured_seconds=0.05", "canary.loop_seconds=0.2")
#: A run that takes longer hangs.
_SECONDS = 600

REPOSITORY = Path(__file__).resolve().parent.parent


#: Names of modules of ours and Python's, which scripts in a user's folder have too. No command may run those.
USERS_OWN = ("pipeline", "components", "serving", "data", "test", "types")


#: Folders whose files share what is dear to make.
SHARING = ("tests/components/optimize/",)
TIERS = ("cluster", "tables", "run", "server", "unit")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give every test its tier."""
    if not any(item.get_closest_marker(tier) for tier in TIERS):
        item.add_marker(pytest.mark.unit)


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands whole files to workers, so that the tests of a file share its runs and servers; some folders likewise."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((folder for folder in SHARING if file.startswith(folder)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByFile:
    """Replace xdist's own: its marks for groups do not work with this pytest."""
    return _ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long tests first: workers that share the suite then end together."""
    longest: dict[Path, int] = {}
    for item in items:
        longest[item.path] = min(_tier(item), longest.get(item.path, len(TIERS)))
    items.sort(key=lambda item: longest[item.path])


def _tier(item: pytest.Item) -> int:
    return min(TIERS.index(tier) for tier in TIERS if item.get_closest_marker(tier))


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
        """`python run_local.py --config … --set …`, with TensorFlow and TFX imported already."""
        return self.warm(REPOSITORY / "run_local.py", *self.arguments(config, *overrides), env=env)

    def run_cold(self, config: str | Path, *overrides: str) -> Done:
        """The same as a user starts it, from nothing."""
        return self.command(self.run_command(*self.arguments(config, *overrides)))

    def arguments(self, config: str | Path, *overrides: str) -> list[str]:
        sets = [part for override in (*_QUICK, *overrides) for part in ("--set", override)]
        return ["--config", str(config), *sets]

    def slipway(self, *arguments: str) -> Done:
        return self.command([str(Path(sys.executable).parent / "slipway"), *arguments])

    def warm(self, program: Path, *arguments: str, env: dict[str, str] | None = None) -> Done:
        """Run a program of ours that needs TensorFlow and TFX."""
        output = self.path / f".output-{uuid.uuid4().hex[:8]}"
        process = warm.start(program, arguments, self.path, {**os.environ, **(env or {})}, output)
        process.join(_SECONDS)
        if process.exitcode is None:
            process.kill()
            raise AssertionError(f"{program} did not end within {_SECONDS} s:\n{output.read_text()}")
        return Done(process.exitcode, output.read_text())

    def command(self, command: list[str], env: dict[str, str] | None = None) -> Done:
        done = subprocess.run(
            command,
            cwd=self.path,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
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
