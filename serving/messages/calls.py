"""Parts of requests and responses that several APIs share, as plain values and as TensorFlow Serving's messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from serving.errors import invalid
from serving.messages.dtypes import Array
from serving.messages.protos import prediction_log_pb2


@dataclass(frozen=True)
class Classifications:
    """The classes of each example, as (label, score)."""

    rows: list[list[tuple[bytes, float]]]


@dataclass(frozen=True)
class Regressions:
    """The value of each example."""

    values: list[float]


def to_tensor(examples: Sequence[bytes], context: bytes | None = None) -> Array:
    """Return the input tensor; an example's own features come after, and so override, those of the context.

    Raises:
        ServingError: there are no examples.
    """
    if not examples:
        raise invalid("Input is empty.")
    tensor = np.empty(len(examples), dtype=object)
    tensor[:] = [context + example for example in examples] if context is not None else list(examples)
    return tensor


def read_input(message: Any) -> Array:
    """Return the examples of an Input message as a tensor."""
    kind = message.WhichOneof("kind")
    if kind == "example_list_with_context":
        listed = message.example_list_with_context
        context = listed.context.SerializeToString() if listed.HasField("context") else b""
        return to_tensor([example.SerializeToString() for example in listed.examples], context)
    return to_tensor([example.SerializeToString() for example in message.example_list.examples])


def write_spec(spec: Any, name: str, version: int | None, signature_name: str = "") -> None:
    """Fill a ModelSpec."""
    spec.name = name
    if version is not None:
        spec.version.value = version
    spec.signature_name = signature_name


def fill_classifications(message: Any, result: Classifications) -> None:
    """Fill a ClassificationResult."""
    for row in result.rows:
        entry = message.classifications.add()
        for label, score in row:
            entry.classes.add(label=label.decode("utf-8", "replace"), score=score)


def fill_regressions(message: Any, result: Regressions) -> None:
    """Fill a RegressionResult."""
    for value in result.values:
        message.regressions.add(value=value)


def log_entry(
    kind: Literal["predict", "classify", "regress", "multi_inference"], request: Any, response: Any
) -> Any:
    """Return the PredictionLog of a call."""
    entry = prediction_log_pb2.PredictionLog()
    log = getattr(entry, f"{kind}_log")
    log.request.CopyFrom(request)
    log.response.CopyFrom(response)
    return entry
