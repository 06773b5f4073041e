"""Preprocessing, training inputs and export together: what a client may send, and what it is answered."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_transform.tf_metadata import schema_utils

from components.preprocess.config import PreprocessConfig
from components.preprocess.transform import preprocessing_fn
from components.train.config import ModelConfig, TrainConfig
from components.train.export import export, keras_of
from components.train.fit import ModelError, build
from components.train.inputs import feature_specs
from serving.engine.saved_model import load
from tests.components.analysis import analyzed

CLASSES = ["no", "yes"]
TEXTS = ["good film", "bad, bad film!", "", "good good unknown"]
RAW = {
    "text": tf.io.VarLenFeature(tf.string),
    "count": tf.io.VarLenFeature(tf.int64),
    "label": tf.io.FixedLenFeature([1], tf.string),
}


def _preprocessed(tmp_path: Path, config: PreprocessConfig) -> Any:
    """Run tf.Transform on the texts and return its TFTransformOutput."""
    schema = schema_utils.schema_from_feature_spec(RAW)
    for feature in schema.feature:
        feature.value_count.max = 1
    rows: list[dict[str, list[Any]]] = [
        {"text": [text], "count": [i], "label": ["yes"]} for i, text in enumerate(TEXTS)
    ]
    custom = {"config": config.model_dump_json(), "label": "label"}
    return analyzed(tmp_path, schema, rows, lambda inputs: preprocessing_fn(inputs, custom))


@pytest.fixture(scope="module")
def transform(tmp_path_factory: pytest.TempPathFactory) -> Any:
    config = PreprocessConfig(module="text", inputs=("text",), vocabulary_size=3, max_length=2)
    return _preprocessed(tmp_path_factory.mktemp("text"), config)


KERAS_3 = """
import keras

def build_model(features, num_classes, hyperparameters):
    text = keras.Input([None], name="text", dtype="int64")
    x = keras.layers.Embedding(hyperparameters["vocabulary_size"], 4)(text)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model({"text": text}, keras.layers.Dense(num_classes, activation="softmax")(x))
"""


@pytest.mark.parametrize("kind", ["tf_keras", "keras"])
def test_both_kerases_answer_raw_text_and_examples_alike(transform: Any, tmp_path: Path, kind: str) -> None:
    (tmp_path / "model.py").write_text(KERAS_3)
    module = "lstm" if kind == "tf_keras" else str(tmp_path / "model.py")
    spec = transform.transformed_feature_spec()
    features = feature_specs(spec, "label")
    model, keras, _ = build(ModelConfig(module=module), TrainConfig(), features, 2, {"vocabulary_size": 5})
    assert keras.__name__ == kind
    export(model, transform, ["text"], CLASSES, tmp_path / "model")
    with load(tmp_path / "model") as served:
        raw = served.run("serving_default", {"text": np.array([t.encode() for t in TEXTS], object)})
        examples = [
            tf.train.Example(
                features=tf.train.Features(
                    feature={"text": tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))}
                )
            ).SerializeToString()
            for text in TEXTS
        ]
        parsed = served.run("serve_examples", {"examples": np.array(examples, object)})
        assert set(served.signatures) == {"serving_default", "serve_examples"}
    assert raw["probabilities"].shape == (len(TEXTS), 2)
    np.testing.assert_allclose(raw["probabilities"].sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(raw["probabilities"], parsed["probabilities"], rtol=1e-5)
    assert raw["class_id"].tolist() == raw["probabilities"].argmax(1).tolist()
    assert [label.decode() for label in raw["label"]] == [CLASSES[i] for i in raw["class_id"]]
    # The vocabulary is in the model: "good" and "bad" are told apart.
    assert not np.allclose(raw["probabilities"][0], raw["probabilities"][1])


def test_an_output_of_the_wrong_length_is_refused(transform: Any, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(KERAS_3.replace("Dense(num_classes", "Dense(7"))
    features = feature_specs(transform.transformed_feature_spec(), "label")
    with pytest.raises(
        ModelError, match=r"has the shape \(None, 7\); it must be one probability for each of the 2"
    ):
        build(
            ModelConfig(module=str(tmp_path / "model.py")), TrainConfig(), features, 2, {"vocabulary_size": 5}
        )


def test_what_is_no_keras_model_is_refused() -> None:
    with pytest.raises(TypeError, match="dict, which is not a Keras model"):
        keras_of({})


def test_the_same_seed_builds_the_same_weights(transform: Any) -> None:
    features = feature_specs(transform.transformed_feature_spec(), "label")

    def weights(seed: int) -> Any:
        return build(ModelConfig(module="lstm"), TrainConfig(seed=seed), features, 2, {"vocabulary_size": 5})[
            0
        ].get_weights()

    for one, two in zip(weights(1), weights(1), strict=True):
        np.testing.assert_array_equal(one, two)
    assert any(not np.array_equal(one, two) for one, two in zip(weights(1), weights(2), strict=True))
