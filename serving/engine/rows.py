"""Batches for a model that takes one example at a time, as LiteRT's text models do.

Each example runs at its own length: without padding, which costs time and can change an answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from serving.engine.base import Engine
from serving.engine.signature import Signature, TensorSpec
from serving.messages.dtypes import Array


def takes_single_rows(engine: Engine) -> bool:
    """Return whether the model's batch dimension is fixed at 1."""
    specs = [spec for signature in engine.signatures.values() for spec in signature.inputs.values()]
    return bool(specs) and all(spec.shape is not None and spec.shape[:1] == (1,) for spec in specs)


class RowByRow:
    """Runs an engine once for each example of a batch, and concatenates the answers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.signatures: dict[str, Signature] = {
            name: replace(
                signature,
                inputs={alias: _any_batch(spec) for alias, spec in signature.inputs.items()},
                outputs={alias: _any_batch(spec) for alias, spec in signature.outputs.items()},
            )
            for name, signature in engine.signatures.items()
        }
        self.steady = engine.steady
        self.pure = engine.pure
        self.signature_defs: Mapping[str, Any] = {
            name: _any_batch_definition(definition) for name, definition in engine.signature_defs.items()
        }

    def run(
        self, signature_name: str, inputs: Mapping[str, Array], output_filter: Sequence[str] | None = None
    ) -> dict[str, Array]:
        """Compute the outputs of a signature."""
        rows = len(next(iter(inputs.values())))
        if rows == 1:
            return self._engine.run(signature_name, inputs, output_filter)
        answers = [
            self._engine.run(
                signature_name, {name: value[row : row + 1] for name, value in inputs.items()}, output_filter
            )
            for row in range(rows)
        ]
        if not answers:
            outputs = self.signatures[signature_name].outputs
            return {
                name: np.zeros([size or 0 for size in outputs[name].shape or (0,)], outputs[name].numpy_dtype)
                for name in output_filter or outputs
            }
        return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}

    def run_tensors(self, feeds: Sequence[tuple[str, Array]], fetches: Sequence[str]) -> list[Array]:
        """Run the engine as it is: with tensor names there is no batch to split."""
        return self._engine.run_tensors(feeds, fetches)

    def close(self) -> None:
        """Free the engine."""
        self._engine.close()


def _any_batch(spec: TensorSpec) -> TensorSpec:
    if spec.shape is None or spec.shape[:1] != (1,):
        return spec
    return replace(spec, shape=(None, *spec.shape[1:]))


def _any_batch_definition(definition: Any) -> Any:
    changed = type(definition)()
    changed.CopyFrom(definition)
    for infos in (changed.inputs, changed.outputs):
        for info in infos.values():
            if info.tensor_shape.dim and info.tensor_shape.dim[0].size == 1:
                info.tensor_shape.dim[0].size = -1
    return changed
