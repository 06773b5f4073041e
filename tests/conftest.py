"""What every test shares: the environment, and pipeline runs as a user starts them."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

REPOSITORY = Path(__file__).resolve().parent.parent


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

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(REPOSITORY / "run_local.py"), *arguments]

    def run(self, config: str | Path, *overrides: str, env: dict[str, str] | None = None) -> Done:
        """`python run_local.py --config … --set …`"""
        sets = [part for override in overrides for part in ("--set", override)]
        return self._do([*self.command("--config", str(config)), *sets], env)

    def slipway(self, *arguments: str) -> Done:
        return self._do([str(Path(sys.executable).parent / "slipway"), *arguments])

    def _do(self, command: list[str], env: dict[str, str] | None = None) -> Done:
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
    """Make empty workspaces that see the repository's configurations."""

    def make(name: str) -> Workspace:
        path = tmp_path_factory.mktemp(name)
        (path / "configs").symlink_to(REPOSITORY / "configs")
        return Workspace(path)

    return make
