"""Slipway's version, and the commit that it was built from."""

import os
import subprocess
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

_SOURCES = Path(__file__).resolve().parent.parent


@cache
def version() -> str:
    """Return the version; pyproject.toml is its only source.

    In a checkout it is read from that file: the metadata of an editable installation may be older.
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
    """Return the git commit, with `-dirty` if tracked files differ from it; empty if unknown.

    Images are built without the repository's history, and set SLIPWAY_COMMIT instead.
    """
    if given := os.environ.get("SLIPWAY_COMMIT"):
        return given
    if not (_SOURCES / ".git").exists():
        return ""
    # --exclude=* ignores tags, so that the output is the commit's hash. Nothing is locked or written: the user may be
    # running git in the same folder.
    command = ["git", "--no-optional-locks", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=_SOURCES, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
