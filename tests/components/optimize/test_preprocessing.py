"""The preprocessing without TensorFlow against TensorFlow's."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.optimize import preprocessing
from components.preprocess.config import PreprocessConfig
from serving.engine.preprocessing import engine, image
from serving.engine.preprocessing.spec import ImageSpec, TextSpec, write_spec
from serving.errors import ServingError
from tests.components.optimize.conftest import Made

STRANGE = [
    "Don't   PANIC! É è_x\u00a0y\x0bz\u3000w İstanbul ΣΑΣ",
    "½ ٣ <br/> 日本語 e\u0301 \U0001f600ok \x85a\x1cb",
    "'''",
    "!",
]


def encoded(array: Any, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("shape", [(8, 8), (20, 31), (5, 40)])
@pytest.mark.parametrize("channels", [1, 3])
def test_decoding_and_resizing(shape: tuple[int, int], channels: int) -> None:
    generator = np.random.default_rng(1)
    pixels = generator.integers(0, 256, shape if channels == 1 else (*shape, 3), np.uint8)
    wanted = (12, 8, channels)
    its = tf.image.resize(tf.io.decode_image(encoded(pixels), channels=channels), wanted[:2]) / 255.0
    np.testing.assert_allclose(image.decode(encoded(pixels), wanted), its, atol=1e-5)


def test_what_is_no_image_is_the_clients_error() -> None:
    with pytest.raises(ServingError, match="not an image that can be decoded"):
        image.decode(b"hello", (8, 8, 1))


def records(name: str, values: list[bytes]) -> list[bytes]:
    made = []
    for value in values:
        example = tf.train.Example()
        example.features.feature[name].bytes_list.value.append(value)
        made.append(example.SerializeToString())
    return made


@pytest.mark.run
def test_texts_give_equal_ids(texts: Made, tmp_path: Path) -> None:
    said = preprocessing.write(
        texts.parent, texts.preprocess, records("text", [t.encode() for t in ["", *STRANGE]]), tmp_path / "a"
    )
    assert said == "preprocessing without TensorFlow, equal on 5 examples"
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "preprocessing.json",
        "vocabulary.txt",
    ]


@pytest.mark.run
def test_where_they_differ_the_graph_is_kept(texts: Made, tmp_path: Path) -> None:
    shorter = texts.preprocess.model_copy(update={"max_length": 2})
    said = preprocessing.write(
        texts.parent, shorter, records("text", [b"one two three four"]), tmp_path / "a"
    )
    assert said == "preprocessing as a SavedModel, because the one without TensorFlow differs by inf"
    assert (tmp_path / "a" / "preprocessing" / "saved_model.pb").exists()


@pytest.mark.run
def test_your_own_preprocessing_stays_a_graph(images: Made, tmp_path: Path) -> None:
    own = PreprocessConfig(module="mine.py", inputs=("image",))
    said = preprocessing.write(images.parent, own, [b""], tmp_path / "a")
    assert said == "preprocessing as a SavedModel, because it is not a built-in one"


def test_files_that_are_damaged_are_named(tmp_path: Path) -> None:
    write_spec(TextSpec(feature="text", vocabulary="words.txt", first_id=2, max_length=5), tmp_path)
    with pytest.raises(ServingError, match=r"words\.txt is missing"):
        engine.load(tmp_path)
    (tmp_path / "preprocessing.json").write_text('{"preprocessing": {"kind": "sound"}}')
    with pytest.raises(ServingError, match=r"preprocessing\.json is damaged"):
        engine.load(tmp_path)


def test_bad_requests(tmp_path: Path) -> None:
    write_spec(ImageSpec(feature="image", shape=(8, 8, 1)), tmp_path)
    loaded = engine.load(tmp_path)
    with pytest.raises(ServingError, match="Could not parse example"):
        loaded.run("serve_examples", {"examples": np.array([b"\xff\xff"], object)})
    with pytest.raises(ServingError, match="takes strings"):
        loaded.run("serving_default", {"image": np.array([1.5])})
    assert loaded.run("serving_default", {"image": np.array([], object)})["image"].shape == (0, 8, 8, 1)


def test_no_tensorflow_is_imported(tmp_path: Path) -> None:
    write_spec(ImageSpec(feature="image", shape=(8, 8, 1)), tmp_path)
    code = (
        "import sys, json; from pathlib import Path; from serving.engine.preprocessing import engine\n"
        f"engine.load(Path({str(tmp_path)!r}))\n"
        "print(json.dumps([name for name in sys.modules if name == 'tensorflow']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert json.loads(done.stdout) == []
