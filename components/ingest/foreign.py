"""Files that are no delimited text at all, told by how they begin, and text that is divided by another character."""

import csv
import re
from collections.abc import Sequence

_FOREIGN = {
    rb"PAR1[^\t\n\r -~]": "Parquet, which is not read: save it as CSV, as with pandas' read_parquet and to_csv",
    rb"PK\x03\x04": "a ZIP archive, or a workbook such as .xlsx: unpack it, or save the sheet as CSV",
    rb"\xd0\xcf\x11\xe0": "an old Office file, such as .xls: save the sheet as CSV",
    rb"ARROW1\0|ORC[^\t\n\r -~]|Obj\x01|SQLite format 3\0|\x89HDF|\x93NUMPY|\x80[\x02-\x05]": "binary: save it as CSV",
    rb"\x28\xb5\x2f\xfd|\x04\x22\x4d\x18": "compressed by zstd or lz4: decompress it, or compress it with gzip",
    rb"\x1f\x8b": "compressed twice: decompress it once",
    rb"version https://git-lfs": "a pointer of Git LFS, not the file: git lfs pull",
    rb"(?i)\s*(<!doctype html|<html|<\?xml)": "HTML or XML: was it downloaded from the right address?",
    rb"\s*\[?\s*\{\s*\"": "JSON: save it as CSV",
    rb"\x89PNG|\xff\xd8\xff|GIF8[79]a[^,;\t\n]{2}[\x80-\xff]|%PDF-": "a picture or a PDF: see data.format",
}


def foreign(head: bytes) -> str | None:
    """Say what a file is that begins so, if it is no delimited text; None if it may be."""
    for magic, said in _FOREIGN.items():
        if re.match(magic, head):
            return f"it is {said}"
    return None


def divided_by(line: str, delimiter: str, names: Sequence[str]) -> str | None:
    """Find the character that divides a header into columns with all of some names; None if the given one may be it."""
    for other in ";\t|,: ":
        if other == delimiter or other not in line:
            continue
        try:
            cells = next(csv.reader([line], delimiter=other), [])
        except csv.Error:
            continue
        if len(cells) > 1 and set(names) <= set(cells):
            return other
    return None
