"""Reads the rows to predict on from files: CSV, JSON lines, TFRecord, images, text."""

import base64
import csv
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from serving.errors import UserError
from serving.messages.missing import TOKENS
from serving.messages.tfrecord import read_records

IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".bmp")
Row = dict[str, Any]


class RowError(UserError, ValueError):
    """A file cannot be read as rows; the message names the file and the row."""


def read_rows(path: Path, inputs: Mapping[str, str], optional: Collection[str] = ()) -> Iterator[Row]:
    """Yield the rows of a file, each with a value for every input of the model, or None for one that may be missing.

    Args:
        path: `.csv` with a header, `.jsonl`, `.tfrecord`, an image, `.txt` with one text per line, or a folder of
            such files.
        inputs: the model's inputs and their types.
        optional: those that the model has a default for. A file may lack them, and a cell that is empty, or NA or the
            like as pandas reads it, is None.

    Raises:
        RowError: the file type is unknown, or a row does not match the model's inputs.
    """
    if path.is_dir():
        for child in sorted(path.iterdir()):
            if not child.name.startswith("."):
                yield from read_rows(child, inputs, optional)
        return
    suffix = path.suffix.lower()
    if suffix == ".csv":
        yield from _csv(path, inputs, optional)
    elif suffix in (".jsonl", ".json"):
        yield from _json_lines(path, inputs, optional)
    elif suffix in (".tfrecord", ".tfrecords"):
        alias = _only_string(path, inputs)
        for record in read_records(path):
            yield {alias: record}
    elif suffix in IMAGES:
        yield {_only_string(path, inputs): path.read_bytes()}
    elif suffix == ".txt":
        alias = _only_string(path, inputs)
        for line in path.read_text().splitlines():
            yield {alias: line}
    else:
        raise RowError(
            f"{path}: unknown file type ({suffix or 'no suffix'}); use .csv, .jsonl, .tfrecord, .txt or images"
        )


def _csv(path: Path, inputs: Mapping[str, str], optional: Collection[str]) -> Iterator[Row]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        header = set(reader.fieldnames or ())
        missing = sorted(inputs.keys() - header - set(optional))
        if missing:
            raise RowError(f"{path}: no column {missing}; the model takes {sorted(inputs)}")
        for number, line in enumerate(reader, start=2):
            try:
                yield {
                    alias: _cell(line[alias], dtype, alias in optional) if alias in header else None
                    for alias, dtype in inputs.items()
                }
            except (TypeError, ValueError) as error:
                raise RowError(f"{path}: line {number}: {error}") from None


def _cell(text: str | None, dtype: str, optional: bool) -> Any:
    if text is None:
        raise ValueError("the row is shorter than the header")
    if optional and text in TOKENS:
        return None
    if dtype == "DT_STRING":
        return text
    if text in TOKENS:
        raise ValueError(f"a value is missing ({text!r}), and the model has no default for it")
    try:
        return json.loads(text)  # a number, or a list of them
    except ValueError:
        return float(text)  # as +1 and .5, which are no JSON


def _json_lines(path: Path, inputs: Mapping[str, str], optional: Collection[str]) -> Iterator[Row]:
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise RowError(f"{path}: line {number} is not JSON: {error}") from None
        row = value if isinstance(value, dict) and "b64" not in value else {_only(path, inputs): value}
        if row.keys() - inputs.keys() or inputs.keys() - row.keys() - set(optional):
            raise RowError(f"{path}: line {number} has {sorted(row)}, the model takes {sorted(inputs)}")
        yield {alias: _decode(row.get(alias)) for alias in inputs}


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if isinstance(value, dict) and set(value) == {"b64"}:
        return base64.b64decode(value["b64"])
    return value


def _only(path: Path, inputs: Mapping[str, str]) -> str:
    if len(inputs) != 1:
        raise RowError(
            f"{path}: the model has the inputs {sorted(inputs)}; use objects with a value for each"
        )
    return next(iter(inputs))


def _only_string(path: Path, inputs: Mapping[str, str]) -> str:
    alias = _only(path, inputs)
    if inputs[alias] != "DT_STRING":
        raise RowError(
            f"{path}: the input '{alias}' is {inputs[alias]}, not bytes; choose another signature, or send numbers"
        )
    return alias
