"""Converts REST calls to records of the request log, which are gRPC messages."""

from collections.abc import Mapping
from typing import Any

from serving.engine.signature import DEFAULT_SIGNATURE
from serving.messages import tensors
from serving.messages.calls import (
    Classifications,
    Regressions,
    fill_classifications,
    fill_regressions,
    write_spec,
)
from serving.messages.dtypes import Array
from serving.messages.protos import prediction_log_pb2


def predict(
    model: str, version: int, signature_name: str, inputs: Mapping[str, Array], outputs: Mapping[str, Array]
) -> Any:
    """Return the record of a predict call."""
    entry = prediction_log_pb2.PredictionLog()
    request, response = entry.predict_log.request, entry.predict_log.response
    write_spec(request.model_spec, model, None, signature_name)
    write_spec(response.model_spec, model, version, signature_name)
    for fields, values in ((request.inputs, inputs), (response.outputs, outputs)):
        for alias, value in values.items():
            fields[alias].CopyFrom(tensors.to_proto(value, packed=value.dtype.kind != "O"))
    return entry


def classify(model: str, version: int, signature_name: str, tensor: Array, result: Classifications) -> Any:
    """Return the record of a classify call."""
    entry = prediction_log_pb2.PredictionLog()
    _examples(entry.classify_log, model, version, signature_name, tensor)
    fill_classifications(entry.classify_log.response.result, result)
    return entry


def regress(model: str, version: int, signature_name: str, tensor: Array, result: Regressions) -> Any:
    """Return the record of a regress call."""
    entry = prediction_log_pb2.PredictionLog()
    _examples(entry.regress_log, model, version, signature_name, tensor)
    fill_regressions(entry.regress_log.response.result, result)
    return entry


def _examples(log: Any, model: str, version: int, signature_name: str, tensor: Array) -> None:
    name = signature_name or DEFAULT_SIGNATURE
    write_spec(log.request.model_spec, model, None, name)
    write_spec(log.response.model_spec, model, version, name)
    for data in tensor:
        log.request.input.example_list.examples.add().ParseFromString(data)
