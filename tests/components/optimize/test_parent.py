"""The Keras model that variants are made of, as it comes back."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from components.optimize.parent import Parent, load_keras


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_a_model_with_a_lambda_is_loaded(tmp_path: Path, package: str) -> None:
    keras = importlib.import_module(package)
    x = keras.Input([2], name="x")
    model = keras.Model({"x": x}, keras.layers.Lambda(lambda value: value * 2.0)(x))
    model.save(str(tmp_path / "model.keras"))
    parent = Parent(
        saved_model="",
        keras_model=str(tmp_path / "model.keras"),
        transform="",
        train_files=(),
        raw_files=(),
        spec={},
        label="label",
        classes=(),
        inputs=(),
    )
    loaded = load_keras(parent)
    assert np.asarray(loaded({"x": np.ones([1, 2], np.float32)})).tolist() == [[2, 2]]
