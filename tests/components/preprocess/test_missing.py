"""Every policy for missing values, in tf.Transform's analysis and on rows that come later."""

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow_transform.tf_metadata import schema_utils

from components.preprocess.config import Missing, PreprocessConfig
from components.preprocess.missing import MissingError, fill
from components.preprocess.transform import raw_features
from tests.components.analysis import analyzed

TRAIN: list[dict[str, list[Any]]] = [
    {"age": [1.0], "rooms": [1], "town": ["Bonn"], "fare": [0.125], "pair": [1.0, 2.0], "floor": [4]},
    {"age": [], "rooms": [2], "town": ["Köln"], "fare": [0.125], "pair": [], "floor": []},
    {"age": [3.0], "rooms": [], "town": [], "fare": [7.5], "pair": [3.0, 4.0], "floor": [-3]},
    {"age": [8.0], "rooms": [9], "town": ["Köln"], "fare": [], "pair": [5.0, 6.0], "floor": [-3]},
]
MISSING = {
    "age": "mean",
    "rooms": {"strategy": "median", "add_indicator": True},
    "town": "most_frequent",
    "fare": "most_frequent",
    "pair": [0.5, -0.5],
    "floor": "most_frequent",
}
CONFIG = PreprocessConfig.model_validate({"module": "own.py", "inputs": list(MISSING), "missing": MISSING})
TYPES = {"age": tf.float32, "rooms": tf.int64, "town": tf.string, "fare": tf.float32, "pair": tf.float32}
TYPES["floor"] = tf.int64


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("missing")
    spec = {name: tf.io.VarLenFeature(dtype) for name, dtype in TYPES.items()}
    schema = schema_utils.schema_from_feature_spec(spec)
    transform = analyzed(folder, schema, TRAIN, lambda inputs: raw_features(inputs, CONFIG))
    return transform.transform_features_layer()


def test_gaps_get_what_the_training_rows_say_and_values_stay(layer: Any) -> None:
    full = {"age": 100.0, "rooms": 100, "town": "Ulm", "fare": 1e-5, "pair": [7.0, 8.0], "floor": 2**62}
    rows = {
        name: tf.ragged.constant([[], value if isinstance(value, list) else [value]], TYPES[name]).to_sparse()
        for name, value in full.items()
    }
    got = {name: value.numpy().tolist() for name, value in layer(rows).items()}
    assert got["age"] == [4.0, 100.0]
    assert got["rooms"] == [2.0, 100.0]
    assert got["rooms_missing"] == [1.0, 0.0]
    assert got["town"] == ["Köln".encode(), b"Ulm"]
    assert got["fare"] == pytest.approx([0.125, 1e-5])
    assert got["pair"] == [[0.5, -0.5], [7.0, 8.0]]
    assert got["floor"] == [-3, 2**62]


@pytest.mark.parametrize(
    ("values", "policy", "said"),
    [
        (["a"], Missing(strategy="mean"), "'x' is text, or without any value, and has no mean"),
        (["a"], Missing(fill_value=1), "1 is no string, which 'x' is"),
        ([1.5], Missing(fill_value="none"), "'none' is no float32, which 'x' is"),
    ],
)
def test_a_policy_that_does_not_fit_the_type_is_named(values: list[Any], policy: Missing, said: str) -> None:
    with pytest.raises(MissingError, match=said):
        fill("x", tf.SparseTensor([[0, 0]], values, [2, 1]), policy)


def test_several_values_in_an_example_are_not_cut_to_the_first() -> None:
    lists = tf.SparseTensor([[0, 0], [0, 1]], [1.0, 2.0], [2, 2])
    with pytest.raises(tf.errors.InvalidArgumentError, match="'x' has several values in an example"):
        fill("x", lists, Missing(fill_value=0.0))
    with pytest.raises(tf.errors.InvalidArgumentError, match="has not the 3 values"):
        fill("x", lists, Missing(fill_value=(0.0, 0.0, 0.0)))


def test_a_feature_without_gaps_is_taken_too(tmp_path: Path) -> None:
    assert fill("x", tf.constant([["a"], [""]]), Missing(fill_value="b")).numpy().tolist() == [b"a", b""]
