"""What the configured preprocessing is given, and what may come out of it."""

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from components.modules import ModuleError
from components.preprocess.config import PreprocessConfig
from components.preprocess.transform import InputError, preprocessing_fn, raw_features

OWN = """
import tensorflow as tf

def preprocessing_fn(inputs):
    assert set(inputs) == {"name", "sizes"}, sorted(inputs)
    assert isinstance(inputs["name"], tf.SparseTensor), "a feature with gaps"
    name = tf.sparse.to_dense(inputs["name"], default_value="")[:, 0]
    return {"length": tf.strings.length(name), "sum": tf.reduce_sum(inputs["sizes"], axis=1)}
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


def test_a_function_of_ones_own_gets_gaps_as_they_are_and_the_label_passes_as_it_is(tmp_path: Path) -> None:
    outputs = run(tmp_path, OWN)
    assert sorted(outputs) == ["label", "length", "sum"]
    assert outputs["length"].numpy().tolist() == [3, 0], "an absent text is empty"
    assert outputs["sum"].numpy().tolist() == [3, 7]
    assert outputs["label"].numpy().tolist() == [b"yes", b"no"]


def test_an_input_that_the_data_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"preprocess.inputs names size, which the data lacks; it has"):
        run(tmp_path, OWN, inputs=("name", "size"))


def test_an_output_with_the_labels_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="returns a feature 'label', which is the label's name; rename it"):
        run(tmp_path, "def preprocessing_fn(inputs):\n    return {'label': inputs['name']}\n")


def test_a_file_without_the_function_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match=r"own\.py: has no function preprocessing_fn"):
        run(tmp_path, "")


def test_lists_keep_all_their_values_and_single_values_become_a_vector() -> None:
    lists = tf.SparseTensor([[0, 0], [0, 1], [1, 0]], [1.5, 2.5, 3.5], [2, 2])
    raw = raw_features(
        {"lists": lists, "single": tf.constant([["a"], ["b"]]), "pair": tf.constant([[1, 2], [3, 4]])},
        PreprocessConfig(module="own.py", inputs=("lists", "single", "pair")),
    )
    assert tf.sparse.to_dense(raw["lists"]).numpy().tolist() == [[1.5, 2.5], [3.5, 0.0]]
    assert raw["single"].numpy().tolist() == [b"a", b"b"]
    assert raw["pair"].numpy().tolist() == [[1, 2], [3, 4]]


def test_a_function_that_cannot_take_gaps_is_told_so_and_what_to_do(tmp_path: Path) -> None:
    source = "import tensorflow as tf\n\ndef preprocessing_fn(inputs):\n    return {'x': tf.stack(inputs['name'])}\n"
    with pytest.raises(
        InputError,
        match=r"own\.py: preprocessing_fn gets 'name' as SparseTensors.* \{name: most_frequent\}.* says: ",
    ):
        run(tmp_path, source)


def test_a_function_that_cannot_take_text_is_told_which_input_is(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "def preprocessing_fn(inputs):\n    return {'x': inputs['price'] * 2.0}\n"
    )
    config = PreprocessConfig(module=str(tmp_path / "own.py"), inputs=("price",))
    columns = {"price": tf.constant([["1,234"]]), "label": tf.constant([["yes"]])}
    with pytest.raises(
        InputError, match=r"fails: .*text is: 'price' \(a column with a cell such as 5% or 1,234 is"
    ):
        preprocessing_fn(columns, {"config": config.model_dump_json(), "label": "label"})


def test_a_column_that_inputs_does_not_name_is_said(tmp_path: Path) -> None:
    source = "def preprocessing_fn(inputs):\n    return {'x': inputs['unused']}\n"
    with pytest.raises(
        InputError, match=r"asks for 'unused', and gets what preprocess\.inputs names: name, sizes"
    ):
        run(tmp_path, source)


def test_an_indicator_may_not_have_an_inputs_name() -> None:
    config = PreprocessConfig.model_validate(
        {"module": "own.py", "inputs": ["a"], "missing": {"a": {"fill_value": 0, "add_indicator": True}}}
    )
    gaps = tf.SparseTensor([[0, 0]], [1], [2, 1])
    raw = raw_features({"a": gaps}, config)
    assert raw["a"].numpy().tolist() == [1, 0]
    assert raw["a_missing"].numpy().tolist() == [0, 1]
    with pytest.raises(InputError, match="a wants an indicator 'a_missing', which is an input"):
        raw_features({"a": gaps, "a_missing": gaps}, config)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"module": "image"}, "needs image_shape"),
        ({"module": "image", "image_shape": (8, 8, 2)}, "1, 3 or 4 channels"),
        ({"module": "text", "inputs": ("a", "b")}, "module text reads one input"),
        ({"module": "sound"}, "module is one of image, text or the path of a .py file"),
        ({"module": "text", "inputs": ()}, "at least 1"),
        ({"module": "text", "vocabulary_size": 0}, "greater than or equal to 1"),
        ({"module": "a.py", "inputs": ("a", "a")}, "inputs names .'a'. twice"),
        ({"module": "a.py", "missing": {"b": "mean"}}, "missing names .'b'., which inputs does not"),
        ({"module": "a.py", "missing": {"a": {"add_indicator": True}}}, "give one of strategy"),
        ({"module": "a.py", "missing": {"a": {"strategy": "mean", "fill_value": 0}}}, "give one of strategy"),
        ({"module": "a.py", "missing": {"a": "meedian"}}, "'meedian' is no strategy; did you mean median"),
        ({"module": "a.py", "missing": {"a": True}}, "YAML's true is no value"),
        ({"module": "a.py", "missing": {"a": []}}, "an empty list is no value"),
        ({"module": "a.py", "missing": {"a": float("nan")}}, "finite number"),
        ({"module": "image", "image_shape": (8, 8, 1), "missing": {"a": ""}}, "no effect with module image"),
    ],
)
def test_mistakes_in_the_configuration_are_named(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PreprocessConfig.model_validate({"inputs": ("a",), **fields})
