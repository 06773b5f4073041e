"""Writes files of warm-up requests in TensorFlow Serving's format: PredictionLogs in a TFRecord file."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from serving.messages import tensors
from serving.messages.dtypes import Array
from serving.messages.protos import predict_pb2, prediction_log_pb2
from serving.messages.tfrecord import frame


def write_requests(path: Path, requests: Iterable[Any]) -> None:
    """Write PredictRequests as a warm-up file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for request in requests:
            entry = prediction_log_pb2.PredictionLog()
            entry.predict_log.request.CopyFrom(request)
            file.write(frame(entry.SerializeToString()))


def predict_request(model: str, inputs: dict[str, Array], signature_name: str = "") -> Any:
    """Return a PredictRequest for a warm-up file."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature_name
    for alias, value in inputs.items():
        request.inputs[alias].CopyFrom(tensors.to_proto(value, packed=value.dtype.kind != "O"))
    return request
