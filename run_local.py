#!/usr/bin/env python3
"""Run the whole pipeline on this machine: `python run_local.py [--config configs/digits.yaml]`.

The same as `slipway run`. Called with another Python than that of the environment which `make run` installs, it
hands over to that one.
"""

import os
import sys
from pathlib import Path

ENVIRONMENT = Path(__file__).resolve().parent / ".venv"


def main() -> None:
    """Run `slipway run` with this program's arguments."""
    python = ENVIRONMENT / "bin" / "python"
    if Path(sys.prefix) != ENVIRONMENT and python.exists():
        os.execv(python, [str(python), *sys.argv])
    try:
        from pipeline.cli import main as slipway
    except ModuleNotFoundError as error:
        sys.exit(f"run_local.py: {error.name} is not installed; type: make run")
    slipway(["run", *sys.argv[1:]])


if __name__ == "__main__":
    main()
