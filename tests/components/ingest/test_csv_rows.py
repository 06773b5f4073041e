import gzip
from pathlib import Path
from typing import Any

import pytest

from components.ingest.config import DataConfig
from components.ingest.csv_rows import infer
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


@pytest.mark.parametrize("cell", ["1_000", "inf", "9223372036854775808", "", "NaN", "-"])
def test_numbers_that_are_none(tmp_path: Path, read: Read, cell: str) -> None:
    path = csv_file(tmp_path / "a.csv", ("n", "label"), (1, "a"), (cell, "b"))
    rows, bad = read(config(path, csv={"features": {"n": "int"}}))
    assert len(bad) == (0 if cell in ("", "NaN") else 1)
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
        (
            6,
            "column 'text': \\xff\\xfe is not utf-8; in cp1252 it is 'ÿþ': if that is right, set "
            "data.csv.encoding: cp1252",
        ),
        (7, "the label is missing"),
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
        ("text,class\nx,a\n", {}, "no column 'label'. The columns are text, class. Correct data.label"),
        ("label,label\nx,a\n", {}, "names the column 'label' twice, and data.label reads it"),
        ('text,label\n"never closed,a\nb,c\n', {}, "line 2: a quote opened there is never closed"),
        ("text,label\nx,a\n", {"csv": {"columns": ["label"]}}, "csv.columns has 1 names, the header 2"),
        (
            "text,label\nx,a\n",
            {"csv": {"features": {"age": "int"}}},
            "csv.features names 'age', but the columns are text, label",
        ),
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
    with pytest.raises(
        DataError, match="line 2: a cell is longer than 4 MB, or a quote opened there is never closed"
    ):
        read(config(tmp_path))


def test_an_input_whose_values_begin_late_gets_its_type_from_them(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n" + ",a\n" * 1500 + "7,b\n")
    types = infer(str(tmp_path / "a.csv"), config(tmp_path), ["text"]).types
    assert types == {"text": "int", "label": "string"}


def test_files_with_other_columns_are_refused(tmp_path: Path, read: Read) -> None:
    csv_file(tmp_path / "a.csv", ("text", "label"), ("x", "a"))
    csv_file(tmp_path / "b.csv", ("text", "age", "label"), ("x", 1, "a"))
    with pytest.raises(DataError, match=r"b\.csv: its columns are not .* first file: it has also age"):
        read(config(tmp_path))


def test_damaged_compression_names_the_file(tmp_path: Path, read: Read) -> None:
    whole = gzip.compress(b"text,label\n" + b"some text,a\n" * 1000)
    (tmp_path / "a.csv.gz").write_bytes(whole[:-20])
    with pytest.raises(DataError, match=r"a\.csv\.gz: cannot be read to its end"):
        read(config(tmp_path))


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "NA", "-3", ""], [1, None, -3, None]),
        (["1.5", "N/A", "null"], [1.5, None, None]),
        (["9223372036854775807", "1"], [2**63 - 1, 1]),
        (["9223372036854775808", "1"], [b"9223372036854775808", b"1"]),
        (["123456789012345678901", "n/a"], [b"123456789012345678901", None]),
        (["9007199254740993", "0.5"], [b"9007199254740993", b"0.5"]),
        (["1e39", "1"], [b"1e39", b"1"]),
        (["inf", "1"], [b"inf", b"1"]),
        (["01234", "1"], [b"01234", b"1"]),
    ],
)
def test_numbers_stay_whole_and_tokens_are_missing(
    tmp_path: Path, read: Read, cells: list[str], values: list[Any]
) -> None:
    path = csv_file(tmp_path / "a.csv", ("x", "label"), *[(cell, "a") for cell in cells])
    rows, bad = read(config(path))
    assert not bad
    assert [features(row).get("x") for row in rows] == values


def test_tokens_are_the_users_own_and_a_class_is_no_token(tmp_path: Path, read: Read) -> None:
    path = csv_file(tmp_path / "a.csv", ("x", "label"), (1, "NA"), (-999, "a"), ("NA", "a"), (2, "None"))
    rows, bad = read(config(path, classes=["a", "NA"], csv={"missing": [-999, "NA"]}))
    assert [features(row) for row in rows] == [
        {"x": 1, "label": b"NA"},
        {"label": b"a"},
        {"label": b"a"},
    ]
    assert [row.reason for row in bad] == ["label 'None' is not one of a, NA (data.classes)"]
    _, (bad_row, *_) = read(config(path))
    assert bad_row.reason == "the label is missing: 'NA' stands for a missing value (data.csv.missing)"


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
def test_encodings(tmp_path: Path, read: Read, encoding: str) -> None:
    (tmp_path / "a.csv").write_text("größe,label\nklein é,a\n", encoding=encoding)
    rows, bad = read(config(tmp_path, csv={"encoding": encoding}))
    assert not bad
    assert features(rows[0]) == {"größe": "klein é".encode(), "label": b"a"}


@pytest.mark.parametrize(
    ("content", "given", "message"),
    [
        ("a,label\n1,x\n".encode("utf-16"), "utf-8", "begins as utf-16 does: set data.csv.encoding: utf-16"),
        ("a,label\n1,x\n".encode("utf-16-be"), "utf-8", "set data.csv.encoding: utf-16-be"),
        (b"a,label\n1,x\n", "utf-16", "is not utf-16: it has one byte for a letter"),
        ("größe,label\n1,x\n".encode("cp1252"), "utf-8", r"line 1: the name .*set data.csv.encoding: cp1252"),
        ("größe,label\n1,x\n".encode(), "ascii", r"line 1: the name .*set data.csv.encoding: utf-8"),
        ("a,label\n1,x\n".encode("utf-16") + b"\0", "utf-16", r"is not utf-16 \(.*truncated data"),
    ],
)
def test_a_file_in_another_encoding(
    tmp_path: Path, read: Read, content: bytes, given: str, message: str
) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.csv: .*{message}"):
        read(config(tmp_path, csv={"encoding": given}))
