"""What all commands of `slipway` share: the options that name a configuration, and the console."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from pipeline.config import Config

DEFAULT_CONFIG = "configs/digits.yaml"
ConfigOption = Annotated[str, typer.Option("--config", "-c", help="the model's YAML file")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="override a key: train.epochs=1 (repeatable)", metavar="KEY=VALUE"),
]


def new_console() -> Console:
    """Make a console; its tables are as wide as the terminal, and 140 columns in a pipe."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 140)


def load(path: str, overrides: list[str] | None = None) -> "Config":
    """Load a configuration; what that needs is imported only now."""
    from pipeline.config import load_config

    return load_config(path, overrides)
