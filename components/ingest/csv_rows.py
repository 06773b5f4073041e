"""Delimited text to examples, one file at a time, as a stream."""

import contextlib
import csv
import io
import itertools
import math
import re
from collections.abc import Iterator
from typing import TextIO

from components.ingest.config import DataConfig, FeatureType
from components.ingest.examples import encode
from components.ingest.files import opened
from components.ingest.rows import BadRow, DataError, Row, Value, label_fault

INFER_ROWS = 1000
# Longer than any sensible cell: a quote that is never closed swallows the file and must not fill the memory.
MAX_CELL = 4 * 2**20

_INT = re.compile(r"[+-]?(0|[1-9][0-9]*)")


def infer(source: str, config: DataConfig) -> dict[str, FeatureType]:
    """Return the type of every column: as configured, else the narrowest that the first 1,000 rows allow.

    Numbers with leading zeros (postal codes) stay strings, and so does the label.

    Raises:
        DataError: the file is empty, or its header does not match the configuration.
    """
    with _text(source) as text:
        names, records = _records(text, source, config)
        columns: dict[str, list[str]] = {name: [] for name in names}
        for _, cells in itertools.islice(records, INFER_ROWS):
            if not isinstance(cells, str) and len(cells) == len(names):
                for name, cell in zip(names, cells, strict=True):
                    columns[name].append(cell)
    given = config.csv.features or {}
    if unknown := sorted(set(given) - set(names)):
        raise DataError(f"{source}: csv.features names {unknown}, but the columns are {names}")
    types = {name: given.get(name) or _narrowest(columns[name]) for name in names}
    types[config.label] = "string"
    return types


def read(source: str, config: DataConfig, types: dict[str, FeatureType]) -> Iterator[Row | BadRow]:
    """Yield each record as a row, or as a bad row; `row` is the line where the record starts.

    Args:
        source: URL of the file.
        config: the data's configuration.
        types: type of each column, from `infer`; every file must have exactly these columns.

    Raises:
        DataError: the file as a whole is unusable: empty, other columns, a quote that is never closed.
    """
    with _text(source) as text:
        names, records = _records(text, source, config)
        if set(names) != set(types):
            raise DataError(f"{source}: its columns are {names}, but those of the first file {list(types)}")
        for line, cells in records:
            if isinstance(cells, str):
                yield BadRow(source, line, cells)
            elif len(cells) != len(names):
                yield BadRow(source, line, f"{len(cells)} cells, but there are {len(names)} columns")
            else:
                yield _row(source, line, dict(zip(names, cells, strict=True)), config, types)


def _row(
    source: str, line: int, cells: dict[str, str], config: DataConfig, types: dict[str, FeatureType]
) -> Row | BadRow:
    label = cells[config.label]
    if fault := label_fault(label, config.classes):
        return BadRow(source, line, fault)
    features: dict[str, Value] = {}
    for name, cell in cells.items():
        if cell == "":
            continue
        try:
            features[name] = _parse(cell, types[name])
        except UnicodeEncodeError:
            return BadRow(source, line, f"column {name!r} is not UTF-8; convert the file")
        except ValueError:
            hint = "" if config.csv.features else " (types were inferred; csv.features sets them)"
            return BadRow(source, line, f"column {name!r}: {cell[:40]!r} is not of type {types[name]}{hint}")
    return Row(source, line, label, encode(features))


@contextlib.contextmanager
def _text(source: str) -> Iterator[TextIO]:
    # newline="" leaves line ends to the csv module, so that those inside quotes survive; surrogateescape marks a
    # byte that is not UTF-8, so that only its own row is refused.
    with (
        opened(source) as file,
        io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="") as text,
    ):
        yield text


def _records(
    text: TextIO, source: str, config: DataConfig
) -> tuple[list[str], Iterator[tuple[int, list[str] | str]]]:
    """Return the names of the columns, and an iterator of (line, cells or what is wrong with the record)."""
    options = config.csv
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(
        text,
        delimiter=options.delimiter,
        quoting=csv.QUOTE_MINIMAL if options.quoting else csv.QUOTE_NONE,
        strict=options.quoting,
    )
    header = None
    if options.header:
        try:
            header = next((cells for cells in reader if cells), None)
        except csv.Error as error:
            raise DataError(f"{source}: line 1: the header cannot be read: {error}") from error
        if header is None:
            raise DataError(f"{source}: the file is empty; remove it or fill it")
    names = _names(header, source, config)

    def iterate() -> Iterator[tuple[int, list[str] | str]]:
        empty = True
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                if "unexpected end" in str(error) or "field larger" in str(error):
                    raise DataError(
                        f"{source}: line {line}: a quote opened there is never closed, so the rest of the "
                        "file cannot be split into rows. Close it, or set csv.quoting: false."
                    ) from error
                yield line, f"malformed record: {error}"
                empty = False
                continue
            if not cells:
                continue  # a blank line, usually the last
            empty = False
            if options.rest_in_last_column and len(cells) > len(names):
                last = len(names) - 1
                cells = [*cells[:last], options.delimiter.join(cells[last:])]
            yield line, cells
        if empty:
            raise DataError(f"{source}: the file has no rows; remove it or fill it")

    return names, iterate()


def _names(header: list[str] | None, source: str, config: DataConfig) -> list[str]:
    columns = config.csv.columns
    if header is not None and columns and len(columns) != len(header):
        raise DataError(f"{source}: csv.columns has {len(columns)} names, the header {len(header)}: {header}")
    names = columns or header or []
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"{source}: the header names {twice} twice; rename them with csv.columns")
    if config.label not in names:
        raise DataError(f"{source}: no column {config.label!r}; the columns are {names}. Set data.label.")
    return names


def _parse(cell: str, kind: FeatureType) -> Value:
    if kind == "string":
        return cell.encode()
    if kind == "int":
        number = int(cell) if "_" not in cell else _refuse(cell)
        return number if -(2**63) <= number < 2**63 else _refuse(cell)
    value = float(cell) if "_" not in cell else _refuse(cell)
    return value if math.isfinite(value) else _refuse(cell)


def _refuse(cell: str) -> int:
    raise ValueError(cell)


def _narrowest(cells: list[str]) -> FeatureType:
    filled = [cell for cell in cells if cell]
    if not filled:
        return "string"
    if all(_INT.fullmatch(cell) and len(cell) < 19 for cell in filled):
        return "int"
    if any(re.match(r"[+-]?0[0-9]", cell) for cell in filled):
        return "string"
    try:
        return "float" if all(math.isfinite(float(cell)) and "_" not in cell for cell in filled) else "string"
    except ValueError:
        return "string"
