from pathlib import Path

import apache_beam as beam

from components.ingest import report, write
from components.ingest.config import DataConfig
from tests.components.ingest.conftest import Read, features, png


def test_folders_are_classes_and_bytes_stay(tmp_path: Path, read: Read) -> None:
    for name, content in {"cat/1.png": png(1), "dog/2.JPG": png(2, (5, 6, 3), "JPEG")}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "cat" / ".DS_Store").write_bytes(b"hidden files are left out")
    rows, bad = read(DataConfig(format="images", path=str(tmp_path)))
    assert not bad
    assert [features(row) for row in rows] == [
        {"image": png(1), "label": b"cat"},
        {"image": png(2, (5, 6, 3), "JPEG"), "label": b"dog"},
    ]


def test_what_is_no_picture_is_skipped_and_said(tmp_path: Path) -> None:
    for i in range(30):
        for label, kind in (("one", "PNG"), ("_two", "BMP")):
            (tmp_path / "in" / label).mkdir(exist_ok=True, parents=True)
            (tmp_path / "in" / label / f"{i}").write_bytes(png(i, (4, 4), kind))
    for name in ("Thumbs.db", "one/.DS_Store", "one/notes.txt"):
        (tmp_path / "in" / name).write_bytes(b"not a picture")
    config = DataConfig(format="images", path=str(tmp_path / "in"))
    summary = write.write(
        config, ["image"], str(tmp_path / "out"), beam.Pipeline(argv=["--runner=FnApiRunner"])
    )
    assert summary["labels"]["train"].keys() == {"one", "_two"}
    assert summary["bad_rows"] == 0
    assert report.sentence(summary).partition("; ")[2] == (
        "3 files skipped: Thumbs.db, .DS_Store, notes.txt; converted to PNG: 30 BMP"
    )


def test_bad_images_are_named(tmp_path: Path, read: Read) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cow").mkdir()
    noise = png(0, (40, 40, 3))
    for name, content in {
        "cat/cut.png": noise[:-30],
        "cat/empty.png": b"",
        "cat/notes.txt": b"hello",
        "cat/right.png": noise,
        "cat/empty": b"",
        "cat/called.jpg": b"hello",
        "cow/1.png": noise,
        "stray.png": noise,
    }.items():
        (tmp_path / name).write_bytes(content)
    rows, bad = read(DataConfig(format="images", path=str(tmp_path), classes=["cat", "dog"]))
    assert [Path(row.source).name for row in rows] == ["right.png"]
    assert {Path(row.source).name: row.reason.split(":")[0] for row in bad} == {
        "cut.png": "not a whole PNG image",
        "empty.png": "empty file",
        "called.jpg": "not a picture",
        "1.png": "label 'cow' is not one of cat, dog (data.classes)",
        "stray.png": "not in a folder of its class; the layout is class/name.png",
    }
