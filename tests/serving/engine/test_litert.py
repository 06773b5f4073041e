"""LiteRT models: what the interpreter itself cannot hand over."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from serving.engine.litert import load

pytestmark = pytest.mark.filterwarnings("ignore")  # the converter's


def test_an_output_without_elements_is_an_answer(tmp_path: Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])  # type: ignore[untyped-decorator]
    def where(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"where": tf.where(x > 0)}

    converter = tf.lite.TFLiteConverter.from_concrete_functions([where.get_concrete_function()])
    (tmp_path / "model.tflite").write_bytes(converter.convert())
    model = load(tmp_path / "model.tflite")
    for sent, expected in (([-1.0], []), ([1.0, -1.0, 2.0], [[0], [2]]), ([], [])):
        (found,) = model.run("serving_default", {"x": np.array(sent, np.float32)}).values()
        assert found.dtype == np.int64
        assert found.shape == (len(expected), 1)
        assert found.tolist() == expected
    model.close()
