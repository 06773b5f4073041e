"""The header of a CSV file: what its columns are called, and whether those that are read are there.

Nothing here needs TensorFlow, so that a run can look at the header before it loads that.
"""

import contextlib
import csv
import difflib
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TextIO

from components.ingest import encoding
from components.ingest.config import DataConfig
from components.ingest.csv_config import CsvOptions
from components.ingest.files import find, opened, resolve
from components.ingest.foreign import divided_by, foreign
from components.ingest.rows import DataError
from components.listing import listed

_HEAD = 4096

#: Names of columns by the key of the configuration that names them.
Read = Mapping[str, Sequence[str]]


class Header(NamedTuple):
    """The name of each column, None for one that is left out, and in words what is left out."""

    names: list[str | None]
    notes: list[str]

    def kept(self) -> list[str]:
        """Return the names of the columns that are not left out."""
        return [name for name in self.names if name is not None]


def check(config: DataConfig, read: Read) -> None:
    """Look at the first line of the first CSV file of each split, before anything dear is loaded.

    Args:
        config: the `data:` section; nothing is done unless its format is csv.
        read: columns that other sections name, such as `{"preprocess.inputs": ["age"]}`.

    Raises:
        DataError: there is no file, or it lacks a column that is read.
    """
    if config.format != "csv":
        return
    if config.make and config.path is not None:
        fs, path = resolve(config.path)
        if not fs.exists(path):
            return  # the run makes it
    for _, path in config.sources():
        source = find(path, "csv")[0]
        try:
            with text_of(source, config.csv) as text:
                header_of(reader_of(text, config.csv), source, config, read)
        except DataError:
            with text_of(source, config.csv) as text:
                _check_delimiter(text, source, config, [name for names in read.values() for name in names])
            raise


def needed(config: DataConfig, inputs: Sequence[str]) -> Read:
    """Return the columns that Ingest and the model read."""
    timed = config.split_by_time
    return {
        "data.label": [config.label],
        "preprocess.inputs": inputs,
        "data.split_by": config.split_by or (),
        "data.split_by_time.column": [timed.column] if timed else (),
    }


@contextlib.contextmanager
def text_of(source: str, options: CsvOptions) -> Iterator[TextIO]:
    """Open a file as text, decoded with `surrogateescape`, so that a wrong byte costs only its own row.

    Raises:
        DataError: the file cannot be read, or is as a whole in another encoding.
    """
    with opened(source) as file:
        head = file.read(_HEAD)
    if what := foreign(head):
        raise DataError(f"{source}: no delimited text; {what}")
    if fault := encoding.file_fault(head, options.encoding):
        raise DataError(f"{source}: {fault}")
    try:
        # newline="" leaves line ends to the csv module, so that those inside quotes survive.
        with (
            opened(source) as file,
            io.TextIOWrapper(
                file, encoding.codec_of(options.encoding, head), "surrogateescape", newline=""
            ) as text,
        ):
            yield text
    except UnicodeError as error:
        raise DataError(
            f"{source}: the file is not {options.encoding} ({error}); set data.csv.encoding"
        ) from error


def reader_of(text: TextIO, options: CsvOptions) -> Any:
    """Return the csv module's reader of a text."""
    return csv.reader(
        text,
        delimiter=options.delimiter,
        quoting=csv.QUOTE_MINIMAL if options.quoting else csv.QUOTE_NONE,
        strict=options.quoting,
    )


def header_of(reader: Any, source: str, config: DataConfig, read: Read) -> Header:
    """Read the header, if there is one, and return the columns.

    Args:
        reader: at the start of the file; afterwards at the first row.
        source: the file's URL, for messages.
        config: the `data:` section.
        read: columns that other sections name, by their keys; what Ingest itself reads is added.

    Raises:
        DataError: the header cannot be read, or a column that is read is not there or there twice.
    """
    cells = None
    if config.csv.header:
        try:
            cells = next((cells for cells in reader if cells), None)
        except csv.Error as error:
            raise DataError(f"{source}: line 1: the header cannot be read: {error}") from error
        if cells is None:
            raise DataError(f"{source}: the file is empty; remove it or fill it")
    columns = config.csv.columns
    if cells is not None and columns and len(columns) != len(cells):
        raise DataError(
            f"{source}: csv.columns has {len(columns)} names, the header {len(cells)}: {listed(cells)}"
        )
    header = _named(columns or cells or [], source, config)
    for key, names in {**needed(config, ()), **read}.items():
        for name in names:
            if name not in header.names:
                raise DataError(f"{source}: {_absent(name, key, columns or cells or [], config)}")
    return header


def _check_delimiter(text: TextIO, source: str, config: DataConfig, names: Sequence[str]) -> None:
    """Refuse a first line that has all columns that are read, but divided by another character."""
    line = text.readline(_HEAD).rstrip("\r\n") if config.csv.header and not config.csv.columns else ""
    wanted = [config.label, *names]
    try:
        cells = next(csv.reader([line], delimiter=config.csv.delimiter), [])
    except csv.Error:
        cells = []
    if set(wanted) <= set(cells):
        return
    if other := divided_by(line, config.csv.delimiter, wanted):
        quoted = f"{other!r}".replace("'", '"')
        raise DataError(f"{source}: the header is divided by {quoted}: set data.csv.delimiter: {quoted}")


def _named(cells: Sequence[str], source: str, config: DataConfig) -> Header:
    names: list[str | None] = [cell or f"Unnamed: {i}" for i, cell in enumerate(cells)]
    if wrong := [name for name in names if not encoding.is_whole(name or "")]:
        fault = encoding.text_fault(wrong[0] or "", config.csv.encoding)
        raise DataError(f"{source}: line 1: the name {fault}")
    twice = [name for name, count in Counter(names).items() if name is not None and count > 1]
    broken = [name for name in dict.fromkeys(names) if name is not None and {"\n", "\r"} & set(name)]
    out = {*twice, *broken}
    notes = [
        f"{len(found)} column{'s' * (len(found) > 1)} left out, the name {why}: {listed([*map(repr, found)])}"
        for found, why in ((twice, "is there twice"), (broken, "has a line break"))
        if found
    ]
    return Header([None if name in out else name for name in names], notes)


def _absent(name: str, key: str, cells: Sequence[str], config: DataConfig) -> str:
    if cells.count(name) > 1:
        return f"the header names the column {name!r} twice, and {key} reads it; rename them with csv.columns"
    plain = {_plain(cell): cell for cell in cells}
    if (found := plain.get(_plain(name))) and {"\n", "\r"} & set(found):
        return (
            f"{key} reads {name!r}, but it is called {found!r}, with a line break; rename it with csv.columns"
        )
    if len(cells) == 1 and (other := [mark for mark in ";\t|," if mark in cells[0]]):
        return (
            f"the header is one name, {cells[0][:60]!r}: set data.csv.delimiter, perhaps to "
            + f"{other[0]!r}".replace("'", '"')
        )
    same = [cell for cell in cells if _plain(cell).casefold() == _plain(name).casefold()]
    near = same or difflib.get_close_matches(name, cells, n=2, cutoff=0.7)
    hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
    if not near and config.csv.header and any(re.fullmatch(r"-?\d+(\.\d+)?", cell) for cell in cells):
        hint = "If the first line is no header, set data.csv.header: false, and data.csv.columns. "
    return f"no column {name!r}. {hint}The columns are {listed(cells)}. Correct {key}, or the header."


def _plain(name: str) -> str:
    return " ".join(name.split())
