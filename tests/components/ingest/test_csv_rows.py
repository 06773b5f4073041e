import gzip
from pathlib import Path
from typing import Any

import pytest

from components.ingest.config import DataConfig
from components.ingest.rows import DataError
from tests.components.ingest.conftest import Read, csv_file, features


def config(path: Path, **fields: Any) -> DataConfig:
    return DataConfig.model_validate({"format": "csv", "path": str(path), **fields})


def test_types_are_inferred_and_empty_cells_are_absent(tmp_path: Path, read: Read) -> None:
    path = csv_file(
        tmp_path / "a.csv",
        ("text", "age", "weight", "zip", "note", "label"),
        ("one", 1, 1.5, "01234", "", 7),
        ("two, quoted\nover lines", 2, 2, "98765", "x", 8),
        ("", "", "", "", "", 8),
    )
    rows, bad = read(config(path))
    assert not bad
    assert [row.row for row in rows] == [2, 3, 5], "the line where the record starts"
    assert features(rows[0]) == {"text": b"one", "age": 1, "weight": 1.5, "zip": b"01234", "label": b"7"}
    assert features(rows[1])["text"] == b"two, quoted\nover lines"
    assert features(rows[2]) == {"label": b"8"}


def test_configured_types_win_and_a_late_surprise_is_a_bad_row(tmp_path: Path, read: Read) -> None:
    path = csv_file(tmp_path / "a.csv", ("age", "label"), *[(i, "a") for i in range(1200)], ("old", "b"))
    _, (bad,) = read(config(path))
    assert (bad.row, bad.reason) == (
        1202,
        "column 'age': 'old' is not of type int (types were inferred; csv.features sets them)",
    )
    rows, none = read(config(path, csv={"features": {"age": "string"}}))
    assert not none
    assert features(rows[0]) == {"age": b"0", "label": b"a"}


@pytest.mark.parametrize("cell", ["1_000", "nan", "inf", "9223372036854775808", "", "-"])
def test_numbers_that_are_none(tmp_path: Path, read: Read, cell: str) -> None:
    path = csv_file(tmp_path / "a.csv", ("n", "label"), (1, "a"), (cell, "b"))
    rows, bad = read(config(path, csv={"features": {"n": "int"}}))
    assert len(bad) == (1 if cell else 0)
    assert len(rows) == 2 - len(bad)


def test_bad_rows_are_named_and_the_rest_is_read(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'text,label\nfine,a\nragged,a,b\nshort\nx,c\n\xff\xfe,a\nx,\n"a"b,a\n\nlast,b\n')
    rows, bad = read(config(path, classes=["a", "b"]))
    assert [features(row)["text"] for row in rows] == [b"fine", b"last"]
    assert [(row.row, row.reason) for row in bad] == [
        (3, "3 cells, but there are 2 columns"),
        (4, "1 cells, but there are 2 columns"),
        (5, "label 'c' is not one of a, b (data.classes)"),
        (6, "column 'text' is not UTF-8; convert the file"),
        (7, "the label is empty"),
        (8, "malformed record: ',' expected after '\"'"),
    ]
    assert {row.source for row in bad} == {str(path)}


def test_a_byte_order_mark_and_compression_are_handled(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress("label,text\r\na,é\r\n".encode("utf-8-sig")))
    rows, _ = read(config(path))
    assert features(rows[0]) == {"label": b"a", "text": "é".encode()}


def test_plain_quotes_and_a_rest_with_spaces(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.txt"
    path.write_text('1 it is "fine , really\n0 no\n')
    rows, bad = read(
        config(
            path,
            csv={
                "delimiter": " ",
                "quoting": False,
                "header": False,
                "columns": ["label", "text"],
                "rest_in_last_column": True,
            },
        )
    )
    assert not bad
    assert [features(row)["text"] for row in rows] == [b'it is "fine , really', b"no"]


@pytest.mark.parametrize(
    ("content", "fields", "message"),
    [
        ("", {}, "a.csv: the file is empty"),
        ("text,label\n", {}, "a.csv: the file has no rows"),
        ("text,class\nx,a\n", {}, "no column 'label'; the columns are .*Set data.label"),
        ("label,label\nx,a\n", {}, "names .'label'. twice"),
        ('text,label\n"never closed,a\nb,c\n', {}, "line 2: a quote opened there is never closed"),
        ("text,label\nx,a\n", {"csv": {"columns": ["label"]}}, "csv.columns has 1 names, the header 2"),
        ("text,label\nx,a\n", {"csv": {"features": {"age": "int"}}}, "csv.features names .'age'."),
    ],
)
def test_files_that_cannot_be_used(
    tmp_path: Path, read: Read, content: str, fields: dict[str, Any], message: str
) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        read(config(tmp_path, **fields))


def test_an_open_quote_does_not_fill_the_memory(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.csv").write_text('text,label\n"open,a\n' + "x" * 5 * 2**20)
    with pytest.raises(DataError, match="line 2: a quote opened there is never closed"):
        read(config(tmp_path))


def test_files_with_other_columns_are_refused(tmp_path: Path, read: Read) -> None:
    csv_file(tmp_path / "a.csv", ("text", "label"), ("x", "a"))
    csv_file(tmp_path / "b.csv", ("text", "age", "label"), ("x", 1, "a"))
    with pytest.raises(DataError, match=r"b\.csv: its columns are .*first file"):
        read(config(tmp_path))


def test_damaged_compression_names_the_file(tmp_path: Path, read: Read) -> None:
    whole = gzip.compress(b"text,label\n" + b"some text,a\n" * 1000)
    (tmp_path / "a.csv.gz").write_bytes(whole[:-20])
    with pytest.raises(DataError, match=r"a\.csv\.gz: cannot be read to its end"):
        read(config(tmp_path))
