"""A LiteRT model combined with its preprocessing."""

from collections.abc import Mapping, Sequence
from typing import Any

from serving.engine.base import Engine
from serving.engine.signature import DEFAULT_SIGNATURE, Signature
from serving.errors import Code, ServingError
from serving.messages.dtypes import Array


class PreprocessedModel:
    """Runs a model on the outputs of its preprocessing, matched by name.

    It has all signatures of both engines; if one of them lacks a signature, its default one is run instead. Outputs
    of the preprocessing that the model does not take are dropped.
    """

    def __init__(self, first: Engine, second: Engine) -> None:
        self._first = first
        self._second = second
        names = [*second.signatures, *(set(first.signatures) - set(second.signatures))]
        self._before = {name: name if name in first.signatures else DEFAULT_SIGNATURE for name in names}
        self._after = {name: name if name in second.signatures else DEFAULT_SIGNATURE for name in names}
        for name, before in self._before.items():
            have = first.signatures[before].outputs if before in first.signatures else {}
            missing = sorted(second.signatures[self._after[name]].inputs.keys() - have.keys())
            if missing:
                raise ServingError(
                    Code.FAILED_PRECONDITION,
                    f"preprocessing signature '{before}' does not return {missing}, which model.tflite's signature "
                    f"'{name}' takes; it returns {sorted(have)}",
                )
        self.signatures: dict[str, Signature] = {
            name: Signature(
                inputs=first.signatures[before].inputs,
                outputs=second.signatures[self._after[name]].outputs,
                method_name=first.signatures[before].method_name,
                defaults=first.signatures[before].defaults,
            )
            for name, before in self._before.items()
        }
        self.steady = self._both(first.steady, second.steady)
        self.pure = self._both(first.pure, second.pure)
        self.signature_defs: Mapping[str, Any] = {
            name: _join(first.signature_defs[before], second.signature_defs[self._after[name]])
            for name, before in self._before.items()
        }

    def _both(self, first: frozenset[str], second: frozenset[str]) -> frozenset[str]:
        return frozenset(
            name for name, before in self._before.items() if before in first and self._after[name] in second
        )

    def run(
        self, signature_name: str, inputs: Mapping[str, Array], output_filter: Sequence[str] | None = None
    ) -> dict[str, Array]:
        """Preprocess the inputs, then run the model."""
        wanted = list(self._second.signatures[self._after[signature_name]].inputs)
        between = self._first.run(self._before[signature_name], inputs, wanted)
        return self._second.run(self._after[signature_name], between, output_filter)

    def run_tensors(self, feeds: Sequence[tuple[str, Array]], fetches: Sequence[str]) -> list[Array]:
        """Raise ServingError: it is not possible across two models."""
        raise ServingError(
            Code.UNIMPLEMENTED, "a LiteRT model with preprocessing runs one signature at a time"
        )

    def close(self) -> None:
        """Free both engines."""
        self._first.close()
        self._second.close()


def _join(before: Any, after: Any) -> Any:
    joined = type(after)()
    joined.CopyFrom(after)
    joined.ClearField("inputs")
    for alias, info in before.inputs.items():
        joined.inputs[alias].CopyFrom(info)
    return joined
