from pathlib import Path

import fsspec
import pytest

from components.ingest import files
from components.ingest.config import DataConfig
from components.ingest.rows import DataError
from tests.components.ingest.conftest import Read, csv_file, features, png


def test_file_glob_and_folder(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv.gz", "notes.md", ".hidden.csv", "_SUCCESS.csv"):
        (tmp_path / name).write_text("x")
    a, b = str(tmp_path / "a.csv.gz"), str(tmp_path / "b.csv")
    assert files.find(str(tmp_path), "csv") == [a, b]
    assert files.find(str(tmp_path / "*.csv"), "csv") == [b]
    assert files.find(str(tmp_path / "notes.md"), "csv") == [str(tmp_path / "notes.md")]


@pytest.mark.parametrize("path", ["none.csv", "no*.csv", "", "none://x/y", "s3://"])
def test_nothing_there_says_what_to_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="Check "):
        files.find(path, "csv")


def test_the_fingerprint_follows_names_and_contents(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "a.csv", ("x", "label"), (1, "a"))
    config = DataConfig(format="csv", path=str(tmp_path))
    first = files.fingerprint(config)
    path.touch()
    assert files.fingerprint(config) == first, "times do not count"
    csv_file(path, ("x", "label"), (2, "a"))
    second = files.fingerprint(config)
    path.rename(tmp_path / "b.csv")
    assert len({first, second, files.fingerprint(config)}) == 3


def test_the_sample_is_made_once(tmp_path: Path) -> None:
    config = DataConfig(format="csv", path=str(tmp_path / "made"), make="data.reviews:write")
    files.ensure(config)
    written = (tmp_path / "made" / "reviews.csv").stat().st_mtime_ns
    files.ensure(config)
    assert (tmp_path / "made" / "reviews.csv").stat().st_mtime_ns == written
    with pytest.raises(DataError, match=r"data\.make: data\.nothing:write cannot be imported"):
        files.ensure(config.model_copy(update={"path": str(tmp_path / "x"), "make": "data.nothing:write"}))


def test_s3(s3_url: str, read: Read) -> None:
    fs, _ = fsspec.core.url_to_fs(s3_url)
    fs.pipe(f"{s3_url}/text/a.csv", b"text,label\nfine,a\nworse,b\n")
    config = DataConfig(format="csv", path=f"{s3_url}/text")
    rows, bad = read(config)
    assert not bad
    assert [features(row)["text"] for row in rows] == [b"fine", b"worse"]
    assert rows[0].source == f"{s3_url}/text/a.csv"
    first = files.fingerprint(config)
    assert files.fingerprint(config) == first
    fs.pipe(f"{s3_url}/text/a.csv", b"text,label\nfine,a\nworse,a\n")
    assert files.fingerprint(config) != first

    fs.pipe({f"{s3_url}/pictures/cat/1.png": png(1), f"{s3_url}/pictures/dog/1.png": png(2)})
    rows, bad = read(DataConfig(format="images", path=f"{s3_url}/pictures/"))
    assert not bad
    assert [row.label for row in rows] == ["cat", "dog"]
