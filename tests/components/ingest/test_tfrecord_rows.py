from pathlib import Path

import pytest
import tensorflow as tf

from components.ingest.config import DataConfig
from components.ingest.rows import DataError
from tests.components.ingest.conftest import Read, example, features, tfrecord


def test_examples_pass_and_integer_labels_become_strings(tmp_path: Path, read: Read) -> None:
    tfrecord(tmp_path / "a.tfrecord", [example(label=b"cat", x=1.5), example(label=7, y=2)])
    rows, bad = read(DataConfig(format="tfrecord", path=str(tmp_path)))
    assert not bad
    assert [features(row) for row in rows] == [{"label": b"cat", "x": 1.5}, {"label": b"7", "y": 2}]


def test_bad_records_are_named(tmp_path: Path, read: Read) -> None:
    several = tf.train.Example()
    several.features.feature["label"].bytes_list.value.extend([b"cat", b"dog"])
    records = [
        b"\xff\xff\xff",
        example(x=1),
        example(label=0.5),
        example(label=b"cow"),
        example(label=b"cat"),
        several.SerializeToString(),
    ]
    path = tfrecord(tmp_path / "a.tfrecord", records)
    rows, bad = read(DataConfig(format="tfrecord", path=str(path), classes=["cat", "dog"]))
    assert [row.row for row in rows] == [5]
    assert [(row.row, row.reason) for row in bad] == [
        (1, "not a tf.train.Example"),
        (2, "no feature 'label'; it has x"),
        (3, "label 'label' must be one string or integer, not 0.5"),
        (4, "label 'cow' is not one of cat, dog (data.classes)"),
        (6, "label 'label' has 2 values, b'cat', b'dog': Slipway learns one class for each example"),
    ]


@pytest.mark.parametrize("label", [True, False])
def test_sequence_examples_are_refused(tmp_path: Path, read: Read, label: bool) -> None:
    sequence = tf.train.SequenceExample()
    if label:
        sequence.context.feature["label"].bytes_list.value.append(b"cat")
    sequence.feature_lists.feature_list["steps"].feature.add().float_list.value.append(1.5)
    tfrecord(tmp_path / "a.tfrecord", [example(label=b"dog"), sequence.SerializeToString()])
    with pytest.raises(
        DataError, match=r"a\.tfrecord: record 2 is a tf\.train\.SequenceExample.*lost\. Write"
    ):
        read(DataConfig(format="tfrecord", path=str(tmp_path)))


def test_gzip_without_its_name(tmp_path: Path, read: Read) -> None:
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord"), "GZIP") as writer:
        for i in range(50):
            writer.write(example(label=b"cat", x=i))
    rows, bad = read(DataConfig(format="tfrecord", path=str(tmp_path)))
    assert (len(rows), len(bad)) == (50, 0)
    content = (tmp_path / "a.tfrecord").read_bytes()
    (tmp_path / "a.tfrecord").write_bytes(content[:-10])
    with pytest.raises(DataError, match=r"a\.tfrecord: .*cut off"):
        read(DataConfig(format="tfrecord", path=str(tmp_path)))


def test_damaged_files_are_refused(tmp_path: Path, read: Read) -> None:
    path = tfrecord(tmp_path / "a.tfrecord", [example(label=b"cat"), example(label=b"dog")])
    content = path.read_bytes()
    path.write_bytes(content[:-3])
    with pytest.raises(DataError, match=r"a\.tfrecord: record 2 is damaged or cut off"):
        read(DataConfig(format="tfrecord", path=str(tmp_path)))
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"a\.tfrecord: the file is empty"):
        read(DataConfig(format="tfrecord", path=str(tmp_path)))
