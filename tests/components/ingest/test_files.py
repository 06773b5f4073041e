import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from components.ingest import files
from components.ingest.config import DataConfig
from components.ingest.rows import DataError
from tests.components.ingest.conftest import Read, csv_file, features, png


def test_file_glob_and_folder(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv.gz", "notes.md", ".hidden.csv", "_temporary/c.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    a, b = str(tmp_path / "a.csv.gz"), str(tmp_path / "b.csv")
    assert files.find(str(tmp_path), "csv") == [a, b]
    assert files.find(str(tmp_path / "*.csv"), "csv") == [b]
    assert files.find(str(tmp_path / "notes.md"), "csv") == [str(tmp_path / "notes.md")]
    skipped = [Path(file).name for file in files.look(str(tmp_path), "csv").skipped]
    assert skipped == [".hidden.csv", "c.csv", "notes.md"]
    with pytest.raises(DataError, match=r"no idx files there \(5 of another name, such as .*hidden\.csv\)"):
        files.find(str(tmp_path), "idx")


@pytest.mark.parametrize("folder", ["data [v2]", "what is it?", "a::b", "week#1 ü", "_new", ".cache"])
def test_a_path_that_exists_is_taken_as_it_is(
    tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a[1].csv", "b#2 ::.csv"):
        (tmp_path / folder).mkdir(exist_ok=True)
        csv_file(tmp_path / folder / name, ("x", "label"), (1, "a"))
    a, b = str(tmp_path / folder / "a[1].csv"), str(tmp_path / folder / "b#2 ::.csv")
    monkeypatch.chdir(tmp_path)
    for path in (str(tmp_path / folder), folder, str(tmp_path / folder / "*.csv"), f"{folder}/[ab]*"):
        assert files.find(path, "csv") == [a, b]
    for path in (a, b):
        assert files.find(path, "csv") == [path]
        with files.opened(path) as file:
            assert file.read().startswith(b"x,label")


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compression_is_known_by_its_bytes(
    tmp_path: Path, read: Read, compress: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "a.csv").write_bytes(compress(b"text,label\nfine,a\n"))
    (tmp_path / "b.csv.gz").write_bytes(b"text,label\nplain,a\n")
    rows, bad = read(DataConfig(format="csv", path=str(tmp_path)))
    assert not bad
    assert [features(row)["text"] for row in rows] == [b"fine", b"plain"]


@pytest.mark.parametrize("path", ["none.csv", "no*.csv", "", "none://x/y", "s3://"])
def test_nothing_there_says_what_to_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="Check "):
        files.find(path, "csv")


def test_a_stream_that_cannot_go_back_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stream(io.BytesIO):
        def seek(self, *_: int) -> int:
            raise ValueError("Cannot seek streaming HTTP file")

    class Server:
        def open(self, path: str, mode: str) -> Stream:
            return Stream(gzip.compress(b"text,label\n"))

    monkeypatch.setattr(files, "resolve", lambda url: (Server(), url))
    with files.opened("https://host/a.csv") as file:
        assert file.read() == b"text,label\n"


def test_a_path_that_yaml_cut_off_is_told(tmp_path: Path) -> None:
    (tmp_path / "my #1.csv").write_text("x")
    with pytest.raises(DataError, match="follows a space and # for a comment: quote the path"):
        files.find(str(tmp_path / "my"), "csv")


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
