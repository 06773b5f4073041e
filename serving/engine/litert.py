"""LiteRT models, run by ai-edge-litert: the fast path on CPUs, without importing TensorFlow.

Half of it runs interpreters, half finds out which tensors a file's signatures mean; both need the interpreter's private
calls, which are in this file alone.
"""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from serving.engine.litert_file import stored_signatures
from serving.engine.operations import is_pure, is_steady
from serving.engine.signature import DEFAULT_SIGNATURE, PREDICT_METHOD, Signature, TensorSpec
from serving.errors import Code, ServingError, invalid
from serving.messages import dtypes
from serving.messages.dtypes import Array
from serving.messages.protos import meta_graph_pb2
from serving.private import require

require(
    Interpreter,
    *("_interpreter", "_get_full_signature_list", "_get_tensor_details", "_get_ops_details"),
    why="to run signatures without allocating all tensors on every call",
)

_SPARE_INTERPRETERS = 8


class LiteRTModel:
    """A loaded model. An interpreter runs one call at a time; more are created as concurrent calls need them."""

    def __init__(self, path: Path, threads: int) -> None:
        self.path = path
        # Loaded as bytes, so that deleting or replacing the file cannot affect a model that is being served.
        self._content = path.read_bytes()
        self._threads = threads
        self._spare: deque[_Runner] = deque(maxlen=_SPARE_INTERPRETERS)
        first = self._new_runner()
        self._targets = _targets(first.interpreter, self._content)
        self.signatures: dict[str, Signature] = {
            name: target.signature for name, target in self._targets.items()
        }
        self.signature_defs: Mapping[str, Any] = {
            name: _definition(signature) for name, signature in self.signatures.items()
        }
        operations = [detail["op_name"] for detail in first.interpreter._get_ops_details()]
        # Only those of the first subgraph are listed; others belong to other signatures, or to loops and branches.
        single = first.interpreter._interpreter.NumSubgraphs() == 1
        self.steady = frozenset(self.signatures if single and all(map(is_steady, operations)) else ())
        self.pure = frozenset(self.signatures if all(map(is_pure, operations)) else ())
        self._spare.append(first)

    def run(
        self, signature_name: str, inputs: Mapping[str, Array], output_filter: Sequence[str] | None = None
    ) -> dict[str, Array]:
        """Compute the outputs of a signature."""
        target = self._targets[signature_name]
        try:
            runner = self._spare.pop()
        except IndexError:
            runner = self._new_runner()
        outputs = runner.run(target, inputs, output_filter or list(target.outputs))
        self._spare.append(runner)  # after a failure it is dropped instead: its tensors may be partly resized
        return outputs

    def run_tensors(self, feeds: Sequence[tuple[str, Array]], fetches: Sequence[str]) -> list[Array]:
        """Run the signature whose inputs and outputs have these tensor names."""
        names = {name for name, _ in feeds}
        for signature_name, signature in self.signatures.items():
            outputs = {spec.tensor_name: alias for alias, spec in signature.outputs.items()}
            inputs = {spec.tensor_name: alias for alias, spec in signature.inputs.items()}
            if inputs.keys() == names and outputs.keys() >= set(fetches):
                given = {inputs[name]: value for name, value in feeds}
                got = self.run(signature_name, given, [outputs[name] for name in fetches])
                return [got[outputs[name]] for name in fetches]
        raise ServingError(Code.UNIMPLEMENTED, "a LiteRT model runs one signature at a time")

    def close(self) -> None:
        """Free the interpreters and the file's content, whoever still holds this engine."""
        self._spare.clear()
        self._content = b""

    def _new_runner(self) -> "_Runner":
        try:
            return _Runner(Interpreter(model_content=self._content, num_threads=self._threads))
        except ValueError as error:
            raise ServingError(Code.INVALID_ARGUMENT, f"{self.path}: not a LiteRT model: {error}") from error


class _Target:
    """A signature and the indices of its tensors in the model."""

    def __init__(
        self, signature: Signature, subgraph: int, inputs: dict[str, int], outputs: dict[str, int]
    ) -> None:
        self.signature = signature
        self.subgraph = subgraph
        self.inputs = inputs
        self.outputs = outputs


class _Runner:
    """One interpreter, and the input shapes for which its tensors are allocated."""

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        # Not the public class, whose signature runner allocates all tensors again on every call.
        self._engine = interpreter._interpreter
        self._shapes: dict[int, dict[int, tuple[int, ...]]] = {}
        self._lock = threading.Lock()

    def run(self, target: _Target, inputs: Mapping[str, Array], wanted: Sequence[str]) -> dict[str, Array]:
        subgraph = target.subgraph
        fitted = {
            target.inputs[alias]: _fit(alias, value, target.signature.inputs[alias])
            for alias, value in inputs.items()
        }
        shapes = {index: value.shape for index, value in fitted.items()}
        if self._shapes.get(subgraph) != shapes:
            for index, shape in shapes.items():
                self._engine.ResizeInputTensor(index, np.array(shape, np.int32), False, subgraph)
            try:
                self._engine.AllocateTensors(subgraph)
            except RuntimeError as error:
                raise invalid(f"the model does not accept inputs of these shapes: {error}") from error
            self._shapes[subgraph] = shapes
        for index, value in fitted.items():
            self._engine.SetTensor(index, value, subgraph)
        self._engine.Invoke(subgraph)
        return {alias: self._output(target, alias) for alias in wanted}

    def _output(self, target: _Target, alias: str) -> Array:
        index = target.outputs[alias]
        try:
            value: Array = self._engine.GetTensor(index, target.subgraph)
        except ValueError:
            # An interpreter cannot hand over a tensor without elements.
            shape = self._engine.TensorSize(index, target.subgraph)
            if np.prod(shape):
                raise
            return np.empty(shape, target.signature.outputs[alias].numpy_dtype)
        return value


