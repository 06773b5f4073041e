"""`slipway schema`: the schema that runs use, for people to read, compare with new data, update and accept."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from components.atomic import write_atomically
from components.names import SPLIT_PREFIX
from components.schema.text import (
    check_classes,
    classes_differ,
    read_schema,
    schema_in_use,
    without_comment,
    write_schema,
)
from pipeline import commands
from pipeline.config import Config
from pipeline.summary import NoRunError, Summary, read_summary
from serving.errors import UserError


class NoSchemaError(UserError, LookupError):
    """Nothing has been inferred yet, or there is no data to compare a schema with."""


@dataclass(frozen=True)
class Invocation:
    """What the command was called with: the next one is printed with the same."""

    config: Config
    path: str
    overrides: Sequence[str]

    def command(self, name: str) -> str:
        """Write a command with the same configuration."""
        return commands.slipway(name, self.path, self.overrides)


def show(console: Console, used: Invocation) -> None:
    """Print the schema in use, and where it differs from what the first run inferred."""
    reviewed, inferred = used.config.schema_path, used.config.inferred_schema_path
    if reviewed.is_file():
        console.print(f"{reviewed}: reviewed, and imported by every run", style="bold")
        console.print(Syntax(reviewed.read_text(), "proto", background_color="default"))
        if inferred.is_file() and (difference := _difference(inferred, reviewed)):
            console.print("Changed in the review:", style="bold")
            console.print(Syntax(difference, "diff", background_color="default"))
        return
    path = _in_use(used)
    console.print(f"{path}: inferred on the first run, in use, not reviewed yet", style="bold")
    console.print(Syntax(path.read_text(), "proto", background_color="default"))
    console.print(
        Text(f"{used.command('schema --accept')}   copies it to {reviewed}, where you can edit it"),
        soft_wrap=True,
    )


def accept(console: Console, used: Invocation) -> None:
    """Keep the inferred schema as the reviewed one; an existing one is never overwritten."""
    target, inferred = used.config.schema_path, used.config.inferred_schema_path
    if target.is_file():
        text = without_comment(inferred.read_text()) if inferred.is_file() else target.read_text()
        same = target.read_text() == text
        console.print(
            f"{target} is there already" + ("" if same else "; delete it to accept what was inferred")
        )
        return
    write_atomically(target, without_comment(_in_use(used).read_text()))
    console.print(f"accepted: {target}; review it, edit it, commit it", soft_wrap=True)


def compare(console: Console, used: Invocation) -> None:
    """Print in words what the latest run's data has that the schema has not, and the reverse.

    Raises:
        NoSchemaError: there is no schema, or the latest run has no statistics of its data.
        SchemaError: the schema does not parse.
    """
    from components.schema.diff import differences, unused, validate
    from components.schema.infer import make_optional

    path = _in_use(used)
    schema, (run, statistics) = read_schema(path), _statistics(used)
    label, classes, read = used.config.data.label, used.config.data.classes, used.config.read_columns
    make_optional(schema, list(used.config.preprocess.missing))
    _say(console, f"The data of run {run.run_id} against {path}:", "bold")
    lines = [f"{label}: {differ}"] if (differ := classes_differ(schema, label, classes)) else []
    for difference in differences(schema, statistics, validate(schema, statistics)):
        unread = "" if difference.column in read else "  (no stage reads it)"
        lines.append(f"{difference.column}: {difference.text}{unread}")
    lines += [f"{column}: {text}" for column, text in unused(schema, statistics)]
    for line in lines or ["no difference"]:
        _say(console, f"  {line}")
    if lines:
        _say(console, f"{used.command('schema --update')}   takes what the data has into the schema")


def update(console: Console, used: Invocation) -> None:
    """Take what the latest run's data has, and `data.classes`, into the schema that counts, and say what changed.

    Raises:
        NoSchemaError: there is no schema, or no run with statistics of its data.
        SchemaError: the schema does not parse.
    """
    from components.schema.diff import differences, validate
    from components.schema.infer import infer, make_optional
    from components.schema.update import update as widen
    from components.schema.update import update_classes

    path, config = _in_use(used), used.config
    label, classes, read = config.data.label, config.data.classes, config.read_columns
    schema = read_schema(path)
    commented = "\n#" in without_comment(path.read_text())
    changes = update_classes(schema, label, classes) if classes else []
    statistics: dict[str, Any] = {}
    try:
        run, statistics = _statistics(used)
    except NoSchemaError:
        # A changed data.classes is enough: nothing runs before the schema has it.
        if not changes:
            raise
    else:
        _say(console, f"The data of run {run.run_id} into {path}:", "bold")
        changes += widen(schema, infer(list(statistics.values()), label, classes), label, read)
    for line in changes or ["nothing to change"]:
        _say(console, f"  {line}")
    if changes:
        write_schema(schema, path)
    make_optional(schema, list(config.preprocess.missing))  # as in a run; not in the file
    for one in differences(schema, statistics, validate(schema, statistics)):
        if one.error:
            _say(
                console, f"  left as it is: {one.column}: {one.text}. {_way_out(one.column, read)}", "yellow"
            )
    if changes:
        lost = "; comments inside the file are gone" if commented else ""
        _say(console, f"written: {path}{lost}", "bold")
        _say(console, f"next  {used.command('run')}")


def check_kept_classes(config: Config, path: str, overrides: Sequence[str]) -> None:
    """Make sure, before a run, that `data.classes` and the kept schema agree.

    Raises:
        SchemaError: they do not.
    """
    source = schema_in_use(config.schema_path, config.inferred_schema_path)
    if source is not None:
        command = commands.slipway("schema --update", path, overrides)
        check_classes(read_schema(source), source, config.data.label, config.data.classes, command)


def _way_out(column: str, read: dict[str, str]) -> str:
    return (
        f"Mend the data, or take the column out of {read[column]}" if column in read else "No stage reads it"
    )


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style), soft_wrap=True)


def _in_use(used: Invocation) -> Path:
    config = used.config
    path = schema_in_use(config.schema_path, config.inferred_schema_path)
    if path is None:
        raise NoSchemaError(
            f"{config.inferred_schema_path} does not exist: the first run of {config.model_name} infers it; run it "
            f"first: {used.command('run')}"
        )
    return path


def _statistics(used: Invocation) -> tuple[Summary, dict[str, Any]]:
    """Read the statistics of the latest run's data, by split, those of the training split first."""
    from components.schema.infer import load_statistics

    config = used.config
    try:
        run = read_summary(config.runs, model_name=config.model_name)
    except NoRunError as error:
        raise NoSchemaError(f"{error}: run it first, for what is compared: {used.command('run')}") from None
    folder = run.outputs.get("StatisticsGen", {}).get("statistics", "")
    splits = [
        split for split in config.data.split_names() if (Path(folder) / f"{SPLIT_PREFIX}{split}").is_dir()
    ]
    if not folder or not splits:
        raise NoSchemaError(
            f"the latest run, {run.run_id}, has no statistics of its data ({run.message}): run it again first: "
            f"{used.command('run')}"
        )
    return run, {split: load_statistics(folder, split) for split in splits}


def _difference(old: Path, new: Path) -> str:
    before, after = (without_comment(path.read_text()).splitlines() for path in (old, new))
    return "\n".join(difflib.unified_diff(before, after, str(old), str(new), lineterm="", n=2))
