import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components.ingest.config import DataConfig
from components.ingest.header import check
from components.ingest.rows import DataError
from tests.components.ingest.conftest import Read, csv_file, features
from tests.conftest import REPOSITORY


def config(path: Path, **fields: Any) -> DataConfig:
    return DataConfig.model_validate({"format": "csv", "path": str(path), **fields})


def test_it_is_checked_without_tensorflow(tmp_path: Path) -> None:
    csv_file(tmp_path / "a.csv", ("x", "label"))
    code = (
        "import sys; from components.ingest.header import check; from components.ingest.config import DataConfig;"
        f"check(DataConfig(format='csv', path={str(tmp_path)!r}), {{'preprocess.inputs': ['x']}});"
        "print({'tensorflow', 'tfx', 'apache_beam', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("header", "fields", "message"),
    [
        (
            "x,Label",
            {},
            "no column 'label'. Did you mean 'Label'? The columns are x, Label. Correct data.label",
        ),
        ("y,label", {}, "no column 'x'. The columns are y, label. Correct preprocess.inputs, or the header."),
        ("x,label", {"split_by": ["customer"]}, "no column 'customer'. The columns are x, label"),
        (
            "x,label",
            {"split_by_time": {"column": "day", "eval_from": 1}},
            "no column 'day'. The columns are x, label. Correct data.split_by_time.column",
        ),
        ("x,x,label", {}, "names the column 'x' twice, and preprocess.inputs reads it"),
        ('"x\n",label', {}, "preprocess.inputs reads 'x', but it is called 'x\\\\n', with a line break"),
        ("x;label", {}, 'the header is divided by ";": set data.csv.delimiter: ";"'),
        ('"x";"a, b";"label"', {}, 'the header is divided by ";"'),
        ("x\ta, b\tlabel", {}, 'set data.csv.delimiter: "\\\\t"'),
        ("y;label", {}, "is one name, 'y;label': set data.csv.delimiter, perhaps to \";\""),
        ("5.1,3.5", {}, "If the first line is no header, set data.csv.header: false"),
        ("PAR1\x15\x04", {}, "no delimited text; it is Parquet, which is not read: save it as CSV"),
        ("PK\x03\x04", {}, "a workbook such as .xlsx"),
        ('[{"x": 1}]', {}, "it is JSON"),
        ("", {}, "the file is empty"),
        ('"x', {}, "line 1: the header cannot be read"),
        ("x,label," + ",".join(f"c{i}" for i in range(1000)), {"label": "d"}, "c7 and 992 more"),
    ],
)
def test_what_is_read_must_be_there(tmp_path: Path, header: str, fields: Any, message: str) -> None:
    (tmp_path / "a.csv").write_text(header and header + "\n1,a\n")
    with pytest.raises(DataError) as caught:
        check(config(tmp_path / "a.csv", **fields), {"preprocess.inputs": ["x"]})
    assert str(tmp_path / "a.csv") in str(caught.value)
    assert message.replace("\\\\", "\\") in str(caught.value)


def test_what_nobody_reads_may_be_called_anything(tmp_path: Path, read: Read) -> None:
    header = ("", "x", "twice", "twice", "over\nlines", "label")
    path = csv_file(tmp_path / "a.csv", header, (0, 1.5, 1, 2, 3, "a"))
    check(config(path), {"preprocess.inputs": ["x"]})
    rows, bad = read(config(path))
    assert not bad
    assert features(rows[0]) == {"Unnamed: 0": 0, "x": 1.5, "label": b"a"}


def test_there_must_be_files_unless_the_run_makes_them(tmp_path: Path) -> None:
    check(config(tmp_path / "made", make="data.reviews:write"), {"preprocess.inputs": ["text"]})
    with pytest.raises(DataError, match=r"none\.csv: no csv files there"):
        check(config(tmp_path / "none.csv"), {})
    check(DataConfig(format="images", path=str(tmp_path / "none")), {"preprocess.inputs": ["image"]})