def load(path: Path, *, threads: int = 1) -> LiteRTModel:
    """Load a `.tflite` file.

    Raises:
        ServingError: the file is not a LiteRT model, or needs operations that LiteRT lacks.
    """
    return LiteRTModel(path, threads)


def _fit(alias: str, value: Array, spec: TensorSpec) -> Array:
    """Return a value in the model's shape; only the first dimension, the batch, may differ in size.

    Values of another rank but with the same number of elements per row are reshaped, as in TensorFlow Serving.
    """
    if spec.shape is None:
        return value
    want = spec.shape[1:]
    shape = value.shape
    if len(shape) == len(spec.shape) and all(
        w is None or w == s for w, s in zip(want, shape[1:], strict=True)
    ):
        return value
    sizes = [size for size in want if size is not None]
    if shape and len(sizes) == len(want) and int(np.prod(sizes)) == int(np.prod(shape[1:])):
        return value.reshape((shape[0], *sizes))
    raise invalid(f"input '{alias}' has the shape {list(shape)}, the model takes {_shape_text(spec.shape)}")


def _shape_text(shape: tuple[int | None, ...]) -> str:
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


def _targets(interpreter: Interpreter, content: bytes) -> dict[str, _Target]:
    stored = stored_signatures(content)
    if stored:
        return {name: _stored_target(interpreter, data) for name, data in stored.items()}
    named = interpreter._get_full_signature_list()
    if named:
        return {name: _named_target(interpreter, name, parts) for name, parts in named.items()}
    inputs = {_plain(detail["name"]): detail for detail in interpreter.get_input_details()}
    outputs = {_plain(detail["name"]): detail for detail in interpreter.get_output_details()}
    return {DEFAULT_SIGNATURE: _target(inputs, outputs, 0)}


def _named_target(interpreter: Interpreter, name: str, parts: dict[str, Any]) -> _Target:
    subgraph = interpreter._interpreter.GetSubgraphIndexFromSignature(name)

    def details(indices: dict[str, int]) -> dict[str, Any]:
        return {
            alias: interpreter._get_tensor_details(index, subgraph)
            for alias, index in sorted(indices.items())
        }

    return _target(details(parts["inputs"]), details(parts["outputs"]), subgraph)


def _stored_target(interpreter: Interpreter, data: bytes) -> _Target:
    definition = meta_graph_pb2.SignatureDef.FromString(data)
    by_name = {
        detail["name"]: detail
        for detail in [*interpreter.get_input_details(), *interpreter.get_output_details()]
    }

    def details(infos: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for alias, info in sorted(infos.items()):
            # Early converters dropped the ':0' of TensorFlow's tensor names.
            detail = by_name.get(info.name) or by_name.get(info.name.split(":")[0])
            if detail is None:
                raise invalid(f"the signature's tensor '{info.name}' is not in the LiteRT model")
            found[alias] = detail
        return found

    return _target(details(definition.inputs), details(definition.outputs), 0, definition.method_name)


def _target(
    inputs: Mapping[str, Any], outputs: Mapping[str, Any], subgraph: int, method: str = PREDICT_METHOD
) -> _Target:
    signature = Signature(
        {alias: _spec(detail) for alias, detail in inputs.items()},
        {alias: _spec(detail) for alias, detail in outputs.items()},
        method or PREDICT_METHOD,
    )
    return _Target(
        signature,
        subgraph,
        {alias: int(detail["index"]) for alias, detail in inputs.items()},
        {alias: int(detail["index"]) for alias, detail in outputs.items()},
    )


def _plain(tensor_name: str) -> str:
    """Return a tensor's name as clients know it: without the converter's prefix and suffix."""
    return tensor_name.removeprefix("serving_default_").removesuffix(":0")


def _spec(detail: dict[str, Any]) -> TensorSpec:
    signature_shape = detail["shape_signature"] if len(detail["shape_signature"]) else detail["shape"]
    shape = tuple(None if size < 0 else int(size) for size in signature_shape)
    return TensorSpec(detail["name"], dtypes.name_of(np.dtype(detail["dtype"])), shape)


def _definition(signature: Signature) -> Any:
    definition = meta_graph_pb2.SignatureDef(method_name=signature.method_name)
    for fields, specs in (
        (definition.inputs, signature.inputs),
        (definition.outputs, signature.outputs),
    ):
        for alias, spec in specs.items():
            info = fields[alias]
            info.name = spec.tensor_name
            info.dtype = dtypes.NUMBERS[spec.dtype]
            for size in spec.shape or ():
                info.tensor_shape.dim.add().size = -1 if size is None else size
    return definition
