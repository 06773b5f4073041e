from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.train.inputs import class_counts, dataset

SPEC = {"ids": tf.io.VarLenFeature(tf.int64), "label": tf.io.FixedLenFeature([], tf.string)}
ROWS = [([5, 6, 7], "b"), ([], "a"), ([8], "b")]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    path = tmp_path / "examples.gz"
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for ids, label in ROWS:
            example = tf.train.Example()
            example.features.feature["ids"].int64_list.value.extend(ids)
            example.features.feature["label"].bytes_list.value.append(label.encode())
            writer.write(example.SerializeToString())
    return [str(path)]


def test_sequences_are_padded_to_their_batch_and_labels_become_ids(files: list[str]) -> None:
    ((features, ids),) = dataset(files, SPEC, "label", ["a", "b"], 3).as_numpy_iterator()
    np.testing.assert_array_equal(features["ids"], [[5, 6, 7], [0, 0, 0], [8, 0, 0]])
    np.testing.assert_array_equal(ids, [1, 0, 1])


def test_an_empty_text_alone_still_has_one_step(files: list[str]) -> None:
    shapes = [features["ids"].shape for features, _ in dataset(files, SPEC, "label", ["a", "b"], 1)]
    assert shapes == [(1, 3), (1, 1), (1, 1)]


def test_an_unknown_label_stops_the_training(files: list[str]) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="a label is not among the classes"):
        list(dataset(files, SPEC, "label", ["a"], 3))


def test_shuffling_is_repeatable_and_complete(files: list[str]) -> None:
    def order(seed: int) -> list[int]:
        batches = dataset(files, SPEC, "label", ["a", "b"], 1, (10, seed)).as_numpy_iterator()
        return [int(features["ids"].sum()) for features, _ in batches]

    assert order(3) == order(3)
    assert sorted(order(3)) == [0, 8, 18]


def test_classes_are_counted(files: list[str]) -> None:
    assert class_counts(files, SPEC, "label", ["a", "b", "c"]) == [1, 2, 0]
