"""What a request may leave out, and lists of varying length: both signatures answer alike."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from components.raw import raw_inputs
from components.train.signatures import add_signatures
from serving.engine.saved_model import load
from serving.inference.checks import check_inputs

SPEC = {
    "age of owner": tf.io.VarLenFeature(tf.float32),
    "count": tf.io.VarLenFeature(tf.int64),
    "items": tf.io.VarLenFeature(tf.string),
    "scores": tf.io.VarLenFeature(tf.float32),
    "size": tf.io.FixedLenFeature([1], tf.float32),
    "town": tf.io.FixedLenFeature([1], tf.string),
}
ROWS: list[dict[str, list[Any]]] = [
    {
        "age of owner": [30.0],
        "count": [0],
        "items": [b"bag", b"toy"],
        "scores": [0.0, 1.0, 2.0],
        "size": [1.0],
        "town": [b"Ulm"],
    },
    {"age of owner": [], "count": [], "items": [], "scores": [], "size": [2.0], "town": [b"Ulm"]},
    {
        "age of owner": [0.0],
        "count": [7],
        "items": [b"bag"],
        "scores": [5.0],
        "size": [3.0],
        "town": [b"Ulm"],
    },
]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that tells how many values of each feature reach it, and their sums."""
    archive = tf_keras.export.ExportArchive()
    archive.variable = tf.Variable(1.0)

    def answer(raw: dict[str, Any]) -> dict[str, tf.Tensor]:
        told = [archive.variable * raw["size"][:, 0] * tf.cast(raw["town"][:, 0] == "Ulm", tf.float32)]
        for name in ("age of owner", "count", "items", "scores"):
            rows = tf.RaggedTensor.from_sparse(raw[name])
            told.append(tf.cast(rows.row_lengths(), tf.float32))
            if rows.dtype != tf.string:
                told.append(tf.reduce_sum(tf.cast(rows, tf.float32), axis=1))
        return {"told": tf.stack(told, axis=1)}

    add_signatures(archive, SPEC, answer, lists=("items", "scores"))
    target = tmp_path_factory.mktemp("signatures") / "model"
    archive.write_out(str(target))
    return target


def _example(row: dict[str, list[Any]]) -> Any:
    features = {}
    for name, values in row.items():
        kind = SPEC[name].dtype
        features[name] = (
            tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
            if kind == tf.string
            else tf.train.Feature(int64_list=tf.train.Int64List(value=values))
            if kind == tf.int64
            else tf.train.Feature(float_list=tf.train.FloatList(value=values))
        )
    return tf.train.Example(features=tf.train.Features(feature={n: f for n, f in features.items() if row[n]}))


TOWNS = np.array([b"Ulm", b"Ulm"], object)
EXPECTED = [[1, 1, 30, 1, 0, 2, 3, 3], [2, 0, 0, 0, 0, 0, 0, 0], [3, 1, 0, 1, 7, 1, 1, 5]]


def test_gaps_and_lists_are_the_same_by_either_signature(exported: Path) -> None:
    examples = [_example(row) for row in ROWS]
    with load(exported) as model:
        signature = model.signatures["serving_default"]
        sent = raw_inputs(examples, signature)
        assert sent["items"].tolist() == [[b"bag", b"toy"], [b"", b""], [b"bag", b""]]
        by_name = model.run("serving_default", sent)["told"]
        serialized = np.array([example.SerializeToString() for example in examples], object)
        by_example = model.run("serve_examples", {"examples": serialized})["told"]
    np.testing.assert_array_equal(by_name, EXPECTED)
    np.testing.assert_array_equal(by_example, EXPECTED)


def test_what_is_left_out_is_missing_in_every_row_and_what_is_required_is_asked_for(exported: Path) -> None:
    with load(exported) as model:
        signature = model.signatures["serving_default"]
        assert set(signature.defaults) == {"age of owner", "count", "items", "scores"}
        inputs = check_inputs(signature, {"size": np.array([1.0, 2.0], np.float32), "town": TOWNS})
        told = model.run("serving_default", inputs)["told"]
        np.testing.assert_array_equal(told, [[1, *[0] * 7], [2, *[0] * 7]])
        with pytest.raises(Exception, match=r"Missing but required: \{size,town\}"):
            check_inputs(signature, {"count": np.array([1], np.int64)})


def test_tensorflows_own_loader_still_loads_it(exported: Path) -> None:
    assert "serving_default" in tf.saved_model.load(str(exported)).signatures
