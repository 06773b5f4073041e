"""Preprocessing of LiteRT releases: without TensorFlow, if that gives the same as the graph."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components.names import EXAMPLES_INPUT, EXAMPLES_SIGNATURE
from components.optimize.parent import Parent
from components.optimize.saved_model import write_preprocessing
from components.preprocess.config import PreprocessConfig
from components.preprocess.text import FIRST_WORD, VOCABULARY
from components.train.signatures import is_optional
from serving.engine.open import PREPROCESSING
from serving.engine.preprocessing import engine
from serving.engine.preprocessing.spec import ImageSpec, Spec, TextSpec, write_spec
from serving.engine.saved_model import load

VOCABULARY_FILE = "vocabulary.txt"
#: Decoders may round a pixel either way; more than one level apart is another preprocessing.
TOLERANCE = 1.01 / 255


def write(parent: Parent, config: PreprocessConfig, records: Sequence[bytes], folder: Path) -> str:
    """Write the preprocessing of LiteRT releases into a folder, without TensorFlow if that gives the same.

    The SavedModel of the preprocessing is always made and compared on real examples; if the built-in
    preprocessing is used and both give the same, its description in `preprocessing.json` is kept instead.

    Args:
        parent: the float model.
        config: the `preprocess:` section.
        records: serialized raw examples to compare on, at least one.
        folder: is made; its contents belong beside `model.tflite`.

    Returns:
        What was written, in words.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        graph, plain = Path(scratch) / PREPROCESSING, Path(scratch) / "without_tensorflow"
        write_preprocessing(parent, graph)
        spec = _spec(parent, config, plain)
        if spec is not None:
            write_spec(spec, plain)
            far = _difference(graph, plain, spec.feature, records)
            if far <= (TOLERANCE if spec.kind == "image" else 0):
                for path in plain.iterdir():
                    path.rename(folder / path.name)
                return f"preprocessing without TensorFlow, equal on {len(records)} examples"
        graph.rename(folder / PREPROCESSING)
    if spec is None:
        return "preprocessing as a SavedModel, because it is not a built-in one"
    return f"preprocessing as a SavedModel, because the one without TensorFlow differs by {far:.3g}"


def _spec(parent: Parent, config: PreprocessConfig, folder: Path) -> Spec | None:
    import tensorflow_transform as tft

    if config.module not in ("image", "text"):
        return None
    folder.mkdir()
    transform = tft.TFTransformOutput(parent.transform)
    if is_optional(transform.raw_feature_spec()[parent.inputs[0]]):
        return None  # what a request may leave out, the SavedModel's signature says
    if config.module == "image" and config.image_shape:
        return ImageSpec(feature=parent.inputs[0], shape=config.image_shape)
    if config.module == "text":
        words = transform.vocabulary_by_name(VOCABULARY)
        (folder / VOCABULARY_FILE).write_bytes(b"\n".join(words) + b"\n")
        return TextSpec(
            feature=parent.inputs[0],
            vocabulary=VOCABULARY_FILE,
            first_id=FIRST_WORD,
            max_length=config.max_length,
        )
    return None


def _difference(graph: Path, plain: Path, feature: str, records: Sequence[bytes]) -> float:
    """Return the largest difference between the two's values; infinite if their shapes differ."""
    mine = engine.load(plain)
    largest = 0.0
    with load(graph) as its:
        for record in records:
            inputs: dict[str, Any] = {EXAMPLES_INPUT: np.array([record], object)}
            ours = mine.run(EXAMPLES_SIGNATURE, inputs)[feature]
            right = its.run(EXAMPLES_SIGNATURE, inputs)[feature]
            if ours.shape != right.shape:
                return float("inf")
            largest = max(largest, float(np.abs(ours - right).max(initial=0)))
    return largest
