"""The job server's class path: copied by Maven from `infra/flink/pom.xml` once, and kept for all clones."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from serving.errors import UserError

POM = Path(__file__).resolve().parent.parent.parent / "infra" / "flink" / "pom.xml"


class FlinkError(UserError, RuntimeError):
    """Flink cannot be started or found; the message says why and what to do."""


def missing() -> str | None:
    """Name what this machine lacks to start Flink; None if nothing."""
    if not shutil.which("java"):
        return "java was not found (Debian: apt install openjdk-17-jre-headless)"
    if not _folder().exists() and not shutil.which("mvn"):
        return "mvn was not found; it fetches the job server once (Debian: apt install maven)"
    return None


def fetch() -> Path:
    """Return the folder of the jars; the first time for a `pom.xml` Maven fetches them, about 150 MB.

    Raises:
        FlinkError: java or Maven is missing, or Maven fails.
    """
    if lacking := missing():
        raise FlinkError(lacking)
    folder = _folder()
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        jars = Path(scratch) / "jars"
        command = [
            "mvn",
            "-B",
            "-q",
            "-f",
            str(POM),
            "dependency:copy-dependencies",
            f"-DoutputDirectory={jars}",
        ]
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
        if done.returncode:
            raise FlinkError(f"{' '.join(command)} failed:\n{done.stdout.strip()[-2000:]}")
        # Renamed when complete, so that nobody finds half of it; the first of several processes wins.
        if not folder.exists():
            jars.rename(folder)
    return folder


def _folder() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "slipway" / "flink" / hashlib.sha256(POM.read_bytes()).hexdigest()[:16]
