"""Columns by any name: what a client must call an input is what the column is called."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from components.train.signature_names import aliases
from components.train.signatures import add_signatures
from serving.engine.saved_model import load

NAMES = [
    *(
        "plain",
        "CamelCase",
        "Feature_1 ",
        "1st",
        "0",
        "_hidden",
        "two words",
        "sepal length (cm)",
        "od280/od315",
    ),
    *("a:b", "a.b", "a-b", "a,b", "a b", "A/B", "%", "€", "Größe", "年齢", "🍎", "x" * 300),
    *("class", "from", "self", "training", "raw", "examples", "name", "inputs", "input_0", "input_1"),
]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that answers each of its inputs, times its place among them."""
    spec = {name: tf.io.FixedLenFeature([1], tf.float32) for name in NAMES}
    archive = tf_keras.export.ExportArchive()
    archive.variable = tf.Variable(1.0)

    def answer(raw: dict[str, Any]) -> dict[str, tf.Tensor]:
        weighted = [index * raw[name] for index, name in enumerate(NAMES, start=1)]
        return {"y": archive.variable * tf.concat(weighted, axis=1)}

    add_signatures(archive, spec, answer)
    target = tmp_path_factory.mktemp("names") / "model"
    archive.write_out(str(target))
    return target


def test_every_name_is_an_input_and_reaches_its_column(exported: Path) -> None:
    with load(exported) as model:
        assert set(model.signatures["serving_default"].inputs) == set(NAMES)
        values = {name: np.array([10.0, 20.0], np.float32) for name in NAMES}
        got = model.run("serving_default", values)["y"]
        np.testing.assert_array_equal(
            got, [[10 * i for i in range(1, len(NAMES) + 1)], [20 * i for i in range(1, len(NAMES) + 1)]]
        )
        example = tf.train.Example()
        for name in NAMES:
            example.features.feature[name].float_list.value.append(10.0)
        by_example = model.run(
            "serve_examples", {"examples": np.array([example.SerializeToString()], object)}
        )
        np.testing.assert_array_equal(by_example["y"], got[:1])
    assert json.dumps(NAMES)  # no name is there that JSON could not carry


def test_tensorflows_own_loader_still_loads_it(exported: Path) -> None:
    signature = tf.saved_model.load(str(exported)).signatures["serving_default"]
    known = set(signature.structured_input_signature[1])
    assert {"plain", "training", "inputs"} <= known


def test_an_alias_is_never_a_name_that_is_taken() -> None:
    given = aliases(NAMES)
    assert len(set(given.values())) == len(NAMES)
    assert given["input_0"] == "input_0"
    assert given["class"] not in NAMES
