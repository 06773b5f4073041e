"""What the configured preprocessing is given, and what may come out of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.modules import ModuleError
from components.preprocess.config import PreprocessConfig
from components.preprocess.transform import InputError, dense, preprocessing_fn

OWN = """
import tensorflow as tf

def preprocessing_fn(inputs):
    assert set(inputs) == {"name", "sizes"}, sorted(inputs)
    return {"length": tf.strings.length(inputs["name"]), "sum": tf.reduce_sum(inputs["sizes"], axis=1)}
"""


def batch() -> dict[str, Any]:
    """Two examples as tf.Transform gives them; the second has no name."""
    return {
        "name": tf.SparseTensor([[0, 0]], ["abc"], [2, 1]),
        "sizes": tf.constant([[1, 2], [3, 4]]),
        "unused": tf.constant([[9], [9]]),
        "label": tf.constant([["yes"], ["no"]]),
    }


def run(tmp_path: Path, source: str, inputs: tuple[str, ...] = ("name", "sizes")) -> dict[str, Any]:
    (tmp_path / "own.py").write_text(source)
    config = PreprocessConfig(module=str(tmp_path / "own.py"), inputs=inputs)
    return preprocessing_fn(batch(), {"config": config.model_dump_json(), "label": "label"})


def test_a_function_of_ones_own_gets_its_inputs_dense_and_the_label_passes_as_it_is(tmp_path: Path) -> None:
    outputs = run(tmp_path, OWN)
    assert sorted(outputs) == ["label", "length", "sum"]
    assert outputs["length"].numpy().tolist() == [3, 0], "an absent text is empty"
    assert outputs["sum"].numpy().tolist() == [3, 7]
    assert outputs["label"].numpy().tolist() == [b"yes", b"no"]


def test_an_input_that_the_data_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"preprocess.inputs names \['size'\], which the data lacks; it has"):
        run(tmp_path, OWN, inputs=("name", "size"))


def test_an_output_with_the_labels_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="returns a feature 'label', which is the label's name; rename it"):
        run(tmp_path, "def preprocessing_fn(inputs):\n    return {'label': inputs['name']}\n")


def test_a_file_without_the_function_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match=r"own\.py: has no function preprocessing_fn"):
        run(tmp_path, "")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (tf.SparseTensor([[1, 0]], ["a"], [2, 1]), [b"", b"a"]),
        (tf.SparseTensor([[0, 0]], tf.constant([7], tf.int64), [2, 1]), [7, 0]),
        (tf.SparseTensor([[0, 0], [0, 1]], [1.5, 2.5], [2, 2]), [1.5, 0.0]),
        (tf.SparseTensor(np.zeros([0, 2], np.int64), tf.constant([], tf.string), [2, 0]), [b"", b""]),
        (tf.constant([["a"], ["b"]]), [b"a", b"b"]),
        (tf.constant([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (tf.constant([1, 2]), [1, 2]),
    ],
)
def test_single_values_become_a_vector_and_absent_ones_empty_or_0(value: Any, expected: list[Any]) -> None:
    assert dense(value).numpy().tolist() == expected


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"module": "image"}, "needs image_shape"),
        ({"module": "image", "image_shape": (8, 8, 2)}, "1, 3 or 4 channels"),
        ({"module": "text", "inputs": ("a", "b")}, "module text reads one input"),
        ({"module": "sound"}, "module is one of image, text or the path of a .py file"),
        ({"module": "text", "inputs": ()}, "at least 1"),
        ({"module": "text", "vocabulary_size": 0}, "greater than or equal to 1"),
    ],
)
def test_mistakes_in_the_configuration_are_named(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PreprocessConfig.model_validate({"inputs": ("a",), **fields})
