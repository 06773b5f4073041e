"""What the server needs of an engine."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from serving.engine.signature import Signature
from serving.messages.dtypes import Array


class Engine(Protocol):
    """A loaded model. `run` may be called from several threads at once."""

    signatures: dict[str, Signature]

    @property
    def signature_defs(self) -> Mapping[str, Any]:
        """The signatures as TensorFlow's own messages, for GetModelMetadata."""

    def run(
        self, signature_name: str, inputs: Mapping[str, Array], output_filter: Sequence[str] | None = None
    ) -> dict[str, Array]:
        """Computes the outputs of a signature; inputs are complete and of the right type."""

    def run_tensors(self, feeds: Sequence[tuple[str, Array]], fetches: Sequence[str]) -> list[Array]:
        """Runs by tensor names, for several signatures in one go."""

    def close(self) -> None:
        """Frees what the model holds."""
