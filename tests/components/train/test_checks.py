"""Models that could train to nothing are told before they are trained, in both Keras."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.train.checks import untrained_fault
from components.train.config import ModelConfig, TrainConfig
from components.train.fit import ModelError, build
from tests.components.train.test_answers import FEATURES, FUNCTIONAL


def _build(tmp_path: Path, package: str, head: str, compiled: str = "", classes: int = 2) -> Any:
    source = f"import {package} as keras\n" + FUNCTIONAL.format(head=head, compiled=compiled)
    (tmp_path / "model.py").write_text(source)
    return build(ModelConfig(module=str(tmp_path / "model.py")), TrainConfig(), FEATURES, classes, {})


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
@pytest.mark.parametrize(
    ("units", "loss", "said"),
    [
        (
            2,
            '"categorical_crossentropy"',
            "labels are class ids, 0, 1, 2, …, and 2 units need sparse_categorical",
        ),
        (2, '"mse"', "Slipway trains classifiers"),
        (2, "keras.losses.BinaryCrossentropy()", "compiled with BinaryCrossentropy"),
        (1, "keras.losses.SparseCategoricalCrossentropy()", "1 unit needs binary_crossentropy"),
    ],
)
def test_a_loss_that_cannot_read_class_ids_is_refused(
    tmp_path: Path, package: str, units: int, loss: str, said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        _build(tmp_path, package, f"keras.layers.Dense({units})", f'model.compile("adam", loss={loss})')


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_a_loss_of_ones_own_and_one_that_fits_are_taken(tmp_path: Path, package: str) -> None:
    own = 'model.compile("adam", loss=lambda y, p: keras.losses.SparseCategoricalCrossentropy()(y, p))'
    head = 'keras.layers.Dense(2, activation="softmax")'
    assert _build(tmp_path, package, head, own)
    assert _build(tmp_path, package, head, 'model.compile("adam", loss="sparse_categorical_crossentropy")')
    assert _build(
        tmp_path, package, 'keras.layers.Dense(1, activation="sigmoid")', 'model.compile(loss="mse")'
    )


def test_one_unit_is_no_model_of_three_classes_and_a_dict_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"one probability for each of the 3 classes.* no regressions"):
        _build(tmp_path, "keras", "keras.layers.Dense(1)", classes=3)
    with pytest.raises(ModelError, match="returns several outputs; it must return one tensor"):
        _build(tmp_path, "keras", '(lambda x: {"a": keras.layers.Dense(2)(x)})')


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_a_model_that_takes_no_dict_of_features_is_told_how(tmp_path: Path, package: str) -> None:
    source = f"import {package} as keras\ndef build_model(*_):\n    return keras.Sequential([keras.layers.Dense(2)])\n"
    (tmp_path / "model.py").write_text(source)
    features = {"x": FEATURES["x"], "y": FEATURES["x"]}
    with pytest.raises(
        ModelError, match=r"a dict of x, y, .* by its name as in the README: \w+: (?!Exception)"
    ):
        build(ModelConfig(module=str(tmp_path / "model.py")), TrainConfig(), features, 2, {})


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("keras.layers.Dense(2)", "the model returns logits"),
        ('keras.layers.Dense(1, activation="tanh")', "negative"),
        ('keras.layers.Dense(2, activation="sigmoid")', "not 1 in sum"),
        ("(lambda x: keras.ops.softmax(keras.layers.Dense(2)(x), axis=0))", "not 1 in sum"),
        ('keras.layers.Dense(2, activation="softmax", dtype="float16")', None),
        ('keras.layers.Dense(1, activation="sigmoid")', None),
        ("(lambda x: keras.ops.softmax(keras.ops.log(keras.layers.Dense(2)(x))))", None),
    ],
)
def test_answers_that_cannot_become_probabilities_show_before_training(
    tmp_path: Path, head: str, said: str | None
) -> None:
    model, _, answers = _build(tmp_path, "keras", head)
    x = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
    fault = untrained_fault(model, {"x": x}, answers)
    assert fault is None if said is None else said in (fault or "")
