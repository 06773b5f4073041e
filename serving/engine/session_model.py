"""A loaded SavedModel, run in the caller's thread.

A callable is created once for each signature and set of outputs: it is several times cheaper per call than
`Session.run` or a Python signature.
"""

import copy
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2

from serving.engine.operations import is_pure, is_steady, signatures_with
from serving.engine.signature import Signature, TensorSpec
from serving.messages import dtypes
from serving.messages.dtypes import Array
from serving.private import require

require(
    tf.compat.v1.Session,
    "_make_callable_from_options",
    why="to call a graph several times faster than Session.run",
)

INIT_SIGNATURE = "__saved_model_init_op"


class SavedModel:
    """A loaded model. Safe to call from several threads; `close()` frees the session.

    Attributes:
        path: the directory it was loaded from.
        signatures: its signatures by name.
        steady, pure: see `Engine`.
        signature_defs: the SavedModel's own SignatureDefs, init op included, for GetModelMetadata.
    """

    def __init__(
        self, path: Path, session: tf.compat.v1.Session, meta_graph: meta_graph_pb2.MetaGraphDef
    ) -> None:
        self.path = path
        # Copies: a part of a message keeps the memory of all of it, and a frozen model's weights are in there.
        self.signature_defs: dict[str, Any] = {
            name: copy.deepcopy(definition) for name, definition in meta_graph.signature_def.items()
        }
        self.signatures = signatures_of(meta_graph)
        self.steady = signatures_with(meta_graph, is_steady) & self.signatures.keys()
        self.pure = signatures_with(meta_graph, is_pure) & self.signatures.keys()
        self._session: tf.compat.v1.Session | None = session
        self._callables: dict[tuple[tuple[str, ...], tuple[str, ...]], Callable[..., list[Any]]] = {}
        self._lock = threading.Lock()

    def run(
        self,
        signature_name: str,
        inputs: Mapping[str, Array],
        output_filter: Collection[str] | None = None,
    ) -> dict[str, Array]:
        """Compute the outputs of a signature.

        Args:
            signature_name: a key of `signatures`.
            inputs: every input of the signature by alias; those with a default may be omitted.
            output_filter: the outputs to compute; all if None.

        Raises:
            KeyError: the model does not have the signature or output.
            ValueError: inputs are missing or unknown.
            tf.errors.OpError: the graph itself fails.
        """
        try:
            signature = self.signatures[signature_name]
        except KeyError:
            raise KeyError(
                f"{self.path}: no signature '{signature_name}'; it has {sorted(self.signatures)}"
            ) from None
        feeds = {**signature.defaults, **inputs} if signature.defaults else inputs
        if feeds.keys() != signature.inputs.keys():
            raise ValueError(
                f"{self.path}: signature '{signature_name}' takes the inputs {sorted(signature.inputs)}, "
                f"got {sorted(inputs)}"
            )
        wanted = list(signature.outputs) if output_filter is None else list(output_filter)
        unknown = sorted(set(wanted) - signature.outputs.keys())
        if unknown:
            raise KeyError(
                f"{self.path}: signature '{signature_name}' has no output {unknown}; "
                f"it has {sorted(signature.outputs)}"
            )
        fetched = self.run_tensors(
            [(signature.inputs[alias].tensor_name, feeds[alias]) for alias in signature.inputs],
            [signature.outputs[alias].tensor_name for alias in wanted],
        )
        return dict(zip(wanted, fetched, strict=True))

    def run_tensors(self, feeds: Sequence[tuple[str, Array]], fetches: Sequence[str]) -> list[Array]:
        """Run the graph by tensor names: this way several signatures can share one run."""
        key = (tuple(name for name, _ in feeds), tuple(fetches))
        call = self._callables.get(key)
        if call is None:
            with self._lock:
                call = self._callables.get(key)
                if call is None:
                    call = _make_callable(self._session, *key)
                    self._callables[key] = call
        return [_array(value) for value in call(*[value for _, value in feeds])]

    def close(self) -> None:
        """Free the session and its resources, whoever still holds this engine; calling it twice is harmless.

        The graph is full of cycles, and goes with the next garbage collection.
        """
        session, self._session = self._session, None
        self._callables.clear()
        if session is not None:
            session.close()

    def __enter__(self) -> "SavedModel":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def signatures_of(meta_graph: meta_graph_pb2.MetaGraphDef) -> dict[str, Signature]:
    """Return the signatures of a SavedModel's graph by name."""
    return {
        name: _signature(definition)
        for name, definition in meta_graph.signature_def.items()
        if name != INIT_SIGNATURE
    }


def _make_callable(
    session: tf.compat.v1.Session | None, feeds: tuple[str, ...], fetches: tuple[str, ...]
) -> Callable[..., list[Array]]:
    if session is None:
        raise RuntimeError("the model has been unloaded")
    options = config_pb2.CallableOptions(feed=feeds, fetch=fetches)
    call: Callable[..., list[Array]] = session._make_callable_from_options(options)
    return call


def _array(value: Any) -> Array:
    """Return an output as an array; TensorFlow returns scalars, strings included, as bare values."""
    if isinstance(value, np.ndarray):
        return value
    scalar: Array = np.empty((), object if isinstance(value, bytes) else np.asarray(value).dtype)
    scalar[()] = value
    return scalar


def _signature(definition: meta_graph_pb2.SignatureDef) -> Signature:
    return Signature(
        inputs={alias: _spec(info) for alias, info in definition.inputs.items()},
        outputs={alias: _spec(info) for alias, info in definition.outputs.items()},
        method_name=definition.method_name,
        defaults={alias: tf.make_ndarray(proto) for alias, proto in definition.defaults.items()},
    )


def _spec(info: meta_graph_pb2.TensorInfo) -> TensorSpec:
    shape = (
        None
        if info.tensor_shape.unknown_rank
        else tuple(None if dim.size < 0 else int(dim.size) for dim in info.tensor_shape.dim)
    )
    return TensorSpec(info.name, dtypes.NAMES.get(info.dtype, "DT_INVALID"), shape)
