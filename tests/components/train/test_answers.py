"""What build_model may return, in both Keras: softmax, logits, one sigmoid unit; functional and subclassed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.outputs import output_faults
from components.train.answers import with_probabilities
from components.train.config import ModelConfig, TrainConfig
from components.train.fit import ModelError, build

FEATURES = {"x": tf.TensorSpec([3], tf.float32, name="x")}
HEADS = {
    "softmax": ('keras.layers.Dense(2, activation="softmax")', "", None),
    "logits by key": ("keras.layers.Dense(2)", "", "logits"),
    "logits by loss": (
        "keras.layers.Dense(2)",
        "model.compile(keras.optimizers.Adam(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True))",
        None,
    ),
    "sigmoid": ('keras.layers.Dense(1, activation="sigmoid")', "", None),
    "one logit": ("keras.layers.Dense(1)", "", "logits"),
}
FUNCTIONAL = """
def build_model(features, num_classes, hyperparameters):
    x = keras.Input([3], name="x")
    hidden = keras.layers.Dense(8, activation="relu")(x)
    model = keras.Model({{"x": x}}, {head}(hidden))
    {compiled}
    return model
"""
SUBCLASSED = """
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(8, activation="relu")
        self.head = {head}

    def call(self, inputs):
        return self.head(self.hidden(inputs["x"]))


def build_model(features, num_classes, hyperparameters):
    model = Net()
    {compiled}
    return model
"""


def _data() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    x = np.random.default_rng(1).normal(size=(512, 3)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.int64)


@pytest.mark.parametrize("shape", [FUNCTIONAL, SUBCLASSED], ids=["functional", "subclassed"])
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
@pytest.mark.parametrize("head", HEADS)
def test_it_is_trained_with_the_right_loss_and_answers_probabilities(
    tmp_path: Path, head: str, package: str, shape: str
) -> None:
    layer, compiled, output = HEADS[head]
    source = f"import {package} as keras\n" + shape.format(head=layer, compiled=compiled)
    (tmp_path / "model.py").write_text(source)
    config = ModelConfig.model_validate({"module": str(tmp_path / "model.py"), "output": output})
    model, keras, answers = build(config, TrainConfig(learning_rate=0.05), FEATURES, 2, {})
    x, y = _data()
    model.fit({"x": x}, y, epochs=6, batch_size=64, verbose=0)
    finished = with_probabilities(model, keras, answers, FEATURES)
    probabilities = np.asarray(finished({"x": x}, training=False))
    assert probabilities.shape == (512, 2)
    assert output_faults(probabilities).count == 0
    assert (probabilities.argmax(1) == y).mean() > 0.93


@pytest.mark.parametrize(
    ("head", "output", "said"),
    [
        ("keras.layers.Dense(3)", None, r"output has the shape \(None, 3\); .* second class, \(None, 1\)"),
        ("keras.layers.Dense(2)", "probabilities", "from_logits=True, and model.output is probabilities"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, head: str, output: str | None, said: str) -> None:
    compiled = HEADS["logits by loss"][1]
    (tmp_path / "model.py").write_text("import keras\n" + FUNCTIONAL.format(head=head, compiled=compiled))
    config = ModelConfig.model_validate({"module": str(tmp_path / "model.py"), "output": output})
    with pytest.raises(ModelError, match=said):
        build(config, TrainConfig(), FEATURES, 2, {})
