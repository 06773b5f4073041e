"""The preprocessing of `preprocessing.json` as an engine, to run before a LiteRT model, without TensorFlow."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from serving.engine.preprocessing import image, text
from serving.engine.preprocessing.spec import ImageSpec, TextSpec, read_spec
from serving.engine.signature import DEFAULT_SIGNATURE, Signature, TensorSpec
from serving.errors import Code, ServingError, invalid
from serving.messages import dtypes
from serving.messages.dtypes import Array
from serving.messages.protos import example_pb2, meta_graph_pb2

EXAMPLES_SIGNATURE = "serve_examples"


class PreprocessingEngine:
    """Converts one raw feature, strings [batch], to the model's input of the same name.

    Signatures: `serving_default` takes the feature, `serve_examples` takes `examples`, serialized tf.Examples.
    """

    def __init__(
        self,
        feature: str,
        output: TensorSpec,
        function: Callable[[Sequence[bytes]], Array],
        *,
        is_steady: bool,
    ) -> None:
        self._feature = feature
        self._function = function
        inputs = {DEFAULT_SIGNATURE: feature, EXAMPLES_SIGNATURE: "examples"}
        self.signatures: dict[str, Signature] = {
            name: Signature({alias: TensorSpec(f"{alias}:0", "DT_STRING", (None,))}, {feature: output})
            for name, alias in inputs.items()
        }
        self.steady = frozenset(self.signatures if is_steady else ())
        self.pure = frozenset(self.signatures)
        self.signature_defs: Mapping[str, Any] = {
            name: _definition(signature) for name, signature in self.signatures.items()
        }

    def run(
        self, signature_name: str, inputs: Mapping[str, Array], output_filter: Sequence[str] | None = None
    ) -> dict[str, Array]:
        """Preprocess a batch."""
        del output_filter
        if signature_name == EXAMPLES_SIGNATURE:
            values = [_of_example(record, self._feature) for record in inputs["examples"].tolist()]
        else:
            values = inputs[self._feature].tolist()
        return {self._feature: self._function(values)}

    def run_tensors(self, feeds: Sequence[tuple[str, Array]], fetches: Sequence[str]) -> list[Array]:
        """Raise ServingError: preprocessing is never run alone."""
        raise ServingError(Code.UNIMPLEMENTED, "preprocessing cannot be run without its model")

    def close(self) -> None:
        """Do nothing: there is nothing to free."""


def _of_example(record: bytes, feature: str) -> bytes:
    try:
        features = example_pb2.Example.FromString(record).features.feature
    except DecodeError as error:
        raise invalid("Could not parse example input: not a serialized tf.Example") from error
    values = features[feature].bytes_list.value if feature in features else ()
    return values[0] if values else b""


def _definition(signature: Signature) -> Any:
    definition = meta_graph_pb2.SignatureDef(method_name=signature.method_name)
    for field, specs in ((definition.inputs, signature.inputs), (definition.outputs, signature.outputs)):
        for alias, spec in specs.items():
            field[alias].name = spec.tensor_name
            field[alias].dtype = dtypes.NUMBERS[spec.dtype]
            for size in spec.shape or ():
                field[alias].tensor_shape.dim.add().size = -1 if size is None else size
    return definition


def load(folder: Path) -> PreprocessingEngine:
    """Load the preprocessing of a version's folder.

    Raises:
        ServingError: the files of the preprocessing are missing or damaged.
    """
    spec = read_spec(folder)
    if isinstance(spec, ImageSpec):
        return _image(spec)
    try:
        words = (folder / spec.vocabulary).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ServingError(Code.FAILED_PRECONDITION, f"{folder}: {spec.vocabulary} is missing") from error
    return _text(spec, text.read_vocabulary(words, spec.first_id))


def _image(spec: ImageSpec) -> PreprocessingEngine:
    output = TensorSpec(f"{spec.feature}:0", "DT_FLOAT", (None, *spec.shape))

    def preprocess(batch: Sequence[bytes]) -> Array:
        if not batch:
            return np.zeros((0, *spec.shape), np.float32)
        return np.stack([image.decode(_bytes(data, spec.feature), spec.shape) for data in batch])

    # A few bytes can be a picture of many pixels.
    return PreprocessingEngine(spec.feature, output, preprocess, is_steady=False)


def _text(spec: TextSpec, vocabulary: dict[str, int]) -> PreprocessingEngine:
    output = TensorSpec(f"{spec.feature}:0", "DT_INT64", (None, None))

    def preprocess(batch: Sequence[bytes]) -> Array:
        ids = [text.word_ids(_bytes(data, spec.feature), vocabulary, spec.max_length) for data in batch]
        padded = np.zeros((len(ids), max(map(len, ids), default=1)), np.int64)
        for row, words in zip(padded, ids, strict=True):
            row[: len(words)] = words
        return padded

    return PreprocessingEngine(spec.feature, output, preprocess, is_steady=True)


def _bytes(value: object, feature: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    raise invalid(f"input '{feature}' takes strings, one per example")
