"""Python programs of ours as processes of their own."""

import os
import sys
from pathlib import Path

_SOURCES = Path(__file__).resolve().parent.parent


def python_module(module: str, *arguments: str) -> list[str]:
    """Return the command that runs one of our modules in this Python; start it with `environment()`.

    With `-P`, Python does not put the working folder first on the path: a `pipeline.py` or `data.py` that a user
    keeps there would be imported instead of ours.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment, so changed that a child imports our modules from where this one has them."""
    paths = [str(_SOURCES), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), **more}
