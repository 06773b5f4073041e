"""Python programs of ours as processes of their own."""

import sys


def python_module(module: str, *arguments: str) -> list[str]:
    """Return the command that runs one of our modules in this Python.

    With `-P`, Python does not put the working folder first on the path: a `pipeline.py` or `data.py` that a user
    keeps there would be imported instead of ours.
    """
    return [sys.executable, "-P", "-m", module, *arguments]
