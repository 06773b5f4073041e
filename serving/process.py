"""Runs our own Python modules as separate processes."""

import os
import sys
from pathlib import Path

_SOURCES = Path(__file__).resolve().parent.parent


def python_module(module: str, *arguments: str) -> list[str]:
    """Return the command that runs one of our modules with this Python; run it in `environment()`.

    `-P` keeps Python from putting the working directory first on the path: a user's `pipeline.py` or `data.py` there
    would be imported instead of ours.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment, changed so that a child imports our modules from the same place."""
    paths = [str(_SOURCES), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), **more}
