"""The interface of engines."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from serving.engine.signature import Signature
from serving.messages.dtypes import Array


class Engine(Protocol):
    """A loaded model. `run` may be called from several threads at once.

    Attributes:
        signatures: by name.
        steady: the names of those whose run time follows from the shapes of the inputs (`operations.py`).
        pure: the names of those of which a call leaves nothing behind.
    """

    signatures: dict[str, Signature]
    steady: frozenset[str]
    pure: frozenset[str]

    @property
    def signature_defs(self) -> Mapping[str, Any]:
        """The signatures as TensorFlow's own messages, for GetModelMetadata."""

    def run(
        self, signature_name: str, inputs: Mapping[str, Array], output_filter: Sequence[str] | None = None
    ) -> dict[str, Array]:
        """Compute the outputs of a signature; the inputs are complete and have the right types."""

    def run_tensors(self, feeds: Sequence[tuple[str, Array]], fetches: Sequence[str]) -> list[Array]:
        """Run the model by tensor names, for several signatures in one run."""

    def close(self) -> None:
        """Free the model's resources."""
