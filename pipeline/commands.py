"""Commands that are printed for people to copy: quoted for the shell, with the configuration that was used."""

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.options import DEFAULT_CONFIG


def slipway(command: str, config: str, overrides: Sequence[str] = ()) -> str:
    """Write a command of `slipway` for the configuration that is in use.

    Args:
        command: with its own flags, such as `schema --update`, quoted already.
        config: path of the configuration.
        overrides: as `--set` gave them.
    """
    return f"{program()} {command}{options(config, overrides)}"


def options(config: str, overrides: Sequence[str] = ()) -> str:
    """Write `-c` and `--set`, each after a space; nothing for the default configuration."""
    parts = [] if config == DEFAULT_CONFIG else ["-c", config]
    for override in overrides:
        parts += ["--set", override]
    return "".join(f" {shlex.quote(part)}" for part in parts)


def program() -> str:
    """Return `slipway` if the shell finds it, else where it is."""
    if shutil.which("slipway"):
        return "slipway"
    return shlex.quote(os.path.relpath(Path(sys.executable).parent / "slipway"))
