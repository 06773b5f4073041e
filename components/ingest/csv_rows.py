"""Delimited text to examples, one file at a time, as a stream."""

import csv
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from components.ingest import encoding
from components.ingest.config import DataConfig
from components.ingest.csv_config import FeatureType
from components.ingest.csv_types import narrowest, parse
from components.ingest.examples import row as make_row
from components.ingest.header import Header, header_of, reader_of, text_of
from components.ingest.rows import BadRow, DataError, Row, Value, label_fault
from components.listing import listed

INFER_ROWS = 1000
# Longer than any sensible cell: a quote that is never closed swallows the file and must not fill the memory.
MAX_CELL = 4 * 2**20


class Inferred(NamedTuple):
    """The type of every column that is kept, and in words which are left out."""

    types: dict[str, FeatureType]
    notes: list[str]


def infer(source: str, config: DataConfig, inputs: Sequence[str]) -> Inferred:
    """Find the type of every column: as configured, else the narrowest that the first 1,000 rows allow.

    Where an input has no value in these, the rows after them are looked at too, up to its first value.

    Args:
        source: URL of the file.
        config: the data's configuration.
        inputs: the columns that the model reads.

    Raises:
        DataError: the file is empty, or its header does not match the configuration.
    """
    missing = _missing(config)
    with text_of(source, config.csv) as text:
        reader = reader_of(text, config.csv)
        header = header_of(reader, source, config, {"preprocess.inputs": inputs})
        columns: dict[str, list[str]] = {name: [] for name in header.kept()}
        for row, (_, cells) in enumerate(_records(reader, source, config, header)):
            if row >= INFER_ROWS and all(columns[name] for name in inputs):
                break
            if not isinstance(cells, str) and len(cells) == len(header.names):
                for name, cell in zip(header.names, cells, strict=True):
                    if name is not None and cell not in missing:
                        columns[name].append(cell)
    given = config.csv.features or {}
    if unknown := sorted(set(given) - set(columns)):
        raise DataError(
            f"{source}: csv.features names {listed([*map(repr, unknown)])}, but the columns are {listed([*columns])}"
        )
    types = {name: given.get(name) or narrowest(cells) for name, cells in columns.items()}
    types[config.label] = "string"
    return Inferred(types, header.notes)


def read(
    source: str, config: DataConfig, types: dict[str, FeatureType], inputs: Sequence[str]
) -> Iterator[Row | BadRow]:
    """Yield each record as a row, or as a bad row; `row` is the line where the record starts.

    Args:
        source: URL of the file.
        config: the data's configuration.
        types: type of each column, from `infer`; every file must have exactly these columns.
        inputs: the columns that the model reads.

    Raises:
        DataError: the file as a whole is unusable: empty, other columns, a quote that is never closed.
    """
    missing = _missing(config)
    with text_of(source, config.csv) as text:
        reader = reader_of(text, config.csv)
        header = header_of(reader, source, config, {"preprocess.inputs": inputs})
        _same_columns(source, header.kept(), types)
        for line, cells in _records(reader, source, config, header):
            if isinstance(cells, str):
                yield BadRow(source, line, cells)
            elif len(cells) != len(header.names):
                yield BadRow(source, line, f"{len(cells)} cells, but there are {len(header.names)} columns")
            else:
                named = {
                    name: cell for name, cell in zip(header.names, cells, strict=True) if name is not None
                }
                yield _row(source, line, named, config, types, missing)


def _same_columns(source: str, names: list[str], types: dict[str, FeatureType]) -> None:
    more, fewer = [name for name in names if name not in types], [name for name in types if name not in names]
    if more or fewer:
        differences = [f"has also {listed(more)}"] * bool(more) + [f"lacks {listed(fewer)}"] * bool(fewer)
        raise DataError(
            f"{source}: its columns are not those of the first file: it {' and '.join(differences)}. "
            "Give all files the same columns, or leave this one out."
        )


def _missing(config: DataConfig) -> frozenset[str]:
    return frozenset((*config.csv.missing, ""))


def _row(
    source: str,
    line: int,
    cells: dict[str, str],
    config: DataConfig,
    types: dict[str, FeatureType],
    missing: frozenset[str],
) -> Row | BadRow:
    label = cells[config.label]
    if label in missing and label not in (config.classes or ()):
        token = f": {label!r} stands for a missing value (data.csv.missing)" if label else ""
        return BadRow(source, line, f"the label is missing{token}")
    if encoding.is_whole(label) and (fault := label_fault(label, config.classes)):
        return BadRow(source, line, fault)
    features: dict[str, Value] = {}
    for name, cell in cells.items():
        if cell in missing and name != config.label:
            continue
        try:
            features[name] = parse(cell, types[name])
        except ValueError:
            if not encoding.is_whole(cell):
                return BadRow(
                    source, line, f"column {name!r}: {encoding.text_fault(cell, config.csv.encoding)}"
                )
            hint = "" if config.csv.features else " (types were inferred; csv.features sets them)"
            return BadRow(source, line, f"column {name!r}: {cell[:40]!r} is not of type {types[name]}{hint}")
    return make_row(source, line, label, features)


def _records(
    reader: Any, source: str, config: DataConfig, header: Header
) -> Iterator[tuple[int, list[str] | str]]:
    """Yield the line of each record after the header, and its cells or what is wrong with it."""
    options = config.csv
    csv.field_size_limit(MAX_CELL)
    empty = True
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            if "field larger" in str(error):
                raise DataError(
                    f"{source}: line {line}: a cell is longer than {MAX_CELL >> 20} MB, or a quote opened there is "
                    "never closed. Shorten it, close it, or set csv.quoting: false."
                ) from error
            if "unexpected end" in str(error):
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
        if options.rest_in_last_column and len(cells) > len(header.names):
            last = len(header.names) - 1
            cells = [*cells[:last], options.delimiter.join(cells[last:])]
        yield line, cells
    if empty:
        raise DataError(f"{source}: the file has no rows; remove it or fill it")
