import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from components.ingest.config import DataConfig
from components.ingest.rows import DataError
from tests.components.ingest.conftest import Read, features, idx

PIXELS = np.arange(5 * 3 * 4, dtype=np.uint8).reshape(5, 3, 4)
LABELS = np.array([0, 1, 2, 1, 0], np.uint8)


def config(path: Path, **fields: Any) -> DataConfig:
    return DataConfig.model_validate({"format": "idx", "path": str(path), **fields})


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_images_become_png_with_the_same_pixels(tmp_path: Path, read: Read, ending: str) -> None:
    idx(tmp_path / f"t10k-images-idx3-ubyte{ending}", PIXELS)
    idx(tmp_path / f"t10k-labels-idx1-ubyte{ending}", LABELS)
    rows, bad = read(config(tmp_path))
    assert not bad
    assert [row.label for row in rows] == ["0", "1", "2", "1", "0"]
    for row, pixels in zip(rows, PIXELS, strict=True):
        image = features(row)["image"]
        assert isinstance(image, bytes)
        np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(image))), pixels)


def test_colour_and_names_of_classes(tmp_path: Path, read: Read) -> None:
    idx(tmp_path / "images.idx4", np.zeros((3, 4, 4, 3), np.uint8))
    idx(tmp_path / "labels.idx1", np.array([0, 1, 2], np.uint8))
    rows, bad = read(config(tmp_path, classes=["cat", "dog"]))
    assert [features(row)["label"] for row in rows] == [b"cat", b"dog"]
    assert [row.reason for row in bad] == ["label '2' is not one of cat, dog (data.classes)"]


def test_counts_that_differ_and_files_cut_off(tmp_path: Path, read: Read) -> None:
    idx(tmp_path / "images-idx3", PIXELS)
    idx(tmp_path / "labels-idx1", LABELS[:3])
    rows, (bad,) = read(config(tmp_path))
    assert (len(rows), bad.row, bad.rows) == (3, 4, 2)
    assert "5 rows, but" in bad.reason
    idx(tmp_path / "images-idx3", PIXELS, promised=9)
    idx(tmp_path / "labels-idx1", np.zeros(9, np.uint8))
    rows, (bad,) = read(config(tmp_path))
    assert (len(rows), bad.row, bad.rows) == (5, 6, 4)
    assert bad.reason == "cut off: the header promises 9 rows"


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (b"", b"", "images-idx3: the file is empty"),
        (b"\x89PNG", b"", "images-idx3: not an IDX file"),
        (b"\0\0\x08\x03\0\0", b"", "cut off inside the header"),
        (b"\0\0\x08\x03" + b"\0\0\0\1" * 2 + b"\0\0\0\0", b"\0\0\x08\1\0\0\0\1\0", "has no images"),
    ],
)
def test_what_is_no_idx(tmp_path: Path, read: Read, images: bytes, labels: bytes, message: str) -> None:
    (tmp_path / "images-idx3").write_bytes(images)
    (tmp_path / "labels-idx1").write_bytes(labels)
    with pytest.raises(DataError, match=message):
        read(config(tmp_path))


def test_files_that_miss_their_pair(tmp_path: Path, read: Read) -> None:
    idx(tmp_path / "train-images-idx3", PIXELS)
    with pytest.raises(DataError, match="train-images-idx3: no label file"):
        read(config(tmp_path))
    (tmp_path / "train-images-idx3").rename(tmp_path / "train-labels-idx1")
    with pytest.raises(DataError, match="no file named like images-idx3-ubyte"):
        read(config(tmp_path))
