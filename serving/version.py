"""What is running: Slipway's version and the commit it was made from."""

import os
import subprocess
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

_SOURCES = Path(__file__).resolve().parent.parent


@cache
def version() -> str:
    """The version, which pyproject.toml alone says.

    Beside the sources it is read from there: an editable installation's own record may be older than they are.
    """
    try:
        with (_SOURCES / "pyproject.toml").open("rb") as file:
            project = tomllib.load(file).get("project", {})
    except OSError:
        project = {}
    if project.get("name") == "slipway":
        return str(project["version"])
    try:
        return metadata.version("slipway")
    except metadata.PackageNotFoundError:
        return "unknown"


@cache
def commit() -> str:
    """The git commit, with `-dirty` where tracked files differ from it; empty where nothing tells.

    Images are made without the repository's history, and say it in SLIPWAY_COMMIT.
    """
    if given := os.environ.get("SLIPWAY_COMMIT"):
        return given
    if not (_SOURCES / ".git").exists():
        return ""
    # --exclude '*' leaves tags out, so that the commit's own hash is what is described. Nothing is locked or written:
    # a git of the user's may be at work in the same folder.
    command = ["git", "--no-optional-locks", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=_SOURCES, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
