"""`slipway schema`: the schema that runs use, for people to read, edit and accept."""

import difflib
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax

from components.atomic import write_atomically
from pipeline.config import Config
from serving.errors import UserError


class NoSchemaError(UserError, LookupError):
    """Nothing has been inferred yet."""


def show(console: Console, config: Config) -> None:
    """Print the schema in use, and where it differs from what the first run inferred."""
    reviewed, inferred = config.schema_path, config.inferred_schema_path
    if reviewed.is_file():
        console.print(f"{reviewed}: reviewed, and imported by every run", style="bold")
        console.print(Syntax(reviewed.read_text(), "proto", background_color="default"))
        if inferred.is_file() and (difference := _difference(inferred, reviewed)):
            console.print("Changed in the review:", style="bold")
            console.print(Syntax(difference, "diff", background_color="default"))
        return
    console.print(f"{_inferred(config)}: inferred on the first run, in use, not reviewed yet", style="bold")
    console.print(Syntax(inferred.read_text(), "proto", background_color="default"))
    console.print(
        f"slipway schema --accept -c …   copies it to {reviewed}, where you can edit it", soft_wrap=True
    )


def accept(console: Console, config: Config) -> None:
    """Keep the inferred schema as the reviewed one; an existing one is never overwritten."""
    target, text = config.schema_path, _inferred(config).read_text()
    if target.is_file():
        same = target.read_text() == text
        console.print(
            f"{target} is there already" + ("" if same else "; delete it to accept what was inferred")
        )
        return
    write_atomically(target, text)
    console.print(f"accepted: {target}; review it, edit it, commit it", soft_wrap=True)


def _inferred(config: Config) -> Path:
    path = config.inferred_schema_path
    if not path.is_file():
        raise NoSchemaError(
            f"{path} does not exist: the first run of {config.model_name} infers it; run it first"
        )
    return path


def _difference(old: Path, new: Path) -> str:
    lines = difflib.unified_diff(
        old.read_text().splitlines(), new.read_text().splitlines(), str(old), str(new), lineterm="", n=2
    )
    return "\n".join(lines)
